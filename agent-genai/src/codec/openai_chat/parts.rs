//! Messages of the chat completions API to canonical messages and parts.

use serde_json::{Value, json as value};

use super::{choice, tools};
use crate::call::{Message, Part, ToolCall};
use crate::codec::{content, json, media};

/// The history, system messages included: they stay where they stand.
pub(crate) fn messages(body: &Value) -> Vec<Message> {
    json::array_at(body, &["messages"]).iter().filter(|message| message.is_object()).map(message).collect()
}

fn message(message: &Value) -> Message {
    let role = json::str_at(message, &["role"]).unwrap_or("user");
    let content = message.get("content").unwrap_or(&Value::Null);
    let parts = if matches!(role, "tool" | "function") {
        let id = json::string_at(message, &["tool_call_id"]);
        vec![Part::ToolCallResponse { id, response: content::scrubbed(content) }]
    } else {
        spoken(message, content)
    };
    Message { role: role.to_owned(), parts, name: json::string_at(message, &["name"]), finish_reason: None }
}

/// Parts of a message that is no tool's answer.
fn spoken(message: &Value, content: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    parts.extend(choice::reasoning(message).map(Part::Reasoning));
    match content {
        Value::String(text) if !text.is_empty() => parts.push(Part::Text(text.clone())),
        Value::Array(items) => parts.extend(items.iter().filter_map(part)),
        _ => {}
    }
    parts.extend(json::str_at(message, &["refusal"]).map(refusal));
    if let Some(id) = json::string_at(message, &["audio", "id"]) {
        parts.push(Part::File { modality: "audio".to_owned(), file_id: id, mime_type: None });
    }
    parts.extend(json::array_at(message, &["tool_calls"]).iter().map(|call| Part::ToolCall(tool_call(call))));
    if let Some(call) =
        json::at(message, &["function_call"]).filter(|call| json::str_at(call, &["name"]).is_some())
    {
        parts.push(Part::ToolCall(tool_call(call)));
    }
    parts
}

fn tool_call(call: &Value) -> ToolCall {
    let body = tools::called(call);
    ToolCall {
        id: json::string_at(call, &["id"]),
        name: json::string_at(body, &["name"]).unwrap_or_default(),
        kind: json::str_at(call, &["type"]).unwrap_or("function").to_owned(),
        arguments: body.get("arguments").or_else(|| body.get("input")).and_then(json::arguments_value),
    }
}

/// One element of a content array, of requests and of answers alike.
pub(super) fn part(item: &Value) -> Option<Part> {
    if let Value::String(text) = item {
        return Some(Part::Text(text.clone()));
    }
    let Some(kind) = json::str_at(item, &["type"]) else {
        // Alibaba's own API leaves the type out.
        return json::string_at(item, &["text"]).map(Part::Text);
    };
    let known = match kind {
        "text" | "input_text" | "output_text" => Some(Part::Text(item.get("text")?.as_str()?.to_owned())),
        "refusal" => json::str_at(item, &["refusal"]).map(refusal),
        "thinking" | "reasoning" => thinking(item).map(Part::Reasoning),
        "image_url" | "input_image" => url(item, "image_url").map(|url| media::from_url(url, "image")),
        "video_url" => url(item, "video_url").map(|url| media::from_url(url, "video")),
        "audio_url" => url(item, "audio_url").map(|url| media::from_url(url, "audio")),
        "input_audio" => audio(item),
        "file" => file(json::at(item, &["file"]).unwrap_or(item)),
        _ => None,
    };
    Some(known.unwrap_or_else(|| content::generic(kind, item)))
}

/// The model's words of refusal. The conventions have no part for them.
pub(super) fn refusal(text: &str) -> Part {
    Part::Generic { kind: "refusal".to_owned(), value: value!({"type": "refusal", "refusal": text}) }
}

/// `image_url` is an object with a `url`, or the address itself.
fn url<'a>(item: &'a Value, key: &str) -> Option<&'a str> {
    json::str_at(item, &[key, "url"]).or_else(|| json::str_at(item, &[key]))
}

/// Mistral: `thinking` is text or an array of text pieces.
fn thinking(item: &Value) -> Option<String> {
    match item.get("thinking").or_else(|| item.get("text"))? {
        Value::String(text) => Some(text.clone()),
        Value::Array(pieces) => {
            Some(pieces.iter().filter_map(|piece| json::str_at(piece, &["text"])).collect())
        }
        _ => None,
    }
}

fn audio(item: &Value) -> Option<Part> {
    // Mistral puts the base64 or an address where OpenAI has an object.
    if let Some(text) = json::str_at(item, &["input_audio"]) {
        let address = text.starts_with("http") || text.starts_with("data:");
        return Some(if address { media::from_url(text, "audio") } else { media::blob(text, "audio", None) });
    }
    let data = json::str_at(item, &["input_audio", "data"])?;
    let mime = json::str_at(item, &["input_audio", "format"]).map(|format| format!("audio/{format}"));
    Some(media::blob(data, "audio", mime.as_deref()))
}

fn file(file: &Value) -> Option<Part> {
    if let Some(id) = json::string_at(file, &["file_id"]) {
        return Some(Part::File { modality: "document".to_owned(), file_id: id, mime_type: None });
    }
    let data = json::str_at(file, &["file_data"])?;
    Some(if data.starts_with("data:") || data.starts_with("http") {
        media::from_url(data, "document")
    } else {
        media::blob(data, "document", None)
    })
}
