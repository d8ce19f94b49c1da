//! A span as a flat list of values: content attributes are taken apart to their members, so that a difference has a place.

use std::collections::BTreeMap;

use serde_json::Value;

/// Attributes that hold messages: JSON text with the reference, JSON values with us.
const CONTENT: &[&str] = &[
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
];
/// Members whose value belongs to the application: compared as one.
const OPAQUE: &[&str] =
    &["arguments", "parameters", "response", "server_tool_call", "server_tool_call_response"];

/// Values by their path.
pub(crate) type Flat = BTreeMap<String, Value>;

/// Puts an attribute into the list.
pub(crate) fn attribute(out: &mut Flat, name: &str, value: &Value) {
    if !CONTENT.contains(&name) {
        out.insert(name.to_owned(), value.clone());
        return;
    }
    let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    walk(out, name.to_owned(), parsed.as_ref().unwrap_or(value));
}

fn walk(out: &mut Flat, path: String, value: &Value) {
    match value {
        // The conventions' schemas leave absent members out; the reference writes them as null.
        Value::Null => {}
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                walk(out, format!("{path}[{at}]"), item);
            }
        }
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let path = format!("{path}.{key}");
                if OPAQUE.contains(&key.as_str()) && !value.is_null() {
                    out.insert(path, without_null(value));
                } else {
                    walk(out, path, value);
                }
            }
        }
        value => {
            out.insert(path, value.clone());
        }
    }
}

fn without_null(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_null).collect(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            members.map(|(key, value)| (key.clone(), without_null(value))).collect()
        }
        value => value.clone(),
    }
}

/// The path without positions: `gen_ai.input.messages[].role`.
pub(crate) fn general(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for character in path.chars() {
        inside = inside && character != ']';
        if !inside {
            out.push(character);
        }
        inside = inside || character == '[';
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_taken_apart_whoever_wrote_them() {
        let messages = json!([{"role": "user", "name": null, "parts": [{"type": "tool_call", "arguments": {"a": [1]}}]}]);
        let (mut text, mut value) = (Flat::new(), Flat::new());
        attribute(&mut text, "gen_ai.input.messages", &json!(messages.to_string()));
        attribute(&mut value, "gen_ai.input.messages", &messages);
        assert_eq!(text, value);
        let paths: Vec<&str> = text.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "gen_ai.input.messages[0].parts[0].arguments",
                "gen_ai.input.messages[0].parts[0].type",
                "gen_ai.input.messages[0].role"
            ]
        );
        assert_eq!(
            general("gen_ai.input.messages[0].parts[12].type"),
            "gen_ai.input.messages[].parts[].type"
        );
    }

    #[test]
    fn other_attributes_stay_whole() {
        let mut out = Flat::new();
        attribute(&mut out, "gen_ai.response.finish_reasons", &json!(["stop"]));
        assert_eq!(out.get("gen_ai.response.finish_reasons"), Some(&json!(["stop"])));
    }
}
