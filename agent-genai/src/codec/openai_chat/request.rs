//! Requests of the chat completions API.

use serde_json::Value;

use super::parts;
use crate::call::{Call, ToolDefinition};
use crate::codec::{json, settings};

/// Reads the request body into the call.
pub(crate) fn fold(body: &Value, content: bool, call: &mut Call) {
    let request = &mut call.request;
    request.model = json::string_at(body, &["model"]);
    request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
    request.temperature = json::f64_at(body, &["temperature"]);
    request.top_p = json::f64_at(body, &["top_p"]);
    request.top_k = json::i64_at(body, &["top_k"]);
    request.max_tokens =
        json::i64_at(body, &["max_completion_tokens"]).or_else(|| json::i64_at(body, &["max_tokens"]));
    request.frequency_penalty = json::f64_at(body, &["frequency_penalty"]);
    request.presence_penalty = json::f64_at(body, &["presence_penalty"]);
    request.stop = json::strings_at(body, &["stop"]);
    request.seed = json::i64_at(body, &["seed"]).or_else(|| json::i64_at(body, &["random_seed"]));
    request.choice_count = json::i64_at(body, &["n"]);
    // OpenRouter has an object; everyone else the flat one.
    request.reasoning_level = json::string_at(body, &["reasoning_effort"])
        .or_else(|| json::string_at(body, &["reasoning", "effort"]));
    request.output_type = output_type(body).map(str::to_owned);
    request.service_tier = json::string_at(body, &["service_tier"]);
    request.user = ["user", "safety_identifier"]
        .iter()
        .find_map(|key| json::string_at(body, &[key]))
        .or_else(|| json::string_at(body, &["metadata", "user_id"]));
    request.conversation_id = json::string_at(body, &["session_id"])
        .or_else(|| json::string_at(body, &["litellm_session_id"]))
        .or_else(|| json::string_at(body, &["metadata", "session_id"]));
    request.tools = definitions(body, content);
    // Mistral's agents.
    request.agent = json::string_at(body, &["agent_id"]);
    request.tool_choice = settings::openai_tool_choice(body);
    request.parallel_tool_calls = json::bool_at(body, &["parallel_tool_calls"]);
    request.response_format = settings::chat_response_format(body, content);
    request.metadata = settings::metadata(body);
    if content {
        request.messages = parts::messages(body);
    }
}

/// The tools on offer, and the functions that were there before tools.
pub(crate) fn definitions(body: &Value, content: bool) -> Vec<ToolDefinition> {
    let tools = ["tools", "functions"].into_iter().flat_map(|key| json::array_at(body, &[key]));
    tools.filter_map(|tool| definition(tool, content)).collect()
}

/// The kind of output that the request asks for, where it says so.
fn output_type(body: &Value) -> Option<&'static str> {
    let modalities = json::strings_at(body, &["modalities"]);
    if modalities.iter().any(|kind| kind == "audio") {
        return Some("speech");
    }
    if modalities.iter().any(|kind| kind == "image") {
        return Some("image");
    }
    match json::str_at(body, &["response_format", "type"])
        .or_else(|| json::str_at(body, &["response_format"]))?
    {
        "text" => Some("text"),
        "json_object" | "json_schema" | "json" => Some("json"),
        _ => None,
    }
}

/// A tool on offer: nested under `function` or `custom`, flat, or hosted (named by its type).
fn definition(tool: &Value, content: bool) -> Option<ToolDefinition> {
    if !tool.is_object() {
        return None;
    }
    let kind = json::str_at(tool, &["type"]).unwrap_or("function");
    let body = json::at(tool, &["function"]).or_else(|| json::at(tool, &["custom"])).unwrap_or(tool);
    Some(ToolDefinition {
        kind: kind.to_owned(),
        name: json::str_at(body, &["name"]).unwrap_or(kind).to_owned(),
        description: if content { json::string_at(body, &["description"]) } else { None },
        parameters: body.get("parameters").filter(|schema| content && schema.is_object()).cloned(),
    })
}
