//! What every provider codec does: fold one exchange's JSON into the canonical call.

pub(crate) mod anthropic;
mod content;
pub(crate) mod error;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod json;
pub(crate) mod media;
pub(crate) mod openai_chat;
pub(crate) mod openai_embeddings;
pub(crate) mod responses;
pub(crate) mod usage;

use serde_json::Value;

use crate::call::Call;

/// Folds the decoded JSON of one exchange into a [`Call`]. One instance an exchange; made when the API is recognised.
///
/// The caller has removed transfer and content codings, framed the items, parsed the JSON, and recorded the times. Long strings and
/// arrays that nobody asked for may have been cut out of the values before (see `skim`), so a codec never relies on content
/// unless content is kept.
pub(crate) trait Codec: Send {
    /// The request body, whole.
    fn request(&mut self, body: &Value, call: &mut Call);
    /// A response body that is one JSON text, success or error status alike.
    fn response(&mut self, body: &Value, call: &mut Call);
    /// One streamed item. `event` is the SSE event type, empty when there was none. `[DONE]` markers and items that are no JSON never
    /// come here.
    fn event(&mut self, event: &str, data: &Value, call: &mut Call);
    /// The stream has ended (whole or cut): assemble what was collected. Called exactly once, also after `response`.
    fn finish(&mut self, call: &mut Call);
    /// Bytes held by the fold, roughly.
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
