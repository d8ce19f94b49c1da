//! Parts of Gemini's contents to canonical parts and messages.

use serde_json::{Map, Value};

use super::names;
use crate::call::{Message, Part, ToolCall};
use crate::codec::content::{generic, scrubbed, scrubbed_members};
use crate::codec::media;

/// Members that stand beside what a part holds.
const BESIDE: &[&str] = &[
    "thought",
    "thoughtSignature",
    "thought_signature",
    "videoMetadata",
    "video_metadata",
    "partMetadata",
    "part_metadata",
    "mediaResolution",
    "media_resolution",
];

/// What a part is, without a copy of its content.
pub(in crate::codec) enum Shape<'a> {
    Text(&'a str),
    Thought(&'a str),
    /// `functionCall`.
    Call(&'a Value),
    /// A tool that the provider runs: its call, and the kind and name of that.
    Server(&'a Value, &'static str, String),
    Other,
}

/// Tells what a part is.
pub(in crate::codec) fn shape(part: &Value) -> Shape<'_> {
    if let Some(text) = names::get(part, &["text"]).and_then(Value::as_str) {
        let thought = names::get(part, &["thought"]).and_then(Value::as_bool) == Some(true);
        return if thought { Shape::Thought(text) } else { Shape::Text(text) };
    }
    if let Some(call) = names::get(part, &["functionCall"]) {
        return Shape::Call(call);
    }
    if let Some(call) = names::get(part, &["toolCall"]) {
        let name = names::string(call, &["toolType"]).unwrap_or_else(|| "tool".to_owned());
        return Shape::Server(call, "toolCall", name);
    }
    match names::get(part, &["executableCode"]) {
        Some(code) => Shape::Server(code, "executableCode", "code_execution".to_owned()),
        None => Shape::Other,
    }
}

/// One part with its content; `None` for one that holds none (an empty text, a signature).
pub(in crate::codec) fn part(part: &Value) -> Option<Part> {
    match shape(part) {
        Shape::Text(text) => (!text.is_empty()).then(|| Part::Text(text.to_owned())),
        Shape::Thought(text) => (!text.is_empty()).then(|| Part::Reasoning(text.to_owned())),
        Shape::Call(call) => Some(Part::ToolCall(ToolCall {
            arguments: names::get(call, &["args"]).cloned(),
            ..function(call)
        })),
        Shape::Server(call, _, name) => Some(server_call(call, name)),
        Shape::Other => other(part),
    }
}

/// Id and name of a `functionCall`.
pub(in crate::codec) fn function(call: &Value) -> ToolCall {
    ToolCall {
        id: names::string(call, &["id"]),
        name: names::string(call, &["name"]).unwrap_or_default(),
        kind: "function".to_owned(),
        arguments: None,
    }
}

/// The part of a tool call that the provider runs.
pub(in crate::codec) fn server_call(call: &Value, name: String) -> Part {
    Part::ServerToolCall { id: names::string(call, &["id"]), call: typed(call, &name), name }
}

/// A part that is neither text nor a call.
pub(in crate::codec) fn other(part: &Value) -> Option<Part> {
    if let Some(data) = names::get(part, &["inlineData"]) {
        let mime = names::string(data, &["mimeType"]);
        let content = names::get(data, &["data"]).and_then(Value::as_str).unwrap_or_default();
        return Some(media::blob(content, modality(mime.as_deref()), mime.as_deref()));
    }
    if let Some(file) = names::get(part, &["fileData"]) {
        let mime_type = names::string(file, &["mimeType"]);
        let uri = names::string(file, &["fileUri"])?;
        return Some(Part::Uri { modality: modality(mime_type.as_deref()).to_owned(), uri, mime_type });
    }
    if let Some(answer) = names::get(part, &["functionResponse"]) {
        let response = names::get(answer, &["response"]).map(scrubbed).unwrap_or_default();
        return Some(Part::ToolCallResponse { id: names::string(answer, &["id"]), response });
    }
    if let Some(result) = names::get(part, &["codeExecutionResult"]) {
        let response = typed(result, "code_execution");
        return Some(Part::ServerToolCallResponse { id: names::string(result, &["id"]), response });
    }
    if let Some(result) = names::get(part, &["toolResponse"]) {
        let kind = names::string(result, &["toolType"]).unwrap_or_else(|| "tool".to_owned());
        return Some(Part::ServerToolCallResponse {
            id: names::string(result, &["id"]),
            response: typed(result, &kind),
        });
    }
    let (kind, value) = part.as_object()?.iter().find(|(key, _)| !BESIDE.contains(&key.as_str()))?;
    // An empty text is no part; what else has that name is not understood.
    (kind != "text").then(|| generic(kind, value))
}

/// The provider's object with a `type`.
fn typed(value: &Value, kind: &str) -> Value {
    let mut object: Map<String, Value> =
        value.as_object().map(|members| scrubbed_members(members, &[])).unwrap_or_default();
    object.insert("type".to_owned(), Value::from(kind));
    Value::Object(object)
}

/// image, video, audio or document.
fn modality(mime: Option<&str>) -> &str {
    let family = mime.and_then(|mime| mime.split('/').next()).unwrap_or_default();
    match family {
        "image" | "video" | "audio" => family,
        _ => "document",
    }
}

/// One element of `contents`, or a `systemInstruction`, which may be a bare text.
pub(in crate::codec) fn parts(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) if !text.is_empty() => vec![Part::Text(text.clone())],
        Value::Array(items) => items.iter().flat_map(parts).collect(),
        Value::Object(members) if members.contains_key("parts") => {
            names::array(content, &["parts"]).iter().filter_map(part).collect()
        }
        Value::Object(_) => part(content).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The history.
pub(in crate::codec) fn messages(contents: &Value) -> Vec<Message> {
    let one = |content: &Value| {
        let role = match names::get(content, &["role"]).and_then(Value::as_str) {
            None | Some("") => "user",
            Some("model") => "assistant",
            Some("function") => "tool",
            Some(role) => role,
        };
        Message { role: role.to_owned(), parts: parts(content), name: None, finish_reason: None }
    };
    match contents {
        Value::Array(items) => items.iter().map(one).collect(),
        Value::Null => Vec::new(),
        single => vec![one(single)],
    }
}
