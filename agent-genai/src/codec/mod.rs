//! What every provider codec does: fold one exchange's JSON into the canonical call.

pub(crate) mod a2a;
mod answers;
pub(crate) mod anthropic;
pub(crate) mod anthropic_complete;
pub(crate) mod assistants;
pub(crate) mod audio;
pub(crate) mod aws;
pub(crate) mod batches;
pub(crate) mod bedrock;
pub(crate) mod cloudflare;
pub(crate) mod cohere;
pub(crate) mod completions;
pub(crate) mod content;
pub(crate) mod conversations;
pub(crate) mod converse;
pub(crate) mod count_tokens;
pub(crate) mod decisions;
pub(crate) mod dialect;
pub(crate) mod error;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod gemini;
pub(crate) mod gemini_embeddings;
pub(crate) mod gemini_live;
pub(crate) mod grpc;
pub(crate) mod images;
pub(crate) mod interactions;
pub(crate) mod invoke;
pub(crate) mod json;
mod jsonrpc;
pub(crate) mod lm_studio;
pub(crate) mod mcp;
pub(crate) mod media;
pub(crate) mod moderations;
pub(crate) mod native;
pub(crate) mod ocr;
pub(crate) mod ollama;
pub(crate) mod openai_chat;
pub(crate) mod openai_embeddings;
pub(crate) mod registry;
pub(crate) mod rerank;
pub(crate) mod responses;
pub(crate) mod retrieval;
pub(crate) mod sagemaker;
pub(crate) mod settings;
pub(crate) mod sockets;
pub(crate) mod spec;
pub(crate) mod usage;
pub(crate) mod vertex_predict;

use agent_wire::{ExchangeEnd, Headers, Nanos, ResponseHead};
use serde_json::Value;

pub(crate) use self::spec::RequestFacts;
use crate::call::{Call, CallError};

/// Folds the decoded JSON of one exchange into a [`Call`]. One instance an exchange; made when the API is recognised.
///
/// The caller has removed transfer and content codings, framed the items, parsed the JSON, and recorded the times. Long strings and
/// arrays that nobody asked for may have been cut out of the values before (see `skim`), so a codec never relies on content
/// unless content is kept.
pub(crate) trait Codec: Send {
    /// The head of the request: path, model in the path, headers. Called first, once.
    fn begin(&mut self, _facts: &RequestFacts<'_>, _call: &mut Call) {}
    /// The request body, whole. A form (`multipart/form-data`) comes as an object of its text fields.
    fn request(&mut self, body: &Value, call: &mut Call);
    /// The head of the response.
    fn response_head(&mut self, _head: &ResponseHead, _call: &mut Call) {}
    /// A response body that is one JSON text, success or error status alike.
    fn response(&mut self, body: &Value, call: &mut Call);
    /// One streamed item: an SSE event, a line, an array element, or an event of an AWS event stream. `event` is the SSE event type or
    /// the `:event-type`, empty when there was none. `[DONE]` markers and items that are no JSON never come here.
    fn event(&mut self, event: &str, data: &Value, call: &mut Call);
    /// An exception or error message of an AWS event stream.
    fn exception(&mut self, kind: &str, message: &str, data: &Value, call: &mut Call) {
        let said = json::str_at(data, &["message"]).or_else(|| json::str_at(data, &["Message"]));
        let message = said.unwrap_or(message).to_owned();
        let kind = if kind.is_empty() { "_OTHER" } else { kind };
        call.error = Some(CallError { kind: kind.to_owned(), message });
    }
    /// The payload of an event of an AWS event stream that is no JSON by itself, a piece of another stream. `None`: it is no such event;
    /// else whether what came so far shows the API.
    fn payload(&mut self, _kind: &str, _data: &[u8], _call: &mut Call) -> Option<bool> {
        None
    }
    /// A response body that is text but no JSON (a transcript, a session description), its beginning. Whether it was understood.
    fn text(&mut self, _text: &str, _call: &mut Call) -> bool {
        false
    }
    /// A response body that is no text: audio, an image. `bytes` of it were seen.
    fn binary(&mut self, _media_type: &str, _bytes: u64, _call: &mut Call) {}
    /// One gRPC message, of which only the size is known.
    fn grpc(&mut self, _from_client: bool, _bytes: u64, _at: Nanos, _call: &mut Call) {}
    /// The fields behind the response body.
    fn trailers(&mut self, _trailers: &Headers, _call: &mut Call) {}
    /// The stream has ended (whole or cut): assemble what was collected. Called exactly once, also after `response`.
    fn finish(&mut self, call: &mut Call);
    /// Whether the API's own last item was seen, where no marker and no finish reason says so. Asked after [`Codec::finish`].
    fn has_ended(&self) -> bool {
        false
    }
    /// Whether it was a call at all. Asked after [`Codec::finish`]; `false` where the bodies show that nothing was asked of a model
    /// (Ollama loads one), or that the path was another server's.
    fn is_call(&self) -> bool {
        true
    }
    /// Bytes held by the fold, roughly.
    fn held_bytes(&self) -> usize;
}

/// One JSON text of an exchange that carries any number of calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionMessage<'a> {
    /// Sent by the client of the exchange; else by its server.
    pub(crate) from_client: bool,
    /// SSE event type; empty elsewhere.
    pub(crate) event: &'a str,
    /// The text, parsed.
    pub(crate) value: &'a Value,
    /// Its length in bytes, as sent.
    pub(crate) bytes: u64,
    /// When it was seen.
    pub(crate) at: Nanos,
}

/// Makes calls of an exchange that may carry many: a WebSocket session, a JSON-RPC stream.
///
/// `template` is a call with the facts of the exchange filled in (provider, peer, times, role, completeness so far): each call is made
/// from a copy of it. Times of a call are its own: from the message that began it to the one that ended it.
pub(crate) trait Session: Send {
    /// The head of the request. Called first, once.
    fn begin(&mut self, facts: &RequestFacts<'_>, template: &mut Call);
    /// The head of the response.
    fn response_head(&mut self, _head: &ResponseHead, _template: &mut Call) {}
    /// One message. Whole JSON bodies of plain HTTP exchanges are messages, too; the elements of a batch come one by one.
    fn message(&mut self, message: &SessionMessage<'_>, template: &Call);
    /// A message that is no JSON (audio in binary frames): counted.
    fn opaque(&mut self, _from_client: bool, _bytes: u64, _at: Nanos) {}
    /// Nothing more comes: calls under way end as they are.
    fn end(&mut self, end: &ExchangeEnd, template: &Call);
    /// The next call that has ended; the caller numbers them ([`Call::part`]).
    fn take(&mut self) -> Option<Call>;
    /// Whether any message so far was one of this API.
    fn is_confirmed(&self) -> bool;
    /// Whether a message showed that it is none of this API's.
    fn is_foreign(&self) -> bool {
        false
    }
    /// Bytes held, roughly.
    fn held_bytes(&self) -> usize;
}

/// What a codec is told when it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodecOptions {
    /// Keep message content in the call.
    pub(crate) content: bool,
    /// Most bytes of content collected from a stream; past it content is dropped and the call's completeness says so.
    pub(crate) max_content: usize,
}
