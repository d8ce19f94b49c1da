//! What bodies look like where the path says nothing, and what confirms a path that is no proof.

use serde_json::Value;

use crate::call::Api;
use crate::codec::json;
use crate::codec::registry::{self, SPECS};
use crate::codec::spec::Make;

/// What a request body may be, on a path that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// `model` and `messages`: chat completions or Anthropic Messages; this one by its details.
    Messages { likely: Api, certain: bool },
    /// `model` and `input`: Responses or embeddings; this one by its details.
    Input { likely: Api },
    /// The sniffers of one or more other APIs would have it; the response shows which.
    Sniffed,
}

impl Candidate {
    /// The more likely API, where the response is not needed to tell.
    pub(crate) fn likely(self) -> Option<Api> {
        match self {
            Self::Messages { likely, .. } | Self::Input { likely } => Some(likely),
            Self::Sniffed => None,
        }
    }

    /// The API that a response body, or one item of a streamed response, shows, if it is one that this request may have had. `request` is
    /// the body of that request.
    pub(crate) fn response(self, request: &Value, event: &str, body: &Value) -> Shown {
        let shown = response(event, body);
        match (self, shown) {
            (Self::Messages { .. }, Some(api @ (Api::OpenAiChat | Api::AnthropicMessages)))
            | (Self::Input { .. }, Some(api @ (Api::OpenAiResponses | Api::OpenAiEmbeddings))) => {
                Shown::Api(api)
            }
            _ => {
                let sniffers = SPECS.iter().filter(|spec| spec.sniff.is_some_and(|sniff| sniff(request)));
                let mut taken = sniffers.filter(|spec| (spec.response)(event, body) == Some(true));
                match (taken.next(), shown) {
                    (Some(spec), _) => Shown::Api(spec.api),
                    (None, Some(_)) => Shown::Foreign,
                    (None, None) => Shown::Nothing,
                }
            }
        }
    }

    /// Whether a call may be recognised by the request alone, when the response tells nothing (an error, no answer).
    pub(crate) fn suffices(self) -> bool {
        matches!(self, Self::Messages { certain: true, .. })
    }
}

/// What a response shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// This API.
    Api(Api),
    /// One that the request cannot have been for.
    Foreign,
    /// Nothing that is known.
    Nothing,
}

/// What a response shows whose request was never seen.
pub(crate) fn attached_response(event: &str, body: &Value) -> Shown {
    let other = || {
        let mut sniffable = SPECS.iter().filter(|spec| spec.sniff.is_some());
        sniffable.find(|spec| (spec.response)(event, body) == Some(true)).map(|spec| spec.api)
    };
    response(event, body).or_else(other).map_or(Shown::Nothing, Shown::Api)
}

/// The API of any number of calls an exchange that this body, a request's or one element of it, is a message of.
pub(crate) fn session(body: &Value) -> Option<Api> {
    let sessions = SPECS.iter().filter(|spec| matches!(spec.make, Make::Session(_)));
    sessions.into_iter().find(|spec| spec.sniff.is_some_and(|sniff| sniff(body))).map(|spec| spec.api)
}

/// Judges a request body on a path that says nothing.
pub(crate) fn request(body: &Value, anthropic_header: bool) -> Option<Candidate> {
    usual_request(body, anthropic_header).or_else(|| {
        SPECS.iter().any(|spec| spec.sniff.is_some_and(|sniff| sniff(body))).then_some(Candidate::Sniffed)
    })
}

fn usual_request(body: &Value, anthropic_header: bool) -> Option<Candidate> {
    if json::at(body, &["jsonrpc"]).is_some() {
        return None;
    }
    let model = json::str_at(body, &["model"]).is_some();
    if has_messages(body) {
        let anthropic =
            anthropic_header || model && json::at(body, &["max_tokens"]).is_some() && looks_anthropic(body);
        let likely = if anthropic { Api::AnthropicMessages } else { Api::OpenAiChat };
        return Some(Candidate::Messages { likely, certain: model });
    }
    if !model || json::at(body, &["messages"]).is_some() || json::at(body, &["prompt"]).is_some() {
        return None;
    }
    let responses = [
        "instructions",
        "tools",
        "previous_response_id",
        "max_output_tokens",
        "reasoning",
        "text",
        "stream",
        "store",
    ];
    match json::at(body, &["input"])? {
        Value::String(_) | Value::Array(_) => {
            let messages = has_role(json::array_at(body, &["input"]));
            let settings = responses.iter().any(|key| json::at(body, &[key]).is_some());
            let likely = if messages || settings { Api::OpenAiResponses } else { Api::OpenAiEmbeddings };
            Some(Candidate::Input { likely })
        }
        _ => None,
    }
}

