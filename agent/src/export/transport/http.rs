//! OTLP/HTTP with protobuf bodies, by hyper.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT as USER_AGENT_HEADER},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::Timestamp;
use prost::Message;

use super::{
    CONNECT_TIMEOUT, ExportResponse, Outcome, TransportError, USER_AGENT, shorten, tls, with_causes,
};
use crate::export::{
    Compression, Destination,
    headers::scrub,
    retry::{RpcStatus, retry_after},
};

const PROTOBUF: &str = "application/x-protobuf";

/// Most bytes of an answer (the limit that the OTLP specification recommends).
const MAX_ANSWER: usize = 4 << 20;

/// An HTTP client of one endpoint.
#[derive(Debug)]
pub(crate) struct Client {
    client: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    compression: Compression,
}

impl Client {
    pub(super) fn new(destination: &Destination) -> Result<Self, TransportError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::for_http(destination)?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector);
        let client =
            HyperClient::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        let mut headers = destination.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        if !headers.contains_key(USER_AGENT_HEADER) {
            headers.insert(USER_AGENT_HEADER, HeaderValue::from_static(USER_AGENT));
        }
        if destination.compression == Compression::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(Self {
            client,
            uri: destination.endpoint.uri().clone(),
            headers,
            compression: destination.compression,
        })
    }

    /// Compresses, off the runtime's threads: a batch is up to megabytes.
    pub(super) async fn prepare(&self, body: Bytes) -> Result<Bytes, String> {
        match self.compression {
            Compression::None => Ok(body),
            Compression::Gzip => match tokio::task::spawn_blocking(move || gzip(&body)).await {
                Ok(compressed) => compressed.map_err(|error| format!("cannot compress: {error}")),
                Err(error) => Err(format!("cannot compress: {error}")),
            },
        }
    }

    pub(super) async fn send(&self, body: Bytes) -> Outcome {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        match self.client.request(request).await {
            Ok(response) => self.answer(response).await,
            // Refused, reset, no route, TLS: all of it may be different the next time.
            Err(error) => {
                Outcome::Retryable { message: scrub(&with_causes(&error), &self.headers), after: None }
            }
        }
    }

    async fn answer(&self, response: Response<Incoming>) -> Outcome {
        let (head, body) = response.into_parts();
        let protobuf = head
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(PROTOBUF.as_bytes()));
        let body = match Limited::new(body, MAX_ANSWER).collect().await {
            Ok(body) => body.to_bytes(),
            // The status alone says whether the batch was accepted.
            Err(_) => Bytes::new(),
        };
        if head.status.is_success() {
            let answer = if protobuf {
                ExportResponse::decode(body).unwrap_or_default()
            } else {
                ExportResponse::default()
            };
            return Outcome::Accepted(answer.partial_success.unwrap_or_default());
        }
        let text = match RpcStatus::decode(body.clone()) {
            Ok(status) if protobuf => status.message,
            _ => String::from_utf8_lossy(&body).into_owned(),
        };
        let text = shorten(&scrub(&text, &self.headers));
        let message = if text.is_empty() {
            format!("HTTP {}", head.status)
        } else {
            format!("HTTP {}: {text}", head.status)
        };
        match head.status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let value = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                Outcome::Retryable {
                    message,
                    after: value.and_then(|value| retry_after(value, Timestamp::now())),
                }
            }
            _ => Outcome::Permanent { message },
        }
    }
}

fn gzip(body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Level::fast());
    encoder.write_all(body)?;
    encoder.finish().map(Bytes::from)
}
