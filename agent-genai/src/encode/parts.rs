//! What the forms share about parts: data URLs, tool results as text, ids that must be there.

use serde_json::{Map, Value, json};

use super::loss::Losses;
use crate::call::{Part, ToolCall};

/// Text for tool results that are no text.
pub(super) const AS_TEXT: &str = "the form takes text: JSON stands in its place";
/// The mark of a failed tool.
pub(super) const NO_MARK: &str = "the form cannot mark a tool result as failed: only its content was written";
/// The order of what the model said.
pub(super) const ORDER: &str = "the form has a fixed order of reasoning, text and calls";

/// Base64 as a data URL (RFC 2397).
pub(super) fn data_url(mime: Option<&str>, content: &str) -> String {
    format!("data:{};base64,{content}", mime.unwrap_or_default())
}

/// Arguments as the JSON text that OpenAI's APIs carry.
pub(super) fn arguments_text(call: &ToolCall) -> String {
    match &call.arguments {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Arguments as the object that the other forms carry.
pub(super) fn arguments_object(call: &ToolCall, losses: &mut Losses) -> Value {
    match &call.arguments {
        Some(value @ Value::Object(_)) => value.clone(),
        None => json!({}),
        Some(other) => {
            losses.add(
                format!("arguments of {}", call.name),
                "the form takes an object: it holds them as `arguments`",
            );
            json!({ "arguments": other })
        }
    }
}

/// The id of a call; one of our own making where the source has none and the form needs one.
pub(super) fn call_id(id: Option<&String>, number: usize, losses: &mut Losses) -> String {
    id.cloned().unwrap_or_else(|| {
        losses.add("id of a tool call", "the source has none and the form needs one: one was made");
        format!("call_{number}")
    })
}

/// A tool result, and whether it is marked as failed (as Messages and Converse do).
pub(super) fn result(response: &Value) -> (bool, &Value) {
    match response {
        Value::Object(members)
            if members.len() == 2 && members.get("is_error") == Some(&Value::Bool(true)) =>
        {
            (true, members.get("content").unwrap_or(response))
        }
        response => (false, response),
    }
}

/// A tool result as text.
pub(super) fn result_text(response: &Value, losses: &mut Losses) -> String {
    let (failed, content) = result(response);
    if failed {
        losses.add("failure of a tool", NO_MARK);
    }
    match content {
        Value::String(text) => text.clone(),
        other => {
            losses.add("structured result of a tool", AS_TEXT);
            other.to_string()
        }
    }
}

/// Name of a part, for a loss.
pub(super) fn name(part: &Part) -> String {
    match part {
        Part::Text(_) => "text".to_owned(),
        Part::Reasoning(_) => "reasoning".to_owned(),
        Part::ToolCall(call) => format!("call of {}", call.name),
        Part::ToolCallResponse { .. } => "result of a tool".to_owned(),
        Part::ServerToolCall { name, .. } => format!("call of the provider's {name}"),
        Part::ServerToolCallResponse { .. } => "result of a provider's tool".to_owned(),
        Part::Blob { modality, .. } => format!("inline {modality}"),
        Part::File { modality, .. } => format!("{modality} by file id"),
        Part::Uri { modality, .. } => format!("{modality} by address"),
        Part::Generic { kind, .. } => format!("part {kind}"),
    }
}

/// Whether reasoning comes before text, and text before calls.
pub(super) fn is_in_order(parts: &[Part]) -> bool {
    let rank = |part: &Part| match part {
        Part::Reasoning(_) => 0,
        Part::Text(_) => 1,
        Part::ToolCall(_) => 3,
        _ => 2,
    };
    parts.is_sorted_by_key(rank)
}

/// An object without the members that are null.
pub(super) fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let members = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(members.map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}
