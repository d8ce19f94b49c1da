//! Requests of the Messages API.

use serde_json::Value;

use super::blocks;
use crate::call::{Call, Message, Part, ToolDefinition};
use crate::codec::{json, settings};

/// Reads the request body into the call.
pub(super) fn fold(body: &Value, content: bool, call: &mut Call) {
    let request = &mut call.request;
    request.model = json::string_at(body, &["model"]);
    request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
    request.temperature = json::f64_at(body, &["temperature"]);
    request.top_p = json::f64_at(body, &["top_p"]);
    request.top_k = json::i64_at(body, &["top_k"]);
    request.max_tokens = json::i64_at(body, &["max_tokens"]);
    request.stop = json::strings_at(body, &["stop_sequences"]);
    request.reasoning_level = json::string_at(body, &["output_config", "effort"]);
    request.output_type = output_type(body).map(str::to_owned);
    request.service_tier = json::string_at(body, &["service_tier"]);
    request.speed = json::string_at(body, &["speed"]);
    // A thread held by the server is continued from an earlier answer.
    request.previous_response_id = json::string_at(body, &["thread", "previous_message_id"]);
    request.user = json::string_at(body, &["metadata", "user_id"]);
    request.tools =
        json::array_at(body, &["tools"]).iter().filter_map(|tool| definition(tool, content)).collect();
    (request.tool_choice, request.parallel_tool_calls) = settings::anthropic_tool_choice(body);
    request.response_format = settings::anthropic_format(body, content);
    request.reasoning_budget = json::i64_at(body, &["thinking", "budget_tokens"]);
    if content {
        request.system = body.get("system").map(blocks::parts).unwrap_or_default();
        request.messages = json::array_at(body, &["messages"]).iter().flat_map(messages).collect();
    }
}

/// `output_config.format`, or `output_format` as its beta had it.
fn output_type(body: &Value) -> Option<&'static str> {
    let format = json::str_at(body, &["output_config", "format", "type"])
        .or_else(|| json::str_at(body, &["output_format", "type"]))?;
    match format {
        "json_schema" | "json_object" => Some("json"),
        "text" => Some("text"),
        _ => None,
    }
}

/// A tool on offer: one of the client's (no type, or `custom`), or one that Anthropic defines (`web_search_20250305`).
fn definition(tool: &Value, content: bool) -> Option<ToolDefinition> {
    if !tool.is_object() {
        return None;
    }
    let kind = match json::str_at(tool, &["type"]) {
        None | Some("custom") => "function",
        Some(kind) => kind,
    };
    Some(ToolDefinition {
        kind: kind.to_owned(),
        name: json::str_at(tool, &["name"])
            .or_else(|| json::str_at(tool, &["mcp_server_name"]))
            .unwrap_or(kind)
            .to_owned(),
        description: if content { json::string_at(tool, &["description"]) } else { None },
        parameters: json::at(tool, &["input_schema"]).filter(|schema| content && schema.is_object()).cloned(),
    })
}

/// One message of the history, or several: tool results become messages with role `tool`, in the order of the blocks.
fn messages(message: &Value) -> Vec<Message> {
    let role = json::str_at(message, &["role"]).unwrap_or("user");
    let content = message.get("content").unwrap_or(&Value::Null);
    let Value::Array(all) = content else { return vec![built(role, blocks::parts(content))] };
    let runs: Vec<Message> = all
        .chunk_by(|a, b| blocks::is_tool_result(a) == blocks::is_tool_result(b))
        .map(|run| {
            let role = if run.first().is_some_and(blocks::is_tool_result) { "tool" } else { role };
            built(role, run.iter().filter_map(blocks::part).collect())
        })
        .filter(|message| !message.parts.is_empty())
        .collect();
    if runs.is_empty() { vec![built(role, Vec::new())] } else { runs }
}

fn built(role: &str, parts: Vec<Part>) -> Message {
    Message { role: role.to_owned(), parts, name: None, finish_reason: None }
}
