//! Requests of the Interactions API.

use serde_json::Value;

use super::parts;
use crate::call::{Call, Part, ResponseFormat, ToolChoice, ToolDefinition};
use crate::codec::content::scrubbed;
use crate::codec::json;

/// Reads the request body into the call.
pub(super) fn fold(body: &Value, content: bool, call: &mut Call) {
    let request = &mut call.request;
    let config = json::at(body, &["generation_config"]).unwrap_or(&Value::Null);
    request.model = json::string_at(body, &["model"]);
    request.agent = json::string_at(body, &["agent"]);
    request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
    request.temperature = json::f64_at(config, &["temperature"]);
    request.top_p = json::f64_at(config, &["top_p"]);
    request.max_tokens = json::i64_at(config, &["max_output_tokens"]);
    request.seed = json::i64_at(config, &["seed"]);
    request.stop = json::strings_at(config, &["stop_sequences"]);
    request.reasoning_level = json::string_at(config, &["thinking_level"]);
    request.tool_choice = json::at(config, &["tool_choice"]).map(tool_choice);
    request.previous_response_id = json::string_at(body, &["previous_interaction_id"]);
    request.service_tier = json::string_at(body, &["service_tier"]);
    let labels = json::at(body, &["labels"]).and_then(Value::as_object).into_iter().flatten();
    request.metadata =
        labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    request.response_format = response_format(body, content);
    request.output_type = output_type(body, request.response_format.as_ref()).map(str::to_owned);
    request.tools =
        json::array_at(body, &["tools"]).iter().filter_map(|tool| definition(tool, content)).collect();
    if content {
        request.system = json::string_at(body, &["system_instruction"]).map(Part::Text).into_iter().collect();
        request.messages = body.get("input").map(parts::input).unwrap_or_default();
    }
}

/// A mode, or an object with a mode and the tools that are allowed.
fn tool_choice(choice: &Value) -> ToolChoice {
    match choice.as_str() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("any") => ToolChoice::Required,
        _ => {
            let allowed = json::at(choice, &["allowed_tools"]).unwrap_or(choice);
            let tools = json::strings_at(allowed, &["tools"]);
            match (json::str_at(allowed, &["mode"]), tools.as_slice()) {
                (Some("any"), [only]) => ToolChoice::Tool(only.clone()),
                _ => ToolChoice::Other(scrubbed(choice)),
            }
        }
    }
}

/// `response_format`: an object of a type (`text` with a media type and a schema), a list of such, or the bare schema.
fn response_format(body: &Value, content: bool) -> Option<ResponseFormat> {
    let given = json::at(body, &["response_format"]);
    let given = given.and_then(|given| given.as_array().map_or(Some(given), |list| list.first()));
    let mime = given
        .and_then(|format| json::str_at(format, &["mime_type"]))
        .or_else(|| json::str_at(body, &["response_mime_type"]));
    let typed = given.and_then(|format| json::str_at(format, &["type"]));
    let schema = given.and_then(|format| match typed {
        Some("text" | "image" | "audio" | "video") => json::at(format, &["schema"]),
        _ => Some(format),
    });
    let kind = match (typed, mime, schema) {
        (_, _, Some(_)) => "json_schema",
        (_, Some("application/json"), None) => "json_object",
        (Some(kind), _, None) => kind,
        (None, Some("text/plain"), None) => "text",
        _ => return None,
    };
    let schema = schema.filter(|_| content).cloned();
    Some(ResponseFormat { kind: kind.to_owned(), name: None, schema, strict: None })
}

fn output_type(body: &Value, format: Option<&ResponseFormat>) -> Option<&'static str> {
    let asked = json::strings_at(body, &["response_modalities"]);
    let asks = |kind: &str| asked.iter().any(|asked| asked.eq_ignore_ascii_case(kind));
    match format.map_or("", |format| format.kind.as_str()) {
        "json_schema" | "json_object" => Some("json"),
        "image" => Some("image"),
        "audio" => Some("speech"),
        _ if asks("audio") => Some("speech"),
        _ if asks("image") => Some("image"),
        "text" => Some("text"),
        _ => asks("text").then_some("text"),
    }
}

/// A function, or a tool of another type, named by its name or its type.
fn definition(tool: &Value, content: bool) -> Option<ToolDefinition> {
    let kind = json::str_at(tool, &["type"])?;
    Some(ToolDefinition {
        kind: kind.to_owned(),
        name: json::str_at(tool, &["name"]).unwrap_or(kind).to_owned(),
        description: if content { json::string_at(tool, &["description"]) } else { None },
        parameters: json::at(tool, &["parameters"]).filter(|schema| content && schema.is_object()).cloned(),
    })
}
