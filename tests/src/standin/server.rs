//! The stand-in's server loop: accepts TLS, answers HTTP/1.1 or HTTP/2, remembers what it saw.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, Entity, Question, paced};
use super::body::{Paced, gzip};
use super::seen::{Fingerprint, Seen};
use super::wish::Wish;
use super::{anthropic, bedrock, gemini, openai, responses};

/// What every connection shares.
#[derive(Debug, Default)]
pub(super) struct State {
    seen: Mutex<Vec<Seen>>,
    next: AtomicU64,
    waiting: AtomicU64,
    gate: watch::Sender<bool>,
}

impl State {
    /// Requests that came to the gate, open or not.
    pub(super) fn came_to_the_gate(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(super) fn received(&self) -> u64 {
        self.next.load(Ordering::SeqCst)
    }

    pub(super) fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    async fn pass_the_gate(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // The sender lives as long as this state.
        drop(self.gate.subscribe().wait_for(|open| *open).await);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, seen: Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}

/// Accepts until dropped; without an acceptor, plain HTTP.
pub(super) async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, state: Arc<State>) {
    loop {
        // A connection that breaks is the client's business; the next accept goes on.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&state)));
    }
}

async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, state: Arc<State>) {
    // Small writes must leave at once, or pauses shorter than the kernel's would vanish.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match acceptor {
        None => exchanges(stream, false, state).await,
        Some(acceptor) => {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            exchanges(stream, http2, state).await;
        }
    }
}

async fn exchanges(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, http2: bool, state: Arc<State>) {
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(respond(request, &state).await) }
    });
    if http2 {
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
        drop(served);
        return;
    }
    let served = hyper::server::conn::http1::Builder::new()
        .max_buf_size(1 << 20)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // The client went away in mid-answer: tests do that on purpose.
    drop(served);
}

async fn respond(request: Request<Incoming>, state: &State) -> Response<Paced> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if head.method == Method::GET && path == "/seen" {
        return build(Answer::json(&json!(state.seen()), None), &Wish::default()).0;
    }
    let Ok(body) = body.collect().await else {
        let error = json!({"error": {"message": "the request body broke off"}});
        return build(Answer::error(400, &error, None), &Wish::default()).0;
    };
    let bytes = body.to_bytes();
    let number = state.next.fetch_add(1, Ordering::Relaxed);
    let wish = Wish::from_path(&path);
    if !wish.hold.is_zero() {
        tokio::time::sleep(wish.hold).await;
    }
    if wish.gate {
        state.pass_the_gate().await;
    }
    let answer = answer(number, &head.method, &path, &bytes, &wish);
    let (status, facts) = (answer.status, answer.facts.clone());
    let (mut response, sent) = build(answer, &wish);
    if let Ok(id) = HeaderValue::from_str(&format!("req_{number:06}")) {
        response.headers_mut().insert("x-request-id", id.clone());
        response.headers_mut().insert("request-id", id);
    }
    state.remember(Seen { number, path, request: Fingerprint::of(&bytes), response: sent, status, facts });
    response
}

/// Decides by the end of the path, as a provider behind any gateway.
fn answer(number: u64, method: &Method, path: &str, bytes: &Bytes, wish: &Wish) -> Answer {
    if method != Method::POST {
        return Answer::json(&json!({"object": "list", "data": []}), None);
    }
    let Ok(body) = serde_json::from_slice::<Value>(bytes) else {
        let error = json!({"error": {"message": "the body is not JSON", "type": "invalid_request_error", "code": null}});
        return Answer::error(400, &error, None);
    };
    let question = Question { number, body: &body, bytes, wish };
    if path.ends_with("/chat/completions") {
        wish.status.map_or_else(|| openai::chat(&question), |status| openai::error(&question, status, "chat"))
    } else if path.ends_with("/responses") {
        wish.status
            .map_or_else(|| responses::create(&question), |status| openai::error(&question, status, "chat"))
    } else if path.ends_with("/embeddings") {
        wish.status.map_or_else(
            || openai::embeddings(&question),
            |status| openai::error(&question, status, "embeddings"),
        )
    } else if path.ends_with("/messages") {
        wish.status
            .map_or_else(|| anthropic::messages(&question), |status| anthropic::error(&question, status))
    } else if let Some((model, method)) = gemini::place(path) {
        gemini::answer(&question, model, method)
    } else if let Some((model, action)) = bedrock::place(path) {
        bedrock::answer(&question, &model, action)
    } else {
        Answer::json(&json!({"received": bytes.len()}), None)
    }
}

/// The HTTP response, and the identity of its body.
fn build(answer: Answer, wish: &Wish) -> (Response<Paced>, Fingerprint) {
    let Answer { status, content_type, headers, entity, facts: _ } = answer;
    let with_length = matches!(entity, Entity::Whole(_));
    let mut pieces = paced(entity, wish);
    let mut encoding = None;
    if wish.gzip {
        let pauses: Vec<_> = pieces.iter().map(|(pause, _)| *pause).collect();
        if let Ok(packed) = gzip(pieces.iter().map(|(_, piece)| piece.clone()).collect()) {
            let pauses = pauses.into_iter().chain(std::iter::repeat(std::time::Duration::ZERO));
            pieces = pauses.zip(packed).collect();
            encoding = Some(HeaderValue::from_static("gzip"));
        }
    }
    let whole: Vec<u8> = pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect();
    let fingerprint = Fingerprint::of(&whole);
    let mut response = Response::new(Paced::new(pieces, with_length));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    if let Some(encoding) = encoding {
        response.headers_mut().insert(header::CONTENT_ENCODING, encoding);
    }
    (response, fingerprint)
}
