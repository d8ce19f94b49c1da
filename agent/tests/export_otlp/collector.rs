//! A collector on loopback that takes OTLP/gRPC and OTLP/HTTP on one port and answers by a script.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io::Read,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    metrics::v1::Metric,
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tonic::{Status, body::Body, codec::CompressionEncoding, codegen::Service};

/// What the collector does with one request. Without a script it accepts.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Takes all of it.
    Accept,
    /// Takes all but so many, and says why.
    Partial(i64, &'static str),
    /// HTTP: this status, these headers, this body.
    Http(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// gRPC: this status.
    Grpc(Status),
    /// Never answers.
    Silence,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) accepted: bool,
    pub(crate) traces: Option<ExportTraceServiceRequest>,
    pub(crate) metrics: Option<ExportMetricsServiceRequest>,
}

impl Received {
    pub(crate) fn spans(&self) -> Vec<Span> {
        let resources = self.traces.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    pub(crate) fn resources(&self) -> Vec<Resource> {
        let traces =
            self.traces.iter().flat_map(|request| &request.resource_spans).map(|spans| &spans.resource);
        let metrics = self
            .metrics
            .iter()
            .flat_map(|request| &request.resource_metrics)
            .map(|metrics| &metrics.resource);
        traces.chain(metrics).map(|resource| resource.clone().unwrap()).collect()
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let resources = self.metrics.iter().flat_map(|request| &request.resource_metrics);
        resources
            .flat_map(|resource| &resource.scope_metrics)
            .flat_map(|scope| scope.metrics.clone())
            .collect()
    }
}

#[derive(Debug, Default)]
struct State {
    script: Mutex<VecDeque<Answer>>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
}

impl State {
    /// Keeps a request and takes the next answer.
    fn take(
        &self,
        path: &str,
        headers: HeaderMap,
        traces: Option<ExportTraceServiceRequest>,
        metrics: Option<ExportMetricsServiceRequest>,
    ) -> Answer {
        let answer = self.script.lock().unwrap().pop_front().unwrap_or(Answer::Accept);
        let accepted = matches!(answer, Answer::Accept | Answer::Partial(..));
        let mut received = self.received.lock().unwrap();
        received.push(Received { path: path.to_owned(), headers, accepted, traces, metrics });
        self.count.send_replace(received.len());
        answer
    }
}

/// A port that stays ours while nobody listens on it: connections to it are refused, and no other test gets it.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    _reserved: TcpSocket,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let socket = bind("127.0.0.1:0".parse().unwrap());
        Self { address: socket.local_addr().unwrap(), _reserved: socket }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A collector on this port.
    pub(crate) fn listen(&self, script: impl IntoIterator<Item = Answer>) -> Collector {
        Collector::on(bind(self.address), script, None)
    }
}

/// A bound socket that shares its port with others that agree to it.
fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// A running collector. Dropping it closes its port and its connections.
#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Collector {
    pub(crate) fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_with(script, None)
    }

    pub(crate) fn start_with(script: impl IntoIterator<Item = Answer>, tls: Option<TlsAcceptor>) -> Self {
        Self::on(bind("127.0.0.1:0".parse().unwrap()), script, tls)
    }

    fn on(socket: TcpSocket, script: impl IntoIterator<Item = Answer>, tls: Option<TlsAcceptor>) -> Self {
        let listener = socket.listen(128).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { script: Mutex::new(script.into_iter().collect()), ..State::default() });
        let task = tokio::spawn(accept(listener, tls, Arc::clone(&state)));
        Self { address, state, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// Waits until so many requests came in.
    pub(crate) async fn wait_for(&self, count: usize) {
        let mut counts = self.state.count.subscribe();
        tokio::time::timeout(super::LONG, counts.wait_for(|now| *now >= count)).await.unwrap().unwrap();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        connections.spawn(async move {
            match tls {
                None => serve(stream, state).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, state).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<State>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(route(request, state).await) }
    });
    // A client that went away is none of the collector's business.
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn route(request: Request<Incoming>, state: Arc<State>) -> Response<Body> {
    let grpc = request
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let service = Grpc { state: Arc::clone(&state), headers: headers.clone(), path: path.clone() };
    match (grpc, path.as_str()) {
        (true, "/opentelemetry.proto.collector.trace.v1.TraceService/Export") => {
            TraceServiceServer::new(service)
                .accept_compressed(CompressionEncoding::Gzip)
                .call(request)
                .await
                .unwrap()
        }
        (true, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export") => {
            MetricsServiceServer::new(service)
                .accept_compressed(CompressionEncoding::Gzip)
                .call(request)
                .await
                .unwrap()
        }
        (true, _) => Status::unimplemented(path).into_http(),
        (false, _) => http(&path, headers, request, &state).await,
    }
}

async fn http(path: &str, headers: HeaderMap, request: Request<Incoming>, state: &State) -> Response<Body> {
    let mut body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(body.as_slice()).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let is_metrics = path.ends_with("/metrics");
    let traces = (!is_metrics).then(|| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
    let metrics = is_metrics.then(|| ExportMetricsServiceRequest::decode(body.as_slice()).unwrap());
    let ok = |body: Vec<u8>| respond(200, &[("content-type", "application/x-protobuf".to_owned())], body);
    match state.take(path, headers, traces, metrics) {
        Answer::Accept => ok(Vec::new()),
        Answer::Partial(rejected, message) => ok(partial(rejected, message).encode_to_vec()),
        Answer::Http(status, headers, body) => respond(status, &headers, body),
        Answer::Silence => std::future::pending().await,
        Answer::Grpc(status) => panic!("{status} is no answer over HTTP"),
    }
}

fn respond(status: u16, headers: &[(&'static str, String)], body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(Bytes::from(body))));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

fn partial(rejected: i64, message: &str) -> ExportTraceServiceResponse {
    let partial_success =
        ExportTracePartialSuccess { rejected_spans: rejected, error_message: message.to_owned() };
    ExportTraceServiceResponse { partial_success: Some(partial_success) }
}

struct Grpc {
    state: Arc<State>,
    headers: HeaderMap,
    path: String,
}

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        match self.state.take(&self.path, self.headers.clone(), Some(request.into_inner()), None) {
            Answer::Accept => Ok(tonic::Response::new(ExportTraceServiceResponse::default())),
            Answer::Partial(rejected, message) => Ok(tonic::Response::new(partial(rejected, message))),
            Answer::Grpc(status) => Err(status),
            Answer::Silence => std::future::pending().await,
            Answer::Http(status, ..) => panic!("{status} is no answer over gRPC"),
        }
    }
}

#[tonic::async_trait]
impl MetricsService for Grpc {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        match self.state.take(&self.path, self.headers.clone(), None, Some(request.into_inner())) {
            Answer::Accept => Ok(tonic::Response::new(ExportMetricsServiceResponse::default())),
            Answer::Partial(rejected, message) => Ok(tonic::Response::new(ExportMetricsServiceResponse {
                partial_success: Some(ExportMetricsPartialSuccess {
                    rejected_data_points: rejected,
                    error_message: message.to_owned(),
                }),
            })),
            Answer::Grpc(status) => Err(status),
            Answer::Silence => std::future::pending().await,
            Answer::Http(status, ..) => panic!("{status} is no answer over gRPC"),
        }
    }
}
