//! Contents and steps of the Interactions API to canonical parts and messages.

use serde_json::{Map, Value};

use crate::call::{Message, Part, ToolCall};
use crate::codec::content::{generic, scrubbed, scrubbed_members};
use crate::codec::{json, media};

/// One content: text, or media inline or by address.
pub(super) fn content(item: &Value) -> Option<Part> {
    if let Value::String(text) = item {
        return (!text.is_empty()).then(|| Part::Text(text.clone()));
    }
    let kind = json::str_at(item, &["type"]).unwrap_or("text");
    match kind {
        "text" => json::string_at(item, &["text"]).map(Part::Text),
        "image" | "audio" | "video" | "document" => {
            let mime_type = json::string_at(item, &["mime_type"]);
            if let Some(data) = json::str_at(item, &["data"]) {
                return Some(media::blob(data, kind, mime_type.as_deref()));
            }
            let uri = json::string_at(item, &["uri"])?;
            Some(Part::Uri { modality: kind.to_owned(), uri, mime_type })
        }
        _ => Some(generic(kind, item)),
    }
}

/// Name of what a step calls: its own, or what its type says (`google_search_call`).
pub(super) fn called(step: &Value, kind: &str) -> ToolCall {
    let name = json::string_at(step, &["name"]);
    ToolCall {
        id: json::string_at(step, &["id"]),
        name: name.unwrap_or_else(|| kind.strip_suffix("_call").unwrap_or(kind).to_owned()),
        kind: kind.to_owned(),
        arguments: None,
    }
}

/// The parts of one step.
pub(super) fn step(item: &Value) -> Vec<Part> {
    let kind = json::str_at(item, &["type"]).unwrap_or("text");
    let contents = |key: &str| match item.get(key) {
        Some(Value::Array(items)) => items.iter().filter_map(content).collect(),
        Some(one @ (Value::String(_) | Value::Object(_))) => content(one).into_iter().collect(),
        _ => Vec::new(),
    };
    match kind {
        "user_input" | "model_output" => contents("content"),
        "thought" => {
            let told = contents("summary").into_iter();
            told.map(|part| if let Part::Text(text) = part { Part::Reasoning(text) } else { part }).collect()
        }
        "function_call" => {
            let arguments = json::at(item, &["arguments"]).and_then(json::arguments_value);
            vec![Part::ToolCall(ToolCall { arguments, ..called(item, kind) })]
        }
        "function_result" => {
            let response = item.get("result").map(scrubbed).unwrap_or_default();
            vec![Part::ToolCallResponse { id: json::string_at(item, &["call_id"]), response }]
        }
        _ if kind.ends_with("_call") => {
            let made = called(item, kind);
            vec![Part::ServerToolCall { id: made.id, name: made.name, call: object(item) }]
        }
        _ if kind.ends_with("_result") => {
            vec![Part::ServerToolCallResponse {
                id: json::string_at(item, &["call_id"]),
                response: object(item),
            }]
        }
        _ => content(item).into_iter().collect(),
    }
}

fn object(item: &Value) -> Value {
    let members: Map<String, Value> =
        item.as_object().map(|members| scrubbed_members(members, &["id"])).unwrap_or_default();
    Value::Object(members)
}

/// `input`: a text, contents, steps, or turns with roles.
pub(super) fn input(input: &Value) -> Vec<Message> {
    let items = match input {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    let mut messages: Vec<Message> = Vec::new();
    for item in items {
        let kind = json::str_at(item, &["type"]).unwrap_or_default();
        let (role, parts) = match json::str_at(item, &["role"]) {
            Some(role) => (if role == "model" { "assistant" } else { role }, turn(item)),
            None if kind == "function_result" => ("tool", step(item)),
            None if kind == "model_output"
                || kind == "thought"
                || kind.ends_with("_call")
                || kind.ends_with("_result") =>
            {
                ("assistant", step(item))
            }
            None => ("user", step(item)),
        };
        match messages.last_mut() {
            // Contents of one turn stand side by side.
            Some(last) if last.role == role && json::str_at(item, &["role"]).is_none() && role != "tool" => {
                last.parts.extend(parts);
            }
            _ => messages.push(Message { role: role.to_owned(), parts, name: None, finish_reason: None }),
        }
    }
    messages
}

fn turn(item: &Value) -> Vec<Part> {
    match item.get("content") {
        Some(Value::Array(items)) => items.iter().flat_map(step).collect(),
        Some(Value::String(text)) => vec![Part::Text(text.clone())],
        Some(one) => step(one),
        None => Vec::new(),
    }
}
