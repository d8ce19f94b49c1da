//! The daemon's API: HTTP on a unix socket, NDJSON for lists.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::body::Frame;
use serde_json::json;
use tokio::sync::{broadcast::error::RecvError, mpsc, watch};

use super::{CallsQuery, LookupError, StatusReport, Store, prometheus};

/// Lines that wait for a reader; a slower one falls behind in the store's channel, which says how many it missed.
const WAITING_LINES: usize = 256;

/// What the API shows.
#[derive(Clone)]
pub struct Api {
    /// The calls.
    pub store: Arc<Store>,
    /// Makes the report of the moment.
    pub status: Arc<dyn Fn() -> StatusReport + Send + Sync>,
    /// Turns true when the daemon ends, so that followers are let go.
    pub ending: watch::Receiver<bool>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/calls", get(calls))
        .route("/v1/calls/{id}", get(call))
        .route("/v1/status", get(status))
        .route("/v1/metrics", get(metrics))
        .with_state(api)
}

async fn status(State(api): State<Api>) -> Json<StatusReport> {
    Json((api.status)())
}

async fn metrics(State(api): State<Api>) -> Response {
    let text = prometheus(&(api.status)());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn call(State(api): State<Api>, Path(id): Path<String>) -> Response {
    match api.store.find(&id) {
        Ok(kept) => ([(header::CONTENT_TYPE, "application/json")], kept.line.clone()).into_response(),
        Err(error @ LookupError::Unknown(_)) => problem(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error @ LookupError::Ambiguous { .. }) => problem(StatusCode::CONFLICT, &error.to_string()),
    }
}

async fn calls(State(api): State<Api>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let query = match CallsQuery::from_pairs(pairs) {
        Ok(query) => query,
        Err(message) => return problem(StatusCode::BAD_REQUEST, &message),
    };
    let (sender, receiver) = mpsc::channel(WAITING_LINES);
    tokio::spawn(feed(api, query, sender));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::new(Feed(receiver))).into_response()
}

/// Sends the lines that a reader asked for, until there are no more, the reader goes away, or the daemon ends.
async fn feed(api: Api, query: CallsQuery, sender: mpsc::Sender<Bytes>) {
    let Api { store, mut ending, .. } = api;
    let (there, mut news) = store.follow(query.last, &query.filter);
    for kept in there {
        if sender.send(line(&kept.line)).await.is_err() {
            return;
        }
    }
    if !query.follow {
        return;
    }
    loop {
        let next = tokio::select! {
            biased;
            next = news.recv() => next,
            () = sender.closed() => return,
            _ = ending.wait_for(|ending| *ending) => return,
        };
        let text = match next {
            Ok(kept) if query.filter.accepts(&kept.record) => line(&kept.line),
            Ok(_) => continue,
            Err(RecvError::Lagged(missed)) => line(&json!({ "missed": missed }).to_string()),
            Err(RecvError::Closed) => return,
        };
        if sender.send(text).await.is_err() {
            return;
        }
    }
}

fn line(text: &str) -> Bytes {
    Bytes::from(format!("{text}\n"))
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

/// A response body of lines as they come.
struct Feed(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Feed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}
