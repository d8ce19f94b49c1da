//! Requests of `generateContent`, and the settings that live sessions share with it.

use serde_json::Value;

use super::names::{self, ASKED, CALLING};
use super::parts;
use crate::call::{Call, Request, ResponseFormat, ToolChoice, ToolDefinition};
use crate::codec::content::scrubbed;
use crate::codec::json;

/// Reads the request body into the call. The model stands in the path.
pub(super) fn fold(body: &Value, content: bool, call: &mut Call) {
    let request = &mut call.request;
    settings(body, content, request);
    if request.service_tier.is_none() {
        request.service_tier = names::string(body, &["serviceTier"]);
    }
    if let Some(labels) = names::get(body, &["labels"]).and_then(Value::as_object) {
        request.metadata = labels
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
    }
    if content {
        request.messages = names::get(body, &["contents"]).map(parts::messages).unwrap_or_default();
    }
}

/// Generation settings, tools and system instruction of a request or of a live session's setup.
pub(in crate::codec) fn settings(body: &Value, content: bool, request: &mut Request) {
    let config = names::get(body, &["generationConfig"]).unwrap_or(&Value::Null);
    let number = |key: &str| names::get(config, &[key]).and_then(Value::as_f64);
    request.temperature = number("temperature");
    request.top_p = number("topP");
    request.top_k = names::integer(config, &["topK"]);
    request.max_tokens = names::integer(config, &["maxOutputTokens"]);
    request.frequency_penalty = number("frequencyPenalty");
    request.presence_penalty = number("presencePenalty");
    request.seed = names::integer(config, &["seed"]);
    request.choice_count = names::integer(config, &["candidateCount"]);
    request.stop =
        names::get(config, &["stopSequences"]).map(|stop| json::strings_at(stop, &[])).unwrap_or_default();
    request.reasoning_level = names::string(config, &["thinkingConfig", "thinkingLevel"]);
    request.reasoning_budget = names::integer(config, &["thinkingConfig", "thinkingBudget"]);
    request.response_format = response_format(config, content);
    request.output_type = output_type(config).map(str::to_owned);
    request.tools =
        names::array(body, &["tools"]).iter().flat_map(|tool| definitions(tool, content)).collect();
    request.tool_choice = names::get(body, &["toolConfig", "functionCallingConfig"]).and_then(tool_choice);
    if content {
        request.system = names::get(body, &["systemInstruction"]).map(parts::parts).unwrap_or_default();
    }
}

/// text, json, image or speech.
fn output_type(config: &Value) -> Option<&'static str> {
    let asked: Vec<String> = names::array(config, &["responseModalities"])
        .iter()
        .filter_map(|modality| names::word(modality, ASKED))
        .map(|modality| modality.to_uppercase())
        .collect();
    let asks = |modality: &str| asked.iter().any(|asked| asked == modality);
    if asks("AUDIO") {
        return Some("speech");
    }
    if asks("IMAGE") {
        return Some("image");
    }
    match names::string(config, &["responseMimeType"]).as_deref() {
        Some("application/json") => Some("json"),
        Some("text/plain") => Some("text"),
        Some(_) => None,
        None => asks("TEXT").then_some("text"),
    }
}

/// The media type asked for, and the schema for JSON.
fn response_format(config: &Value, content: bool) -> Option<ResponseFormat> {
    let schema = ["responseSchema", "responseJsonSchema", "_responseJsonSchema"]
        .iter()
        .find_map(|key| names::get(config, &[key]));
    let mime = names::string(config, &["responseMimeType"]);
    let kind = match (mime.as_deref(), schema) {
        (Some("application/json") | None, Some(_)) => "json_schema".to_owned(),
        (Some("application/json"), None) => "json_object".to_owned(),
        (Some("text/plain"), _) => "text".to_owned(),
        (Some(other), _) => other.to_owned(),
        (None, None) => return None,
    };
    Some(ResponseFormat { kind, name: None, schema: schema.filter(|_| content).cloned(), strict: None })
}

/// `functionCallingConfig`: one allowed name under `ANY` is a tool that must be called.
fn tool_choice(config: &Value) -> Option<ToolChoice> {
    let mode = names::get(config, &["mode"]).and_then(|mode| names::word(mode, CALLING))?;
    let allowed = names::get(config, &["allowedFunctionNames"]).map(|names| json::strings_at(names, &[]));
    Some(match (mode.to_uppercase().as_str(), allowed.as_deref()) {
        ("AUTO", None | Some([])) => ToolChoice::Auto,
        ("NONE", _) => ToolChoice::None,
        ("ANY", Some([only])) => ToolChoice::Tool(only.clone()),
        ("ANY", None | Some([])) => ToolChoice::Required,
        _ => ToolChoice::Other(scrubbed(config)),
    })
}

/// The tools of one element of `tools`: functions, each of its own name, and tools that the provider runs, named by their member.
fn definitions(tool: &Value, content: bool) -> Vec<ToolDefinition> {
    let Value::Object(members) = tool else { return Vec::new() };
    let mut out = Vec::new();
    for (key, value) in members {
        if matches!(key.as_str(), "functionDeclarations" | "function_declarations") {
            out.extend(
                names::array(tool, &["functionDeclarations"])
                    .iter()
                    .map(|function| definition(function, content)),
            );
        } else if value.is_object() {
            out.push(ToolDefinition { kind: key.clone(), name: key.clone(), ..ToolDefinition::default() });
        }
    }
    out
}

fn definition(function: &Value, content: bool) -> ToolDefinition {
    let schema =
        names::get(function, &["parameters"]).or_else(|| names::get(function, &["parametersJsonSchema"]));
    ToolDefinition {
        kind: "function".to_owned(),
        name: names::string(function, &["name"]).unwrap_or_default(),
        description: if content { names::string(function, &["description"]) } else { None },
        parameters: schema.filter(|schema| content && schema.is_object()).cloned(),
    }
}
