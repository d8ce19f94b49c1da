//! An OTLP collector on loopback, gRPC and HTTP/protobuf, that keeps what it receives.

use std::convert::Infallible;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// What was received.
#[derive(Debug, Default)]
struct Received {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    /// `authorization` values, one a request.
    authorization: Vec<String>,
    /// Why requests were refused.
    refused: Vec<String>,
}

type Shared = Arc<Mutex<Received>>;

/// A running collector; it stops when dropped.
pub(crate) struct Collector {
    port: u16,
    received: Shared,
    _runtime: Runtime,
}

impl Collector {
    /// One that speaks gRPC.
    pub(crate) fn grpc() -> Result<Self> {
        Self::start(|listener, received| {
            let service = Service(received);
            let traces =
                TraceServiceServer::new(service.clone()).accept_compressed(CompressionEncoding::Gzip);
            let metrics = MetricsServiceServer::new(service).accept_compressed(CompressionEncoding::Gzip);
            tokio::spawn(
                Server::builder()
                    .add_service(traces)
                    .add_service(metrics)
                    .serve_with_incoming(TcpIncoming::from(listener)),
            );
        })
    }

    /// One that speaks HTTP with protobuf bodies.
    pub(crate) fn http() -> Result<Self> {
        Self::start(|listener, received| {
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let received = Arc::clone(&received);
                    let service = service_fn(move |request| {
                        let received = Arc::clone(&received);
                        async move { Ok::<_, Infallible>(receive(request, &received).await) }
                    });
                    tokio::spawn(
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service),
                    );
                }
            });
        })
    }

    fn start(serve: impl FnOnce(TcpListener, Shared)) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).context("port of the collector")?;
        let port = listener.local_addr()?.port();
        let received = Shared::default();
        let guard = runtime.enter();
        serve(listener, Arc::clone(&received));
        drop(guard);
        Ok(Self { port, received, _runtime: runtime })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every trace request so far.
    pub(crate) fn traces(&self) -> Vec<ExportTraceServiceRequest> {
        lock(&self.received).traces.clone()
    }

    /// Every metrics request so far.
    pub(crate) fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        lock(&self.received).metrics.clone()
    }

    /// Why requests were refused.
    pub(crate) fn refused(&self) -> Vec<String> {
        lock(&self.received).refused.clone()
    }

    /// The `authorization` field of each request so far.
    pub(crate) fn authorization(&self) -> Vec<String> {
        lock(&self.received).authorization.clone()
    }
}

fn lock(received: &Shared) -> std::sync::MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Service(Shared);

impl Service {
    fn note<T>(&self, request: &tonic::Request<T>) {
        let value =
            request.metadata().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        lock(&self.0).authorization.push(value.to_owned());
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.note(&request);
        lock(&self.0).traces.push(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        self.note(&request);
        lock(&self.0).metrics.push(request.into_inner());
        Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))
    }
}

async fn receive(request: Request<Incoming>, received: &Shared) -> Response<Full<Bytes>> {
    let status = match read(request, received).await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            lock(received).refused.push(format!("{error:#}"));
            StatusCode::BAD_REQUEST
        }
    };
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/x-protobuf"));
    response
}

async fn read(request: Request<Incoming>, received: &Shared) -> Result<()> {
    let (head, body) = request.into_parts();
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    anyhow::ensure!(
        field("content-type") == "application/x-protobuf",
        "content-type {}",
        field("content-type")
    );
    let mut bytes = body.collect().await?.to_bytes();
    if field("content-encoding") == "gzip" {
        let mut plain = Vec::new();
        GzDecoder::new(bytes.as_ref()).read_to_end(&mut plain)?;
        bytes = plain.into();
    }
    let mut received = lock(received);
    received.authorization.push(field("authorization").to_owned());
    match head.uri.path() {
        "/v1/traces" => received.traces.push(ExportTraceServiceRequest::decode(bytes)?),
        "/v1/metrics" => received.metrics.push(ExportMetricsServiceRequest::decode(bytes)?),
        other => anyhow::bail!("no OTLP path: {other}"),
    }
    Ok(())
}
