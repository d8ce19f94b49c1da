//! Content blocks of the Messages API, in requests and answers alike.

use serde_json::{Value, json};

use crate::call::{Part, ToolCall};
use crate::codec::content::{generic, scrubbed, scrubbed_members};
use crate::codec::{json, media};

/// The content of an answer, in the canonical form.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Every call, the client's and the provider's.
    pub(super) calls: Vec<ToolCall>,
    /// The parts; empty when content is not kept.
    pub(super) parts: Vec<Part>,
}

/// Reads the content of a whole message.
pub(super) fn output(blocks: &[Value], content: bool) -> Output {
    Output {
        calls: blocks.iter().filter_map(|block| tool_call(block, content)).collect(),
        parts: if content { blocks.iter().filter_map(part).collect() } else { Vec::new() },
    }
}

/// The call in a block, if it is one: `tool_use` (the client's), `server_tool_use`, `mcp_tool_use` (the provider's).
/// Arguments are content.
pub(super) fn tool_call(block: &Value, content: bool) -> Option<ToolCall> {
    let kind = json::str_at(block, &["type"]).filter(|kind| kind.ends_with("tool_use"))?;
    Some(ToolCall {
        id: json::string_at(block, &["id"]),
        name: json::string_at(block, &["name"]).unwrap_or_default(),
        kind: kind.to_owned(),
        arguments: json::at(block, &["input"]).filter(|_| content).and_then(json::arguments_value),
    })
}

/// The parts of a message's content: a string or blocks.
pub(super) fn parts(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) if !text.is_empty() => vec![Part::Text(text.clone())],
        Value::Array(blocks) => blocks.iter().filter_map(part).collect(),
        _ => Vec::new(),
    }
}

/// One block. Redacted thinking and signatures are opaque and give nothing.
pub(super) fn part(block: &Value) -> Option<Part> {
    let Value::Object(members) = block else { return None };
    let kind = json::str_at(block, &["type"]).unwrap_or("text");
    match kind {
        "text" => json::string_at(block, &["text"]).map(Part::Text),
        "thinking" => json::string_at(block, &["thinking"]).map(Part::Reasoning),
        "redacted_thinking" => None,
        "tool_use" => tool_call(block, true).map(Part::ToolCall),
        "tool_result" => Some(tool_result(block)),
        "image" => Some(source("image", block)),
        "document" => Some(source("document", block)),
        "container_upload" => Some(match json::string_at(block, &["file_id"]) {
            Some(file_id) => Part::File { modality: "document".to_owned(), file_id, mime_type: None },
            None => generic(kind, block),
        }),
        _ if kind.ends_with("tool_use") => Some(Part::ServerToolCall {
            id: json::string_at(block, &["id"]),
            name: json::string_at(block, &["name"]).unwrap_or_default(),
            call: Value::Object(scrubbed_members(members, &["id", "name", "cache_control"])),
        }),
        _ if kind.ends_with("tool_result") => Some(Part::ServerToolCallResponse {
            id: json::string_at(block, &["tool_use_id"]),
            response: Value::Object(scrubbed_members(members, &["tool_use_id", "cache_control"])),
        }),
        _ => Some(generic(kind, block)),
    }
}

/// Whether a block is the client's answer to a call: such blocks stand in a message of their own, with role `tool`.
pub(super) fn is_tool_result(block: &Value) -> bool {
    json::str_at(block, &["type"]) == Some("tool_result")
}

/// What the tool gave; a failure keeps its mark. A tool may give nothing, which is an empty text: parts carry no null.
fn tool_result(block: &Value) -> Part {
    let content = json::at(block, &["content"]).map_or_else(|| Value::from(""), scrubbed);
    let response = match json::bool_at(block, &["is_error"]) {
        Some(true) => json!({"is_error": true, "content": content}),
        _ => content,
    };
    Part::ToolCallResponse { id: json::string_at(block, &["tool_use_id"]), response }
}

/// An image or a document by its source.
fn source(modality: &str, block: &Value) -> Part {
    let from = json::at(block, &["source"]);
    let text = |key: &str| from.and_then(|from| json::str_at(from, &[key]));
    let mime = text("media_type");
    let found = match text("type") {
        Some("base64") => text("data").map(|data| media::blob(data, modality, mime)),
        Some("url") => text("url").map(|url| media::from_url(url, modality)),
        Some("file") => text("file_id").map(|id| Part::File {
            modality: modality.to_owned(),
            file_id: id.to_owned(),
            mime_type: mime.map(str::to_owned),
        }),
        _ => None,
    };
    found.unwrap_or_else(|| generic(modality, block))
}
