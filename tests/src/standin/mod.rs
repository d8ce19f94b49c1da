//! A stand-in LLM provider on loopback, over TLS: OpenAI chat completions, Responses and embeddings, Anthropic Messages,
//! Gemini, Amazon Bedrock; streamed and not, with tools, usage and errors. Answers follow from the request; [`Wish`]es in the path bend them.

mod answer;
mod anthropic;
mod bedrock;
mod body;
mod gemini;
mod openai;
mod responses;
mod seen;
mod server;
mod tls;
mod wish;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

pub use seen::{Facts, Fingerprint, Seen};
pub use wish::Wish;

/// A running stand-in; it stops when dropped.
#[derive(Debug)]
pub struct Standin {
    port: u16,
    scheme: &'static str,
    state: Arc<server::State>,
    identity: tls::Identity,
    // Dropped last: the server's threads end with it.
    _runtime: Runtime,
}

impl Standin {
    /// Starts on a free port of 127.0.0.1, on threads of its own.
    ///
    /// # Errors
    /// When no key can be made or no port be bound.
    pub fn start() -> Result<Self> {
        Self::start_on(0)
    }

    /// The same, offering HTTP/2 before HTTP/1.1.
    ///
    /// # Errors
    /// When no key can be made or no port be bound.
    pub fn start_http2() -> Result<Self> {
        Self::start_with(0, &["h2", "http/1.1"])
    }

    /// Starts on this port; 0 takes a free one.
    ///
    /// # Errors
    /// When no key can be made or the port cannot be bound.
    pub fn start_on(port: u16) -> Result<Self> {
        Self::start_with(port, &["http/1.1"])
    }

    /// Plain HTTP/1.1, without TLS.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start_plain() -> Result<Self> {
        Self::start_with(0, &[])
    }

    /// Without protocols there is no TLS. The port is bound by the calling thread, in its network namespace.
    fn start_with(port: u16, protocols: &[&str]) -> Result<Self> {
        let identity = tls::Identity::new(protocols)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("standin")
            .enable_all()
            .build()
            .context("threads of the stand-in")?;
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", port)))
            .with_context(|| format!("could not listen on 127.0.0.1:{port}"))?;
        let port = listener.local_addr().context("address of the stand-in")?.port();
        let state = Arc::new(server::State::default());
        let acceptor = (!protocols.is_empty()).then(|| TlsAcceptor::from(Arc::clone(&identity.config)));
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        runtime.spawn(server::serve(listener, acceptor, Arc::clone(&state)));
        Ok(Self { port, scheme, state, identity, _runtime: runtime })
    }

    /// Port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `https://localhost:PORT` (or `http:`) and the wishes, without a slash at the end.
    #[must_use]
    pub fn url(&self, wishes: &str) -> String {
        let wishes = wishes.trim_matches('/');
        if wishes.is_empty() {
            format!("{}://localhost:{}", self.scheme, self.port)
        } else {
            format!("{}://localhost:{}/{wishes}", self.scheme, self.port)
        }
    }

    /// File with the certificate of the authority, in PEM.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.identity.authority()
    }

    /// Files with the certificate and the key of the server, in PEM: for a server of another kind beside this one.
    #[must_use]
    pub fn identity(&self) -> (PathBuf, PathBuf) {
        (self.identity.certificate(), self.identity.key())
    }

    /// Environment that makes Python, Node and curl trust the stand-in.
    #[must_use]
    pub fn trust(&self) -> Vec<(&'static str, PathBuf)> {
        ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"]
            .map(|name| (name, self.authority()))
            .to_vec()
    }

    /// Requests with the wish `gate` that have come so far.
    #[must_use]
    pub fn came_to_the_gate(&self) -> u64 {
        self.state.came_to_the_gate()
    }

    /// Lets requests with the wish `gate` be answered, those that wait and those to come.
    pub fn open_gate(&self) {
        self.state.open_gate();
    }

    /// Requests received so far: the number of the next one.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.state.received()
    }

    /// Everything answered so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen()
    }
}
