//! Content blocks of Converse, in requests and answers alike: an object whose one key is its kind.

use serde_json::{Value, json};

use crate::call::{Part, ToolCall};
use crate::codec::content::{generic, scrubbed};
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
        calls: blocks
            .iter()
            .filter_map(|block| json::at(block, &["toolUse"]))
            .map(|tool| tool_call(tool, content))
            .collect(),
        parts: if content { parts(blocks) } else { Vec::new() },
    }
}

/// The parts of a list of blocks.
pub(super) fn parts(blocks: &[Value]) -> Vec<Part> {
    blocks.iter().flat_map(part).collect()
}

/// A `toolUse` object. Tools that the provider runs have a type of their own (`server_tool_use`). Arguments are content.
pub(super) fn tool_call(tool: &Value, content: bool) -> ToolCall {
    ToolCall {
        id: json::string_at(tool, &["toolUseId"]),
        name: json::string_at(tool, &["name"]).unwrap_or_default(),
        kind: json::str_at(tool, &["type"]).unwrap_or("tool_use").to_owned(),
        arguments: json::at(tool, &["input"]).filter(|_| content).and_then(json::arguments_value),
    }
}

/// A call as a part: one that the provider runs keeps the provider's object.
pub(super) fn call_part(call: ToolCall) -> Part {
    if call.kind == "tool_use" {
        return Part::ToolCall(call);
    }
    let object = json!({"type": call.kind, "input": call.arguments.unwrap_or_else(|| json!({}))});
    Part::ServerToolCall { id: call.id, name: call.name, call: object }
}

/// One block. Cache points say nothing, redacted reasoning is opaque.
fn part(block: &Value) -> Vec<Part> {
    let Some((kind, value)) =
        block.as_object().and_then(|members| members.iter().find(|(_, value)| !value.is_null()))
    else {
        return Vec::new();
    };
    let one = match kind.as_str() {
        "text" => value.as_str().filter(|text| !text.is_empty()).map(|text| Part::Text(text.to_owned())),
        "reasoningContent" => json::string_at(value, &["reasoningText", "text"]).map(Part::Reasoning),
        "cachePoint" => None,
        "toolUse" => Some(call_part(tool_call(value, true))),
        "toolResult" => Some(tool_result(value)),
        "image" | "video" | "audio" | "document" => Some(medium(kind, value)),
        "guardContent" => match json::at(value, &["image"]) {
            Some(image) => Some(medium("image", image)),
            None => json::string_at(value, &["text", "text"]).map(Part::Text),
        },
        "citationsContent" => return parts(json::array_at(value, &["content"])),
        _ => Some(generic(kind, value)),
    };
    one.into_iter().collect()
}

/// Whether a block is the client's answer to a call: such blocks stand in a message of their own, with role `tool`.
pub(super) fn is_tool_result(block: &Value) -> bool {
    json::at(block, &["toolResult"]).is_some_and(|result| json::at(result, &["type"]).is_none())
}

/// What a tool gave; a failure keeps its mark. A result with a type is that of a tool which the provider ran.
pub(super) fn tool_result(result: &Value) -> Part {
    let id = json::string_at(result, &["toolUseId"]);
    let content = result_content(json::array_at(result, &["content"]));
    if let Some(kind) = json::str_at(result, &["type"]) {
        return Part::ServerToolCallResponse { id, response: json!({"type": kind, "content": content}) };
    }
    let response = match json::str_at(result, &["status"]) {
        Some("error") => json!({"is_error": true, "content": content}),
        _ => content,
    };
    Part::ToolCallResponse { id, response }
}

/// The one text or JSON value of a result, or the list of what is more.
fn result_content(items: &[Value]) -> Value {
    match items {
        [] => Value::from(""),
        [one] => json::at(one, &["text"])
            .or_else(|| json::at(one, &["json"]))
            .map_or_else(|| Value::Array(vec![scrubbed(one)]), scrubbed),
        many => Value::Array(many.iter().map(scrubbed).collect()),
    }
}

/// Media by their source: bytes, text, or an address in S3.
fn medium(modality: &str, value: &Value) -> Part {
    let format = json::str_at(value, &["format"]);
    let mime = format.map(|format| mime_type(modality, format));
    if let Some(bytes) = json::str_at(value, &["source", "bytes"]) {
        return media::blob(bytes, modality, mime.as_deref());
    }
    if let Some(uri) = json::str_at(value, &["source", "s3Location", "uri"]) {
        return Part::Uri { modality: modality.to_owned(), uri: uri.to_owned(), mime_type: mime };
    }
    match json::string_at(value, &["source", "text"]) {
        Some(text) => Part::Text(text),
        None => generic(modality, value),
    }
}

fn mime_type(modality: &str, format: &str) -> String {
    match (modality, format) {
        ("document", "pdf") => "application/pdf".to_owned(),
        ("document", "txt") => "text/plain".to_owned(),
        ("document", "md") => "text/markdown".to_owned(),
        ("document", "csv" | "html") => format!("text/{format}"),
        ("document", "doc") => "application/msword".to_owned(),
        ("document", "docx") => {
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document".to_owned()
        }
        ("document", "xls") => "application/vnd.ms-excel".to_owned(),
        ("document", "xlsx") => {
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet".to_owned()
        }
        ("video", "three_gp") => "video/3gpp".to_owned(),
        ("video", "mov") => "video/quicktime".to_owned(),
        _ => format!("{modality}/{format}"),
    }
}
