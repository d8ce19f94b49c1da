//! Entry point: which exchanges are worth following, and with what settings.

use std::sync::Arc;

use agent_wire::{Nanos, RequestHead, Role};

use crate::fold::Fold;
use crate::providers::HostRule;
use crate::recognise::{self, Head};

/// Settings of a decoder.
#[derive(Debug, Clone)]
pub struct DecoderOptions {
    /// Keep message content in the calls.
    pub content: bool,
    /// Most bytes kept of one body (and of the content of one stream) when content is kept.
    pub max_body: usize,
    /// The user's host to provider rules.
    pub hosts: Vec<HostRule>,
}

impl Default for DecoderOptions {
    fn default() -> Self {
        Self { content: false, max_body: 32 << 20, hosts: Vec::new() }
    }
}

/// Makes a [`Fold`] for each exchange that may be an LLM call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Decoder {
    options: Arc<DecoderOptions>,
}

impl Decoder {
    /// A decoder with these settings.
    #[must_use]
    pub fn new(options: DecoderOptions) -> Self {
        Self { options: Arc::new(options) }
    }

    /// Looks at the head of a request. `at` is the time of its first byte, `tls` whether the connection is encrypted.
    ///
    /// `None`: by its head alone no LLM call, so the connection may go heads-only until its next request. A head with an empty
    /// method (attached in the middle of an exchange) is followed, its response tells.
    #[must_use]
    pub fn begin(&self, head: &RequestHead, role: Role, tls: bool, at: Nanos) -> Option<Fold> {
        match recognise::head(head) {
            Head::Other => None,
            Head::Api(route) => Some(Fold::new(Arc::clone(&self.options), head, role, tls, at, Some(route))),
            Head::Unknown => Some(Fold::new(Arc::clone(&self.options), head, role, tls, at, None)),
        }
    }
}