/// Whether the body of a request to an API's path agrees with it.
pub(crate) fn agrees(api: Api, body: &Value) -> bool {
    registry::spec(api).is_some_and(|spec| (spec.request)(body))
}

/// Whether a body may be a request of the Responses API.
pub(crate) fn is_responses_request(body: &Value) -> bool {
    let has = |key: &str| json::at(body, &[key]).is_some();
    let input = body.get("input").is_some_and(|input| input.is_string() || input.is_array());
    let reference =
        has("prompt") || has("previous_response_id") || has("conversation") || has("instructions");
    !has("messages") && !has("jsonrpc") && (reference || input && (has("model") || !has("data")))
}

/// Whether a body may be a request of Anthropic's Messages API.
pub(crate) fn is_anthropic_request(body: &Value) -> bool {
    let has = |key: &str| json::at(body, &[key]).is_some();
    has_messages(body) && (has("max_tokens") || has("model") || has("anthropic_version"))
        || has("model") && has("max_tokens")
}

fn has_messages(body: &Value) -> bool {
    has_role(json::array_at(body, &["messages"]))
}

fn has_role(items: &[Value]) -> bool {
    items.first().is_some_and(|first| json::str_at(first, &["role"]).is_some())
}

/// Things that only Anthropic's request has.
fn looks_anthropic(body: &Value) -> bool {
    let blocks = |message: &Value| {
        json::array_at(message, &["content"]).iter().any(|block| {
            matches!(
                json::str_at(block, &["type"]),
                Some("tool_use" | "tool_result" | "thinking" | "image" | "document")
            )
        })
    };
    json::at(body, &["system"]).is_some()
        || json::at(body, &["stop_sequences"]).is_some()
        || json::at(body, &["thinking"]).is_some()
        || json::array_at(body, &["tools"]).iter().any(|tool| json::at(tool, &["name"]).is_some())
        || json::array_at(body, &["messages"]).iter().any(blocks)
}

/// The API that a response body, or one item of a streamed response, shows.
pub(crate) fn response(event: &str, body: &Value) -> Option<Api> {
    match json::str_at(body, &["object"]) {
        Some("chat.completion" | "chat.completion.chunk" | "chat.completions") => {
            return Some(Api::OpenAiChat);
        }
        Some("response") => return Some(Api::OpenAiResponses),
        Some("list") if has_vectors(body) => return Some(Api::OpenAiEmbeddings),
        Some("text_completion" | "list" | "error" | "model") => return None,
        _ => {}
    }
    let kind = json::str_at(body, &["type"]).unwrap_or(event);
    match kind {
        "message" if json::at(body, &["content"]).is_some_and(Value::is_array) => {
            return Some(Api::AnthropicMessages);
        }
        "message_start"
        | "content_block_start"
        | "content_block_delta"
        | "content_block_stop"
        | "message_delta" => {
            return Some(Api::AnthropicMessages);
        }
        _ => {}
    }
    if kind.starts_with("response.")
        && (json::at(body, &["sequence_number"]).is_some() || json::at(body, &["response"]).is_some())
    {
        return Some(Api::OpenAiResponses);
    }
    let choices = json::array_at(body, &["choices"]);
    let chat =
        |choice: &Value| json::at(choice, &["delta"]).is_some() || json::at(choice, &["message"]).is_some();
    if choices.iter().any(chat) {
        return Some(Api::OpenAiChat);
    }
    if has_vectors(body) && json::at(body, &["usage"]).is_some() {
        return Some(Api::OpenAiEmbeddings);
    }
    None
}

/// `data[].embedding`.
fn has_vectors(body: &Value) -> bool {
    json::array_at(body, &["data"]).first().is_some_and(|first| json::at(first, &["embedding"]).is_some())
}

/// Root members that show, before a body has ended, that it is none of ours. Order of members is free, so only what never
/// stands in one of our requests counts.
pub(crate) fn is_foreign_key(key: &str) -> bool {
    matches!(
        key,
        "query" | "batch" | "resourceSpans" | "resourceMetrics" | "resourceLogs" | "documents" | "sql"
    )
}

/// Root members that a request of ours has at least one of.
pub(crate) fn is_own_key(key: &str) -> bool {
    matches!(key, "model" | "messages" | "input" | "inputs" | "contents" | "jsonrpc")
}
