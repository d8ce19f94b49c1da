//! The normal form: one conversation, one shape, whatever API it was read from.
//!
//! - Instructions at the beginning of the history stand apart, in `system`; roles are system, user, assistant and tool.
//! - Messages in a row by the same speaker are one; messages without parts are none.
//! - In an answer, text after text is one text, and so is reasoning.
//! - A call of a client's tool is a `function` or `custom` call, and has arguments (an empty object at least).
//! - A function on offer has a schema (of an empty object at least). Plain text is no format asked for.
//! - Finish reasons are `stop`, `length`, `tool_calls`, `content_filter`, `refusal`, or the provider's own word.

use serde_json::{Value, json};

use crate::call::{Call, Message, Part, Request, Response, ToolCall, ToolDefinition};

/// A request in its normal form.
#[must_use]
pub fn request(request: &Request) -> Request {
    let mut out = request.clone();
    let mut history = std::mem::take(&mut out.messages).into_iter().peekable();
    while let Some(message) = history.next_if(|message| is_system(&message.role)) {
        out.system.extend(message.parts);
    }
    out.system = out.system.into_iter().filter_map(part).collect();
    out.messages = messages(history);
    for tool in &mut out.tools {
        definition(tool);
    }
    if out.response_format.as_ref().is_some_and(|format| format.kind == "text") {
        out.response_format = None;
    }
    // JSON asked for follows from the format, text is what is given anyway.
    if matches!(out.output_type.as_deref(), Some("text" | "json")) {
        out.output_type = None;
    }
    out.service_tier = out.service_tier.filter(|tier| tier != "auto");
    out.choice_count = out.choice_count.filter(|count| *count != 1);
    out
}

/// A call whose response is in its normal form. A response that names no model has the one that was asked for.
#[must_use]
pub fn call(call: &Call) -> Call {
    let mut out = call.clone();
    out.response = response(&call.response);
    if out.response.model.is_none() {
        out.response.model.clone_from(&call.request.model);
    }
    out
}

/// A response in its normal form.
#[must_use]
pub fn response(response: &Response) -> Response {
    let mut out = response.clone();
    out.tool_calls.iter_mut().for_each(tool_call);
    for message in &mut out.messages {
        message.role = role(&message.role).to_owned();
        message.parts = joined(std::mem::take(&mut message.parts).into_iter().filter_map(part));
    }
    let calls = |index: usize| {
        let message = out.messages.get(index);
        match message {
            Some(message) => message.parts.iter().any(|part| matches!(part, Part::ToolCall(_))),
            None => index == 0 && out.tool_calls.iter().any(|call| is_client_kind(&call.kind)),
        }
    };
    let reasons: Vec<String> = out
        .finish_reasons
        .iter()
        .enumerate()
        .map(|(index, word)| {
            let word = reason(word);
            // Gemini stops to have its tools called.
            if word == "stop" && calls(index) { "tool_calls".to_owned() } else { word }
        })
        .collect();
    for (message, reason) in out.messages.iter_mut().zip(&reasons) {
        message.finish_reason = Some(reason.clone());
    }
    out.finish_reasons = reasons;
    out
}

/// A finish reason in the normal words.
#[must_use]
pub fn reason(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    match lower.as_str() {
        "stop" | "end_turn" | "stop_sequence" | "complete" | "completed" | "eos" | "eos_token" => "stop",
        "length" | "max_tokens" | "max_output_tokens" | "model_length" | "model_context_window_exceeded" => {
            "length"
        }
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => "tool_calls",
        "content_filter"
        | "content_filtered"
        | "guardrail_intervened"
        | "safety"
        | "recitation"
        | "blocklist"
        | "prohibited_content"
        | "spii" => "content_filter",
        "refusal" => "refusal",
        other => other,
    }
    .to_owned()
}

fn is_system(role: &str) -> bool {
    matches!(role, "system" | "developer")
}

fn role(role: &str) -> &str {
    match role {
        "developer" => "system",
        "function" => "tool",
        "model" => "assistant",
        role => role,
    }
}

