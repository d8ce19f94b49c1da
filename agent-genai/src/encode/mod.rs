//! The canonical request and response back to a wire form: whole, streamed, and errors. What a form cannot express is reported, never
//! dropped in silence.
//!
//! Everything is written from the *normal form* ([`normal`]), in which the same conversation looks the same whatever API it came from:
//! reading, writing and reading again gives the same normal form, as far as no loss is reported.

mod anthropic;
mod bedrock;
mod delta;
mod error;
mod frames;
mod gemini;
mod loss;
pub mod normal;
mod openai_chat;
mod parts;
mod responses;
mod settings;

use serde_json::Value;

pub use self::delta::{Delta, StreamEncoder};
pub use self::error::error;
pub use self::loss::Loss;
use self::loss::Losses;
use crate::call::{Call, Request};

/// A wire form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// OpenAI chat completions.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini `generateContent`.
    Gemini,
    /// Bedrock Converse.
    BedrockConverse,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::BedrockConverse];

    /// Media type of a streamed answer.
    #[must_use]
    pub const fn stream_media_type(self) -> &'static str {
        match self {
            Self::BedrockConverse => "application/vnd.amazon.eventstream",
            _ => "text/event-stream",
        }
    }
}

/// What was written, and what of the source is not in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded<T> {
    /// The result.
    pub value: T,
    /// What could not be expressed.
    pub losses: Vec<Loss>,
}

/// A request: where it goes, and its body.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestBody {
    /// Path below the server's root, with the query that a stream needs.
    pub path: String,
    /// JSON body.
    pub body: Value,
}

/// Writes a request. The content must have been kept when it was read.
#[must_use]
pub fn request(form: Form, request: &Request) -> Encoded<RequestBody> {
    let request = normal::request(request);
    let mut losses = Losses::default();
    let body = match form {
        Form::OpenAiChat => openai_chat::request(&request, &mut losses),
        Form::OpenAiResponses => responses::request(&request, &mut losses),
        Form::Anthropic => anthropic::request(&request, &mut losses),
        Form::Gemini => gemini::request(&request, &mut losses),
        Form::BedrockConverse => bedrock::request(&request, &mut losses),
    };
    let model = request.model.as_deref().unwrap_or_default();
    if model.is_empty() {
        losses.add("model", "the source names none: the place for it is empty");
    }
    let path = match (form, request.stream) {
        (Form::OpenAiChat, _) => "/v1/chat/completions".to_owned(),
        (Form::OpenAiResponses, _) => "/v1/responses".to_owned(),
        (Form::Anthropic, _) => "/v1/messages".to_owned(),
        (Form::Gemini, false) => format!("/v1beta/models/{}:generateContent", segment(model)),
        (Form::Gemini, true) => format!("/v1beta/models/{}:streamGenerateContent?alt=sse", segment(model)),
        (Form::BedrockConverse, false) => format!("/model/{}/converse", segment(model)),
        (Form::BedrockConverse, true) => format!("/model/{}/converse-stream", segment(model)),
    };
    Encoded { value: RequestBody { path, body }, losses: losses.into_list() }
}

/// Writes an answer that is one JSON text.
#[must_use]
pub fn response(form: Form, call: &Call) -> Encoded<Value> {
    let call = normal::call(call);
    let mut losses = Losses::default();
    let value = match form {
        Form::OpenAiChat => openai_chat::response(&call, &mut losses),
        Form::OpenAiResponses => responses::response(&call, &mut losses),
        Form::Anthropic => anthropic::response(&call, &mut losses),
        Form::Gemini => gemini::response(&call, &mut losses),
        Form::BedrockConverse => bedrock::response(&call, &mut losses),
    };
    Encoded { value, losses: losses.into_list() }
}

/// Writes an answer as a stream, in the bytes of its body.
#[must_use]
pub fn stream(form: Form, call: &Call) -> Encoded<Vec<u8>> {
    let call = normal::call(call);
    let mut encoder = StreamEncoder::new(form);
    let mut bytes = Vec::new();
    for delta in delta::of_call(&call, encoder.losses()) {
        encoder.push(&delta, &mut bytes);
    }
    Encoded { value: bytes, losses: encoder.into_losses() }
}

/// A path segment: what RFC 3986 section 2.3 does not reserve stays, and so does the colon of a version.
fn segment(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
