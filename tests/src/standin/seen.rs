//! What the stand-in saw and answered: the truth that captured calls are compared with.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One exchange, from the server's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Number of the request, from 0, in the order in which their bodies were complete.
    pub number: u64,
    /// Request path.
    pub path: String,
    /// Body of the request, as sent by the client (transfer coding removed).
    pub request: Fingerprint,
    /// Body of the response, as sent by the server (before transfer coding, content coding in place).
    pub response: Fingerprint,
    /// HTTP status.
    pub status: u16,
    /// What a span of this call must say; `None` for what is no LLM call.
    pub facts: Option<Facts>,
}

/// Identity of a body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

impl Fingerprint {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { length: bytes.len() as u64, sha256 }
    }
}

/// What a span of a call must say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `chat` or `embeddings`.
    pub operation: String,
    /// Model asked for.
    pub model: String,
    /// Id of the response; empty for errors.
    pub id: String,
    /// Whether the answer was streamed.
    pub stream: bool,
    /// All input tokens, cached ones included.
    pub input: Option<u64>,
    /// All output tokens, reasoning included.
    pub output: Option<u64>,
    /// Input tokens read from a cache.
    pub cached: Option<u64>,
    /// Finish reason, in the provider's words.
    pub finish: Option<String>,
    /// `error.type`, when the call failed.
    pub error: Option<String>,
}