fn messages(history: impl Iterator<Item = Message>) -> Vec<Message> {
    let mut out: Vec<Message> = Vec::new();
    for message in history {
        let parts: Vec<Part> = message.parts.into_iter().filter_map(part).collect();
        let said = role(&message.role);
        for run in parts.chunk_by(|a, b| is_result(a) == is_result(b)) {
            // Results of tools are the tools' words, whoever hands them over.
            let handed_over = said == "user" && run.first().is_some_and(is_result);
            let role = if handed_over { "tool" } else { said };
            match out.last_mut() {
                Some(last) if last.role == role && last.name == message.name => {
                    last.parts.extend_from_slice(run);
                }
                _ => out.push(Message {
                    role: role.to_owned(),
                    parts: run.to_vec(),
                    name: message.name.clone(),
                    finish_reason: None,
                }),
            }
        }
    }
    out
}

fn is_result(part: &Part) -> bool {
    matches!(part, Part::ToolCallResponse { .. })
}

fn part(part: Part) -> Option<Part> {
    match part {
        Part::Text(text) | Part::Reasoning(text) if text.is_empty() => None,
        Part::ToolCall(mut call) => {
            tool_call(&mut call);
            Some(Part::ToolCall(call))
        }
        Part::Blob { modality, mime_type, content } if mime_type.as_deref() == Some("audio/mp3") => {
            Some(Part::Blob { modality, mime_type: Some("audio/mpeg".to_owned()), content })
        }
        part => Some(part),
    }
}

/// Text after text is one text, and so is reasoning: a stream tells no border between them.
fn joined(parts: impl Iterator<Item = Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    for part in parts {
        match (out.last_mut(), part) {
            (Some(Part::Text(text)), Part::Text(more))
            | (Some(Part::Reasoning(text)), Part::Reasoning(more)) => {
                text.push_str(&more);
            }
            (_, part) => out.push(part),
        }
    }
    out
}

/// Kinds of calls that the client carries out with a tool of its own.
fn is_client_kind(kind: &str) -> bool {
    matches!(
        kind,
        "function"
            | "tool_use"
            | "function_call"
            | "toolUse"
            | "functionCall"
            | "custom"
            | "custom_tool_call"
    )
}

fn tool_call(call: &mut ToolCall) {
    if !is_client_kind(&call.kind) {
        return;
    }
    call.kind = if call.kind.starts_with("custom") { "custom" } else { "function" }.to_owned();
    if call.kind == "function" && call.arguments.is_none() {
        call.arguments = Some(json!({}));
    }
}

fn definition(tool: &mut ToolDefinition) {
    let no_schema = tool
        .parameters
        .as_ref()
        .is_none_or(|schema| schema.as_object().is_none_or(serde_json::Map::is_empty));
    if tool.kind == "function" && no_schema {
        tool.parameters = Some(json!({"type": "object", "properties": {}}));
    }
    tool.parameters = tool.parameters.take().filter(Value::is_object);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, text: &str) -> Message {
        Message { role: role.into(), parts: vec![Part::Text(text.into())], name: None, finish_reason: None }
    }

    #[test]
    fn histories() {
        let given = Request {
            messages: vec![
                message("system", "a"),
                message("developer", "b"),
                message("user", "c"),
                message("user", "d"),
                message("user", ""),
                message("system", "e"),
            ],
            ..Request::default()
        };
        let normal = request(&given);
        assert_eq!(normal.system, [Part::Text("a".into()), Part::Text("b".into())]);
        let roles: Vec<(&str, usize)> =
            normal.messages.iter().map(|message| (message.role.as_str(), message.parts.len())).collect();
        assert_eq!(roles, [("user", 2), ("system", 1)]);
        assert_eq!(request(&normal).messages, normal.messages);
    }

    #[test]
    fn reasons() {
        for (word, expected) in [
            ("end_turn", "stop"),
            ("MAX_TOKENS", "length"),
            ("tool_use", "tool_calls"),
            ("SAFETY", "content_filter"),
            ("pause_turn", "pause_turn"),
        ] {
            assert_eq!(reason(word), expected);
        }
        let call =
            Part::ToolCall(ToolCall { name: "f".into(), kind: "function".into(), ..ToolCall::default() });
        let given = Response {
            finish_reasons: vec!["STOP".into()],
            messages: vec![Message {
                role: "model".into(),
                parts: vec![call],
                name: None,
                finish_reason: None,
            }],
            ..Response::default()
        };
        assert_eq!(response(&given).finish_reasons, ["tool_calls"]);
    }
}
