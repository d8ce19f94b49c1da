//! Settings that steer the form of an answer, as OpenAI's APIs and Anthropic's write them.

use serde_json::Value;

use super::content::scrubbed;
use super::json;
use crate::call::{ResponseFormat, ToolChoice};

/// `tool_choice` of chat completions (names nested) and Responses (names flat). `any` is Mistral's word.
pub(crate) fn openai_tool_choice(body: &Value) -> Option<ToolChoice> {
    let choice = json::at(body, &["tool_choice"])?;
    if let Some(word) = choice.as_str() {
        return Some(match word {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" | "any" => ToolChoice::Required,
            _ => ToolChoice::Other(choice.clone()),
        });
    }
    let nested = ["function", "custom"].iter().find_map(|kind| json::string_at(choice, &[kind, "name"]));
    let flat = || {
        let function = matches!(json::str_at(choice, &["type"]), Some("function" | "custom"));
        json::string_at(choice, &["name"]).filter(|_| function)
    };
    Some(nested.or_else(flat).map_or_else(|| ToolChoice::Other(scrubbed(choice)), ToolChoice::Tool))
}

/// `response_format` of chat completions.
pub(crate) fn chat_response_format(body: &Value, content: bool) -> Option<ResponseFormat> {
    let format = json::at(body, &["response_format"])?;
    let kind = json::str_at(format, &["type"]).or_else(|| format.as_str())?;
    let schema = json::at(format, &["json_schema"]).unwrap_or(format);
    Some(described(kind, schema, content))
}

/// `text.format` of Responses.
pub(crate) fn responses_format(body: &Value, content: bool) -> Option<ResponseFormat> {
    let format = json::at(body, &["text", "format"])?;
    Some(described(json::str_at(format, &["type"])?, format, content))
}

/// `output_config.format` of Messages, or `output_format` as its beta had it.
pub(crate) fn anthropic_format(body: &Value, content: bool) -> Option<ResponseFormat> {
    let format =
        json::at(body, &["output_config", "format"]).or_else(|| json::at(body, &["output_format"]))?;
    Some(described(json::str_at(format, &["type"])?, format, content))
}

fn described(kind: &str, holder: &Value, content: bool) -> ResponseFormat {
    ResponseFormat {
        kind: kind.to_owned(),
        name: json::string_at(holder, &["name"]),
        schema: json::at(holder, &["schema"]).filter(|schema| content && schema.is_object()).cloned(),
        strict: json::bool_at(holder, &["strict"]),
    }
}

/// `tool_choice` of Messages, and whether it allows several calls in one answer.
pub(crate) fn anthropic_tool_choice(body: &Value) -> (Option<ToolChoice>, Option<bool>) {
    let Some(choice) = json::at(body, &["tool_choice"]) else { return (None, None) };
    let parallel = json::bool_at(choice, &["disable_parallel_tool_use"]).map(|disabled| !disabled);
    let chosen = match json::str_at(choice, &["type"]) {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("any") => ToolChoice::Required,
        Some("tool") => match json::string_at(choice, &["name"]) {
            Some(name) => ToolChoice::Tool(name),
            None => ToolChoice::Other(scrubbed(choice)),
        },
        _ => ToolChoice::Other(scrubbed(choice)),
    };
    (Some(chosen), parallel)
}

/// String members of `metadata`.
pub(crate) fn metadata(body: &Value) -> Vec<(String, String)> {
    let members = json::at(body, &["metadata"]).and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn choices() {
        for (body, expected) in [
            (json!({"tool_choice": "required"}), ToolChoice::Required),
            (
                json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}),
                ToolChoice::Tool("f".into()),
            ),
            (json!({"tool_choice": {"type": "function", "name": "f"}}), ToolChoice::Tool("f".into())),
            (
                json!({"tool_choice": {"type": "file_search"}}),
                ToolChoice::Other(json!({"type": "file_search"})),
            ),
        ] {
            assert_eq!(openai_tool_choice(&body), Some(expected));
        }
        let body = json!({"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true}});
        assert_eq!(anthropic_tool_choice(&body), (Some(ToolChoice::Tool("f".into())), Some(false)));
        assert_eq!(anthropic_tool_choice(&json!({})), (None, None));
    }

    #[test]
    fn formats() {
        let schema = json!({"type": "object"});
        let chat = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": true}}});
        let responses = json!({"text": {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": true}}});
        assert_eq!(chat_response_format(&chat, true), responses_format(&responses, true));
        assert_eq!(chat_response_format(&chat, false).and_then(|format| format.schema), None);
        assert_eq!(
            chat_response_format(&json!({"response_format": "json_object"}), true).map(|format| format.kind),
            Some("json_object".into())
        );
    }
}
