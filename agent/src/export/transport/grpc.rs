//! OTLP/gRPC by tonic. The request is encoded already, so the codec passes bytes through.

use std::{error::Error, time::Duration};

use bytes::{BufMut, Bytes};
use http::{HeaderMap, uri::PathAndQuery};
use prost::Message;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::{
    CONNECT_TIMEOUT, ExportResponse, Outcome, TransportError, USER_AGENT, shorten, tls, with_causes,
};
use crate::export::{Compression, Destination, Signal, headers::scrub, retry::retry_info};

/// A gRPC client of one export service.
#[derive(Debug)]
pub(crate) struct Client {
    channel: Channel,
    path: PathAndQuery,
    headers: HeaderMap,
    compression: Compression,
    timeout: Option<Duration>,
}

impl Client {
    pub(super) fn new(destination: &Destination) -> Result<Self, TransportError> {
        let setup = |error: &dyn Error| TransportError::Setup {
            endpoint: destination.endpoint.to_string(),
            problem: with_causes(error),
        };
        let mut endpoint = Endpoint::from(destination.endpoint.uri().clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(USER_AGENT)
            .map_err(|error| setup(&error))?;
        if destination.endpoint.is_tls() {
            endpoint = endpoint.tls_config(tls::for_grpc(destination)?).map_err(|error| setup(&error))?;
        }
        Ok(Self {
            channel: endpoint.connect_lazy(),
            path: PathAndQuery::from_static(match destination.signal {
                Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            }),
            headers: destination.headers.clone(),
            compression: destination.compression,
            timeout: destination.timeout,
        })
    }

    pub(super) async fn send(&self, body: Bytes) -> Outcome {
        let mut grpc = Grpc::new(self.channel.clone());
        if self.compression == Compression::Gzip {
            grpc =
                grpc.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
        }
        let mut request = Request::new(body);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        if let Err(error) = grpc.ready().await {
            return Outcome::Retryable { message: scrub(&with_causes(&error), &self.headers), after: None };
        }
        match grpc.unary(request, self.path.clone(), RawCodec).await {
            Ok(response) => Outcome::Accepted(response.into_inner().partial_success.unwrap_or_default()),
            Err(status) => self.refused(&status),
        }
    }

    /// The OTLP specification's table of gRPC codes.
    fn refused(&self, status: &Status) -> Outcome {
        let local = status.source().is_some();
        let text =
            if local { with_causes(status) } else { format!("{:?}: {}", status.code(), status.message()) };
        let message = shorten(&scrub(&text, &self.headers));
        let after = retry_info(status.details());
        let retryable = match status.code() {
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => true,
            // Only a collector that says when may be asked again: else it means "never in this size".
            Code::ResourceExhausted => after.is_some(),
            // The connection or the stream broke: tonic has no better code for that than the ones a server may send too.
            Code::Unknown | Code::Internal => local,
            _ => false,
        };
        if retryable { Outcome::Retryable { message, after } } else { Outcome::Permanent { message } }
    }
}

/// Requests are bytes, responses are decoded.
#[derive(Debug, Clone, Copy)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = ExportResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = ExportResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<ExportResponse>, Status> {
        // The batch was accepted: an answer that does not decode must not make it be sent again.
        Ok(Some(ExportResponse::decode(buffer).unwrap_or_default()))
    }
}
