//! How an encoded request reaches a collector. Both forms carry the same bytes and give the same kinds of answer.

mod grpc;
mod http;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::{Destination, Protocol};

/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// `User-Agent` of all requests.
const USER_AGENT: &str = concat!("wirespan/", env!("CARGO_PKG_VERSION"));

/// Most characters of a foreign message that are kept.
const MAX_MESSAGE: usize = 300;

/// Why a destination cannot be used. Found before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A TLS file cannot be read.
    #[error("cannot read {what} {path}: {problem}")]
    File {
        /// What it is for.
        what: &'static str,
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No authority to trust.
    #[error(
        "no trusted certificate authorities were found on this system for {endpoint}: install ca-certificates or name a CA file ({problem})"
    )]
    NoRoots {
        /// Where to.
        endpoint: String,
        /// What was tried.
        problem: String,
    },
    /// TLS or the client refuses its settings.
    #[error("cannot set up the connection to {endpoint}: {problem}")]
    Setup {
        /// Where to.
        endpoint: String,
        /// What is wrong.
        problem: String,
    },
}

/// What came of one attempt.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Accepted, wholly or partly.
    Accepted(PartialSuccess),
    /// Refused or unreachable for now.
    Retryable {
        /// Why.
        message: String,
        /// The wait that the collector asked for.
        after: Option<Duration>,
    },
    /// Refused for good.
    Permanent {
        /// Why.
        message: String,
    },
}

/// `Export*PartialSuccess`: the messages of all signals have the same fields.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartialSuccess {
    /// Items refused.
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    /// Why, or a warning when none was refused.
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// `Export*ServiceResponse`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExportResponse {
    /// Set when not all was accepted, or with a warning.
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// A client for one destination. It connects when it first sends.
#[derive(Debug)]
pub(crate) enum Transport {
    /// OTLP/gRPC.
    Grpc(Box<grpc::Client>),
    /// OTLP/HTTP with protobuf bodies.
    Http(Box<http::Client>),
}

impl Transport {
    /// # Errors
    /// When the TLS files are unusable or no authority is trusted.
    pub(crate) fn new(destination: &Destination) -> Result<Self, TransportError> {
        match destination.protocol {
            Protocol::Grpc => Ok(Self::Grpc(Box::new(grpc::Client::new(destination)?))),
            Protocol::HttpProtobuf => Ok(Self::Http(Box::new(http::Client::new(destination)?))),
        }
    }

    /// Brings a body into the form in which it is sent, once for all attempts.
    ///
    /// # Errors
    /// What went wrong, when it could not be compressed.
    pub(crate) async fn prepare(&self, body: Bytes) -> Result<Bytes, String> {
        match self {
            // tonic compresses message by message.
            Self::Grpc(_) => Ok(body),
            Self::Http(client) => client.prepare(body).await,
        }
    }

    /// One attempt with a prepared body. The caller bounds its time.
    pub(crate) async fn send(&self, body: Bytes) -> Outcome {
        match self {
            Self::Grpc(client) => client.send(body).await,
            Self::Http(client) => client.send(body).await,
        }
    }
}

/// The start of a foreign message, on one line.
fn shorten(text: &str) -> String {
    let mut out: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE).collect();
    if text.chars().nth(MAX_MESSAGE).is_some() {
        out.push('…');
    }
    out.trim().to_owned()
}

/// An error with its causes: the outermost message alone ("transport error") says nothing.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        cause = error.source();
    }
    out
}
