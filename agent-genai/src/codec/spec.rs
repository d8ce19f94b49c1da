//! What is said of each wire API as data: its paths, its shapes, its codec.

use agent_wire::RequestHead;
use serde_json::Value;

use super::{Codec, CodecOptions, Session};
use crate::call::{Api, Operation};

/// One wire API.
pub(crate) struct Spec {
    /// The API.
    pub(crate) api: Api,
    /// Operation of a call that is recognised by its bodies alone.
    pub(crate) operation: Operation,
    /// `gen_ai.provider.name` where the host says nothing.
    pub(crate) flavour: &'static str,
    /// Its decoder.
    pub(crate) make: Make,
    /// Where it lives.
    pub(crate) rows: &'static [Row],
    /// Whether the body of a request to one of its uncertain paths agrees with it.
    pub(crate) request: fn(&Value) -> bool,
    /// Bodies that agree say little: where one names no model, to a host that nobody knows, the answer must confirm it.
    pub(crate) vague: bool,
    /// Whether a response body, or one item of a streamed one (with its event name), is this API's: `None` when that cannot be told.
    pub(crate) response: fn(&str, &Value) -> Option<bool>,
    /// Whether the body of a request to an unknown path may be one of this API. The response must then answer `Some(true)` above.
    pub(crate) sniff: Option<fn(&Value) -> bool>,
    /// Root members of its requests that are only sampled even when content is kept (inputs of embeddings).
    pub(crate) thin: &'static [&'static str],
    /// Root members of its responses that are only sampled (vectors). Usually `data`.
    pub(crate) thin_response: &'static [&'static str],
    /// Arrays of numbers in its responses are vectors, wherever they stand: only their beginning is kept even when content is.
    pub(crate) short_numbers: bool,
    /// A response of several items is no stream that broke off when it has no last event: each item stands for itself.
    pub(crate) open_ended: bool,
    /// Streamed items hold another JSON text in base64, so that their strings are needed whole even without content.
    pub(crate) packed: bool,
}

impl Spec {
    /// What most APIs share; a row fills in the rest.
    pub(crate) const fn new(api: Api, operation: Operation, flavour: &'static str, make: Make) -> Self {
        Self {
            api,
            operation,
            flavour,
            make,
            rows: &[],
            request: |body| body.is_object(),
            vague: false,
            response: |_, _| None,
            sniff: None,
            thin: &[],
            thin_response: &["data"],
            short_numbers: false,
            open_ended: false,
            packed: false,
        }
    }
}

/// How an API is decoded.
#[derive(Clone, Copy)]
pub(crate) enum Make {
    /// One call an exchange.
    Codec(fn(CodecOptions) -> Box<dyn Codec>),
    /// Any number of calls an exchange.
    Session(fn(CodecOptions) -> Box<dyn Session>),
}

/// A place where an API lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// `POST`, `GET`, `DELETE` …, or `WS` for the opening of a WebSocket session.
    pub(crate) method: &'static str,
    /// End of the path, without a slash in front. `*` stands for one segment, `{model}` for one that names the model, `{model..}` for
    /// one or more that do. A segment may have literal text around a `{model}` or `*` (`{model}:generateContent`).
    pub(crate) path: &'static str,
    /// Host pattern; empty: any host.
    pub(crate) host: &'static str,
    /// Operation.
    pub(crate) operation: Operation,
    /// The path alone is proof; else a body must confirm it.
    pub(crate) certain: bool,
}

impl Row {
    /// A `POST` whose path is proof.
    pub(crate) const fn certain(path: &'static str, operation: Operation) -> Self {
        Self { method: "POST", path, host: "", operation, certain: true }
    }

    /// A `POST` whose path must be confirmed by a body.
    pub(crate) const fn likely(path: &'static str, operation: Operation) -> Self {
        Self { method: "POST", path, host: "", operation, certain: false }
    }

    /// The same at this host only.
    pub(crate) const fn at(self, host: &'static str) -> Self {
        Self { host, ..self }
    }

    /// The same by this method.
    pub(crate) const fn by(self, method: &'static str) -> Self {
        Self { method, ..self }
    }
}

/// What the head of a request tells a codec.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestFacts<'a> {
    /// The row that matched; `None` when the bodies decided.
    pub(crate) row: Option<&'a Row>,
    /// The model in the path, percent-decoded.
    pub(crate) model: Option<&'a str>,
    /// The head. Its method is empty when the beginning was never seen.
    pub(crate) head: &'a RequestHead,
}
