//! Credentials and opaque material in JSON bodies.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::text::redact_text;
use super::{REDACTED, names};

/// Members that only their provider can read: dropped wherever they stand.
const OPAQUE: &[&str] = &["encrypted_content", "encrypted_index", "thoughtSignature", "thought_signature"];

/// Replaces credentials in a body or part of one, drops opaque material, and cleans every text.
///
/// Schemas keep their shape: a *property* called `password` stays as long as its value is an object.
pub fn redact_json(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(cleaned) = redact_text(text) {
                *text = cleaned;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_json),
        Value::Object(members) => object(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn object(members: &mut Map<String, Value>) {
    let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
    let thinking = members.contains_key("thinking")
        || matches!(kind, "thinking" | "signature_delta")
        || kind.starts_with("reasoning");
    let sealed = matches!(kind, "redacted_thinking" | "reasoning.encrypted");
    let remote = kind == "mcp" || members.contains_key("server_url");
    members.retain(|name, value| {
        let opaque = OPAQUE.contains(&name.as_str())
            || (name == "signature" && thinking)
            || (name == "data" && sealed);
        !(opaque && value.is_string())
    });
    for (name, value) in members {
        if names::is_secret_member(name) {
            secret(value);
        } else if name == "headers" {
            headers(value, remote);
        } else {
            redact_json(value);
        }
    }
}

/// A value that is a credential by its name. An object is looked into: a schema of such a value has no secret.
fn secret(value: &mut Value) {
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(_) | Value::Number(_) => *value = Value::String(REDACTED.to_owned()),
        Value::Array(items) => items.iter_mut().for_each(secret),
        Value::Object(_) => redact_json(value),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Header fields inside a body: those of a remote tool are all taken for secrets.
fn headers(value: &mut Value, remote: bool) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if remote || names::is_secret_header(name) { secret(value) } else { redact_json(value) }
            }
        }
        other => redact_json(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn redacted(mut value: Value) -> Value {
        redact_json(&mut value);
        value
    }

    #[test]
    fn tools_and_servers_keep_their_shape_and_lose_their_secrets() {
        assert_eq!(
            redacted(json!({"tools": [{
                "type": "mcp", "server_url": "https://m.example/?api_key=abc", "authorization": "tok",
                "headers": {"X-Custom": "v"}}],
                "mcp_servers": [{"name": "a", "authorization_token": "tok"}]})),
            json!({"tools": [{
                "type": "mcp", "server_url": "https://m.example/?api_key=[redacted]", "authorization": "[redacted]",
                "headers": {"X-Custom": "[redacted]"}}],
                "mcp_servers": [{"name": "a", "authorization_token": "[redacted]"}]})
        );
        assert_eq!(
            redacted(
                json!({"headers": {"x-api-key": "v", "accept": "json"}, "client_secret": {"value": "ek_68af296e8e408191a1120ab6383263c2"}})
            ),
            json!({"headers": {"x-api-key": "[redacted]", "accept": "json"}, "client_secret": {"value": "[redacted]"}})
        );
    }

    #[test]
    fn opaque_material_is_dropped() {
        assert_eq!(
            redacted(json!([
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "reasoning", "encrypted_content": "gAAA", "summary": []},
                {"text": "a", "thoughtSignature": "CpA"},
                {"type": "reasoning.encrypted", "data": "gAAA"},
            ])),
            json!([
                {"type": "thinking", "thinking": "hm"},
                {"type": "redacted_thinking"},
                {"type": "reasoning", "summary": []},
                {"text": "a"},
                {"type": "reasoning.encrypted"},
            ])
        );
    }

    #[test]
    fn what_only_looks_alike_stays() {
        let same = [
            json!({"logprobs": {"content": [{"token": "Hello", "logprob": -0.1}]}}),
            json!({"type": "object", "properties": {"password": {"type": "string"}, "api_key": {"description": "d"}}}),
            json!({"signature": "fn main()", "data": [1]}),
            json!({"password": null, "secret": true, "api_key": ""}),
        ];
        for value in same {
            assert_eq!(redacted(value.clone()), value);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[a-z sk\\-]{0,30}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let name = prop_oneof![
                "[a-z]{1,6}",
                Just("headers".to_owned()),
                Just("api_key".to_owned()),
                Just("type".to_owned())
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((name, inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn doing_it_twice_changes_nothing_more(value in value()) {
            let once = redacted(value);
            prop_assert_eq!(redacted(once.clone()), once);
        }

        #[test]
        fn a_secret_never_survives_under_its_name(value in value(), secret in "[A-Za-z0-9]{12,40}") {
            let body = json!({"api_key": secret, "x": [value], "y": {"authorization_token": [secret]}});
            prop_assert!(!redacted(body).to_string().contains(&secret));
        }
    }
}
