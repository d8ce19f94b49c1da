//! Requests of Converse.

use serde_json::Value;

use super::blocks;
use crate::call::{Call, Message, Part, Request, ResponseFormat, ToolChoice, ToolDefinition};
use crate::codec::json;

/// Reads the request body into the call. The model is named by the path.
pub(super) fn fold(body: &Value, content: bool, call: &mut Call) {
    let request = &mut call.request;
    sampling(body, request);
    extra(json::at(body, &["additionalModelRequestFields"]).unwrap_or(&Value::Null), request);
    // Nova's own body has these at its root.
    extra(body, request);
    request.guardrail =
        json::string_at(body, &["guardrailConfig", "guardrailIdentifier"]).or(request.guardrail.take());
    request.service_tier = json::string_at(body, &["serviceTier", "type"]);
    request.speed =
        json::string_at(body, &["performanceConfig", "latency"]).filter(|latency| latency != "standard");
    request.response_format = response_format(body, content);
    request.output_type = request.response_format.as_ref().and_then(|format| match format.kind.as_str() {
        "json_schema" => Some("json".to_owned()),
        "text" => Some("text".to_owned()),
        _ => None,
    });
    if let Some(members) = json::at(body, &["requestMetadata"]).and_then(Value::as_object) {
        let strings =
            members.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        request.metadata = strings.collect();
    }
    let tools = json::array_at(body, &["toolConfig", "tools"]);
    request.tools = tools.iter().filter_map(|tool| definition(tool, content)).collect();
    request.tool_choice = json::at(body, &["toolConfig", "toolChoice"]).and_then(tool_choice);
    if content {
        request.system = blocks::parts(json::array_at(body, &["system"]));
        request.messages = json::array_at(body, &["messages"]).iter().flat_map(messages).collect();
    }
}

fn sampling(body: &Value, request: &mut Request) {
    let Some(config) = json::at(body, &["inferenceConfig"]) else { return };
    request.temperature = json::f64_at(config, &["temperature"]);
    request.top_p = json::f64_at(config, &["topP"]).or_else(|| json::f64_at(config, &["top_p"]));
    request.top_k = json::i64_at(config, &["topK"]).or_else(|| json::i64_at(config, &["top_k"]));
    request.max_tokens =
        json::i64_at(config, &["maxTokens"]).or_else(|| json::i64_at(config, &["max_new_tokens"]));
    request.stop = json::strings_at(config, &["stopSequences"]);
}

/// Settings in the words of the model's vendor.
fn extra(fields: &Value, request: &mut Request) {
    let number = |paths: &[&[&str]]| paths.iter().find_map(|path| json::i64_at(fields, path));
    let word = |paths: &[&[&str]]| paths.iter().find_map(|path| json::string_at(fields, path));
    if let Some(top_k) = number(&[&["top_k"], &["topK"], &["k"], &["inferenceConfig", "topK"]]) {
        request.top_k = Some(top_k);
    }
    if let Some(budget) = number(&[
        &["thinking", "budget_tokens"],
        &["reasoning_config", "budget_tokens"],
        &["reasoningConfig", "budgetTokens"],
    ]) {
        request.reasoning_budget = Some(budget);
    }
    if let Some(level) = word(&[
        &["reasoning_effort"],
        &["output_config", "effort"],
        &["outputConfig", "effort"],
        &["reasoningConfig", "maxReasoningEffort"],
        &["reasoning_config", "maxReasoningEffort"],
    ]) {
        request.reasoning_level = Some(level);
    }
}

/// `outputConfig.textFormat`. The schema is JSON within a string.
fn response_format(body: &Value, content: bool) -> Option<ResponseFormat> {
    let format = json::at(body, &["outputConfig", "textFormat"])?;
    let schema = json::at(format, &["structure", "jsonSchema"]);
    Some(ResponseFormat {
        kind: json::string_at(format, &["type"])?,
        name: schema.and_then(|schema| json::string_at(schema, &["name"])),
        schema: schema
            .filter(|_| content)
            .and_then(|schema| json::at(schema, &["schema"]))
            .and_then(json::arguments_value),
        strict: None,
    })
}

/// A tool on offer: the client's, or one that the service runs.
fn definition(tool: &Value, content: bool) -> Option<ToolDefinition> {
    if let Some(spec) = json::at(tool, &["toolSpec"]) {
        return Some(ToolDefinition {
            kind: "function".to_owned(),
            name: json::string_at(spec, &["name"]).unwrap_or_default(),
            description: if content { json::string_at(spec, &["description"]) } else { None },
            parameters: json::at(spec, &["inputSchema", "json"])
                .filter(|schema| content && schema.is_object())
                .cloned(),
        });
    }
    let name = json::string_at(tool, &["systemTool", "name"])?;
    Some(ToolDefinition { kind: "systemTool".to_owned(), name, ..ToolDefinition::default() })
}

fn tool_choice(choice: &Value) -> Option<ToolChoice> {
    let (kind, value) = choice.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "tool" => match json::string_at(value, &["name"]) {
            Some(name) => ToolChoice::Tool(name),
            None => ToolChoice::Other(choice.clone()),
        },
        _ => ToolChoice::Other(choice.clone()),
    })
}

/// One message of the history, or several: tool results become messages with role `tool`, in the order of the blocks.
fn messages(message: &Value) -> Vec<Message> {
    let role = json::str_at(message, &["role"]).unwrap_or("user");
    let all = json::array_at(message, &["content"]);
    let built = |role: &str, parts: Vec<Part>| Message {
        role: role.to_owned(),
        parts,
        name: None,
        finish_reason: None,
    };
    let runs: Vec<Message> = all
        .chunk_by(|a, b| blocks::is_tool_result(a) == blocks::is_tool_result(b))
        .map(|run| {
            let role = if run.first().is_some_and(blocks::is_tool_result) { "tool" } else { role };
            built(role, blocks::parts(run))
        })
        .filter(|message| !message.parts.is_empty())
        .collect();
    if runs.is_empty() { vec![built(role, Vec::new())] } else { runs }
}
