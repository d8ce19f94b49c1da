//! Talks to a running daemon over its unix socket.

use std::{io, path::Path, path::PathBuf};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;

use super::query::escape;

/// Longest answer that is read whole, in bytes.
const MAX_ANSWER: usize = 256 << 20;

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens there.
    #[error(
        "no daemon listens on {}: {source}. Start one with `wirespan run --config FILE`, name another socket with --socket, \
         or capture here and now with --pid, --comm, --exe, --cgroup or --all",
        path.display()
    )]
    Absent {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket may not be opened.
    #[error("the daemon's socket {} may not be opened: {source}. Run as root, or join the group set by `api.group`", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the daemon on {} broke: {problem}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        problem: String,
    },
    /// The daemon said no.
    #[error("{0}")]
    Answer(String),
}

/// A client of one daemon.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// A client of the daemon whose socket is there. Nothing is opened yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Asks for a JSON answer.
    ///
    /// # Errors
    /// When the daemon cannot be reached, says no, or answers something else.
    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let body = self.get(path).await?;
        let bytes = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(|e| self.broken(e.to_string()))?
            .to_bytes();
        serde_json::from_slice(&bytes)
            .map_err(|error| self.broken(format!("an answer that makes no sense: {error}")))
    }

    /// Asks for one call by its id or a prefix of it.
    ///
    /// # Errors
    /// As for [`Client::json`].
    pub async fn call<T: DeserializeOwned>(&self, id: &str) -> Result<T, ClientError> {
        self.json(&format!("/v1/calls/{}", escape(id))).await
    }

    /// Asks for lines.
    ///
    /// # Errors
    /// When the daemon cannot be reached or says no.
    pub async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        Ok(Lines { body: self.get(path).await?, buffer: Vec::new(), path: self.path.clone(), ended: false })
    }

    async fn get(&self, path: &str) -> Result<Incoming, ClientError> {
        let stream = UnixStream::connect(&self.path).await.map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::Refused { path: self.path.clone(), source },
            _ => ClientError::Absent { path: self.path.clone(), source },
        })?;
        let broken = |error: hyper::Error| self.broken(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(async move {
            // An error shows in the answer, too.
            let _ = connection.await;
        });
        let request = Request::get(path)
            .header("host", "wirespan")
            .body(Empty::<Bytes>::new())
            .map_err(|error| self.broken(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() == StatusCode::OK {
            return Ok(response.into_body());
        }
        let status = response.status();
        let body = Limited::new(response.into_body(), 64 << 10)
            .collect()
            .await
            .map_err(|e| self.broken(e.to_string()))?;
        let answer: Option<Value> = serde_json::from_slice(&body.to_bytes()).ok();
        let message = answer.as_ref().and_then(|answer| answer.get("error")).and_then(Value::as_str);
        Err(ClientError::Answer(
            message.map_or_else(|| format!("the daemon answered {status}"), ToOwned::to_owned),
        ))
    }

    fn broken(&self, problem: String) -> ClientError {
        ClientError::Broken { path: self.path.clone(), problem }
    }
}

/// Lines of an answer as they come.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    path: PathBuf,
    ended: bool,
}

impl Lines {
    /// The next line, without its end; `None` when the daemon has no more. Safe to drop and call again.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let broken = |path: &Path, problem: String| ClientError::Broken { path: path.to_owned(), problem };
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                return Ok(Some(line));
            }
            if self.buffer.len() > MAX_ANSWER {
                return Err(broken(&self.path, format!("a line of more than {MAX_ANSWER} bytes")));
            }
            if self.ended {
                let rest = std::mem::take(&mut self.buffer);
                return Ok((!rest.is_empty()).then_some(rest));
            }
            match self.body.frame().await {
                None => self.ended = true,
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
                Some(Err(error)) => return Err(broken(&self.path, error.to_string())),
            }
        }
    }
}
