//! Message content in the conventions' JSON shapes. Absent members are left out, never null.

use serde_json::{Map, Value};

use crate::call::{Message, Part, ToolDefinition};

/// `gen_ai.input.messages`. The conventions put a tool's answer into a message of the role `tool`, whoever carried it: each into one
/// of its own, as backends that know one answer a message lose the others.
pub(super) fn input(messages: &[Message]) -> Value {
    let is_answer = |part: &Part| matches!(part, Part::ToolCallResponse { .. });
    let one = |message: &Message| {
        let runs = message.parts.chunk_by(|part, next| !is_answer(part) && !is_answer(next));
        let value = |parts: &[Part]| {
            let role = if parts.iter().any(is_answer) { "tool" } else { &message.role };
            message_value(role, parts, message.name.as_deref(), None)
        };
        if message.parts.is_empty() { vec![value(&[])] } else { runs.map(value).collect() }
    };
    messages.iter().flat_map(one).collect()
}

/// `gen_ai.output.messages`. `finish_reasons`: also put each message's finish reason into it, as consumers of v1.41 expect.
pub(super) fn output(messages: &[Message], finish_reasons: bool) -> Value {
    let one = |message: &Message| {
        let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let reason = message.finish_reason.as_deref().filter(|_| finish_reasons).map(|reason| match reason {
            // Gemini stops for calls of functions, too.
            "STOP" if calls => "tool_call",
            reason => finish_reason(reason),
        });
        message_value(&message.role, &message.parts, message.name.as_deref(), reason)
    };
    messages.iter().map(one).collect()
}

/// `gen_ai.system_instructions`: a flat list of parts.
pub(super) fn parts(parts: &[Part]) -> Value {
    parts.iter().map(part).collect()
}

/// `gen_ai.tool.definitions`. `whole`: with descriptions and parameters.
pub(super) fn tools(tools: &[ToolDefinition], whole: bool) -> Value {
    let tool = |tool: &ToolDefinition| {
        let mut object = object("type", &tool.kind);
        set(&mut object, "name", tool.name.as_str());
        if whole {
            set_some(&mut object, "description", tool.description.as_deref());
            if let Some(parameters) = &tool.parameters {
                object.insert("parameters".to_owned(), parameters.clone());
            }
        }
        Value::Object(object)
    };
    tools.iter().map(tool).collect()
}

fn message_value(role: &str, parts: &[Part], name: Option<&str>, finish_reason: Option<&str>) -> Value {
    let mut object = object("role", role);
    object.insert("parts".to_owned(), self::parts(parts));
    set_some(&mut object, "name", name);
    set_some(&mut object, "finish_reason", finish_reason);
    Value::Object(object)
}

/// The conventions' word for a provider's finish reason; an unknown one stays as it is.
fn finish_reason(reason: &str) -> &str {
    match reason {
        "stop" | "end_turn" | "stop_sequence" | "eos" | "completed" | "STOP" => "stop",
        "tool_calls" | "tool_use" | "function_call" => "tool_call",
        "length"
        | "max_tokens"
        | "model_length"
        | "max_output_tokens"
        | "model_context_window_exceeded"
        | "MAX_TOKENS" => "length",
        "content_filter" | "refusal" | "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT"
        | "SPII" | "IMAGE_SAFETY" | "MODEL_ARMOR" => "content_filter",
        other => other,
    }
}

fn part(part: &Part) -> Value {
    Value::Object(match part {
        Part::Text(text) => with(object("type", "text"), "content", text),
        Part::Reasoning(text) => with(object("type", "reasoning"), "content", text),
        Part::ToolCall(call) => {
            let mut object = with(object("type", "tool_call"), "name", &call.name);
            set_some(&mut object, "id", call.id.as_deref());
            if let Some(arguments) = &call.arguments {
                object.insert("arguments".to_owned(), arguments.clone());
            }
            object
        }
        Part::ToolCallResponse { id, response } => {
            let mut object = object("type", "tool_call_response");
            set_some(&mut object, "id", id.as_deref());
            object.insert("response".to_owned(), response.clone());
            object
        }
        Part::ServerToolCall { id, name, call } => {
            let mut object = with(object("type", "server_tool_call"), "name", name);
            set_some(&mut object, "id", id.as_deref());
            object.insert("server_tool_call".to_owned(), typed(call, name));
            object
        }
        Part::ServerToolCallResponse { id, response } => {
            let mut object = object("type", "server_tool_call_response");
            set_some(&mut object, "id", id.as_deref());
            object.insert("server_tool_call_response".to_owned(), typed(response, "unknown"));
            object
        }
        Part::Blob { modality, mime_type, content } => {
            let mut object = with(with(object("type", "blob"), "modality", modality), "content", content);
            set_some(&mut object, "mime_type", mime_type.as_deref());
            object
        }
        Part::File { modality, file_id, mime_type } => {
            let mut object = with(with(object("type", "file"), "modality", modality), "file_id", file_id);
            set_some(&mut object, "mime_type", mime_type.as_deref());
            object
        }
        Part::Uri { modality, uri, mime_type } => {
            let mut object = with(with(object("type", "uri"), "modality", modality), "uri", uri);
            set_some(&mut object, "mime_type", mime_type.as_deref());
            object
        }
        Part::Generic { kind, value } => generic(kind, value),
    })
}

/// `type: "generic"` with the provider's members beside it; a compaction has a part of its own.
fn generic(kind: &str, value: &Value) -> Map<String, Value> {
    let members =
        value.as_object().into_iter().flatten().filter(|(key, value)| *key != "type" && !value.is_null());
    let mut object = if kind == "compaction" {
        object("type", kind)
    } else {
        with(object("type", "generic"), "generic_type", kind)
    };
    for (key, value) in members {
        object.entry(key.clone()).or_insert_with(|| value.clone());
    }
    if !value.is_object() && !value.is_null() {
        object.insert("content".to_owned(), value.clone());
    }
    object
}

/// The provider's object with the kind of tool as its `type`: what the wire has there is the kind of block or item.
fn typed(value: &Value, fallback: &str) -> Value {
    let mut object = value.as_object().cloned().unwrap_or_default();
    let kind = match object.get("type").and_then(Value::as_str) {
        None | Some("server_tool_use") => fallback,
        Some(kind) => tool_kind(kind),
    };
    let kind = kind.to_owned();
    object.insert("type".to_owned(), kind.into());
    Value::Object(object)
}

/// `web_search` of `web_search_call`, `web_search_tool_result`, `web_search_output`; anything else as it is.
fn tool_kind(kind: &str) -> &str {
    // Anthropic's MCP blocks are known by these names alone: the server's tool has a name of its own.
    if kind == "mcp_tool_result" {
        return kind;
    }
    let endings = ["_tool_result", "_call_output", "_call", "_output"];
    endings.iter().find_map(|ending| kind.strip_suffix(ending)).unwrap_or(kind)
}

fn object(key: &str, value: &str) -> Map<String, Value> {
    with(Map::new(), key, value)
}

fn with(mut object: Map<String, Value>, key: &str, value: &str) -> Map<String, Value> {
    set(&mut object, key, value);
    object
}

fn set(object: &mut Map<String, Value>, key: &str, value: &str) {
    object.insert(key.to_owned(), Value::from(value));
}

fn set_some(object: &mut Map<String, Value>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        set(object, key, value);
    }
}
