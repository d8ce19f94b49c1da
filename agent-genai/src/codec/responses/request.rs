//! Requests of the Responses API.

use serde_json::Value;

use super::{items, object, parts};
use crate::call::{Call, Message, Part, ToolDefinition};
use crate::codec::{json, settings};

/// Reads the request body into the call.
pub(super) fn fold(body: &Value, content: bool, call: &mut Call) {
    let request = &mut call.request;
    request.model = json::string_at(body, &["model"]);
    request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
    request.temperature = json::f64_at(body, &["temperature"]);
    request.top_p = json::f64_at(body, &["top_p"]);
    request.max_tokens = json::i64_at(body, &["max_output_tokens"]);
    request.frequency_penalty = json::f64_at(body, &["frequency_penalty"]);
    request.presence_penalty = json::f64_at(body, &["presence_penalty"]);
    request.reasoning_level = json::str_at(body, &["reasoning", "effort"]).map(str::to_owned);
    request.output_type = output_type(body).map(str::to_owned);
    request.service_tier = json::string_at(body, &["service_tier"]);
    request.previous_response_id = json::string_at(body, &["previous_response_id"]);
    request.conversation_id = object::conversation(body).map(str::to_owned);
    request.user = json::string_at(body, &["user"]).or_else(|| json::string_at(body, &["safety_identifier"]));
    request.tools = definitions(json::array_at(body, &["tools"]), content);
    request.tool_choice = settings::openai_tool_choice(body);
    request.parallel_tool_calls = json::bool_at(body, &["parallel_tool_calls"]);
    request.response_format = settings::responses_format(body, content);
    request.metadata = settings::metadata(body);
    if content {
        request.system = body.get("instructions").map(instructions).unwrap_or_default();
        request.messages = body.get("input").map(messages).unwrap_or_default();
    }
}

/// `text.format` asks for an output type; other formats than these say nothing.
fn output_type(body: &Value) -> Option<&'static str> {
    match json::str_at(body, &["text", "format", "type"])? {
        "text" => Some("text"),
        "json_object" | "json_schema" => Some("json"),
        _ => None,
    }
}

/// The tools on offer; a namespace is followed by the tools in it.
fn definitions(tools: &[Value], content: bool) -> Vec<ToolDefinition> {
    let mut definitions = Vec::new();
    for tool in tools {
        definitions.extend(definition(tool, content));
        if json::str_at(tool, &["type"]) == Some("namespace") {
            let inner = json::array_at(tool, &["tools"]).iter();
            definitions.extend(inner.filter_map(|tool| definition(tool, content)));
        }
    }
    definitions
}

/// A tool on offer. Servers of tools are named by their label; everything else than name and type of a hosted tool
/// (addresses, authorization) stays out.
fn definition(tool: &Value, content: bool) -> Option<ToolDefinition> {
    let kind = json::str_at(tool, &["type"]).unwrap_or("function");
    // Chat-shaped tools nest what the Responses API has at the top.
    let described = tool.get("function").filter(|function| function.is_object()).unwrap_or(tool);
    let name =
        json::str_at(described, &["name"]).or_else(|| json::str_at(tool, &["server_label"])).unwrap_or(kind);
    if !tool.is_object() {
        return None;
    }
    Some(ToolDefinition {
        kind: kind.to_owned(),
        name: name.to_owned(),
        description: if content { json::string_at(described, &["description"]) } else { None },
        parameters: described.get("parameters").filter(|schema| content && schema.is_object()).cloned(),
    })
}

/// Instructions are a string, or items like those of the input.
fn instructions(instructions: &Value) -> Vec<Part> {
    match instructions {
        Value::String(_) => parts::content(instructions),
        Value::Array(items) => items.iter().flat_map(items::item_parts).collect(),
        _ => Vec::new(),
    }
}

/// The history. Items that the model made one after the other (reasoning, text, calls) are one message, as they were when
/// they were its answer.
fn messages(input: &Value) -> Vec<Message> {
    let items = match input {
        Value::String(text) => return vec![message("user", vec![Part::Text(text.clone())])],
        Value::Array(items) => items,
        _ => return Vec::new(),
    };
    let mut messages: Vec<Message> = Vec::new();
    for item in items.iter().filter(|item| item.is_object()) {
        let role = role(item);
        let parts = items::item_parts(item);
        if parts.is_empty() && role == "assistant" {
            continue;
        }
        match messages.last_mut() {
            Some(last) if role == "assistant" && last.role == role => last.parts.extend(parts),
            _ => messages.push(message(role, parts)),
        }
    }
    messages
}

fn message(role: &str, parts: Vec<Part>) -> Message {
    Message { role: role.to_owned(), parts, name: None, finish_reason: None }
}

/// Whose words an input item is: a message says; outputs are the tool's; the rest the model made.
fn role(item: &Value) -> &str {
    if let Some(role) = json::str_at(item, &["role"]) {
        return role;
    }
    match json::str_at(item, &["type"]) {
        Some("mcp_approval_response") | None => "user",
        Some(kind) if kind.ends_with("_output") && !items::answers_for_provider(item) => "tool",
        Some(_) => "assistant",
    }
}
