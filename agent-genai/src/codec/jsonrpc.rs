//! JSON-RPC 2.0: what a message is. Shared by MCP and A2A.

use serde_json::Value;

use super::json;
use crate::call::CallError;
use crate::codec::error;
use crate::skim;

/// Longest id kept, in bytes.
const MAX_ID: usize = 256;

/// One message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Message<'a> {
    /// Wants an answer.
    Request { id: &'a Value, method: &'a str, params: &'a Value },
    /// Wants none.
    Notification { method: &'a str, params: &'a Value },
    /// A result or an error. The id is null when the request could not be read.
    Answer { id: &'a Value, outcome: Result<&'a Value, &'a Value> },
}

/// Reads a message; `None` when it is no JSON-RPC 2.0.
pub(super) fn read(value: &Value) -> Option<Message<'_>> {
    if json::str_at(value, &["jsonrpc"]) != Some("2.0") {
        return None;
    }
    let id = value.get("id").unwrap_or(&Value::Null);
    let params = value.get("params").unwrap_or(&Value::Null);
    if let Some(method) = json::str_at(value, &["method"]) {
        let method = skim::text_head(method).0;
        return Some(match id {
            Value::Null => Message::Notification { method, params },
            _ => Message::Request { id, method, params },
        });
    }
    if let Some(error) = json::at(value, &["error"]) {
        return Some(Message::Answer { id, outcome: Err(error) });
    }
    value.get("result").map(|result| Message::Answer { id, outcome: Ok(result) })
}

/// An id as text; `None` when it is none, or longer than any sender makes it.
pub(super) fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::String(text) if text.len() <= MAX_ID => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The error of an answer, and its code.
pub(super) fn failure(value: &Value) -> (CallError, Option<i64>) {
    let code = json::i64_at(value, &["code"]);
    let message = skim::text_head(json::str_at(value, &["message"]).unwrap_or_default()).0;
    let kind = code.map_or_else(|| "_OTHER".to_owned(), |code| code.to_string());
    (error::own(&kind, message), code)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_by_their_members() {
        let request = json!({"jsonrpc": "2.0", "id": 0, "method": "ping"});
        assert!(matches!(read(&request), Some(Message::Request { method: "ping", .. })));
        let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert!(matches!(read(&notification), Some(Message::Notification { .. })));
        let answer = json!({"jsonrpc": "2.0", "id": "a", "result": {}});
        assert!(matches!(read(&answer), Some(Message::Answer { outcome: Ok(_), .. })));
        let failed = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "m"}});
        assert!(matches!(read(&failed), Some(Message::Answer { outcome: Err(_), .. })));
        for none in [
            json!({"id": 1, "method": "a"}),
            json!({"jsonrpc": "1.0", "method": "a"}),
            json!({"jsonrpc": "2.0"}),
            json!([1]),
        ] {
            assert_eq!(read(&none), None, "{none}");
        }
        assert_eq!(id_text(&json!(7)).as_deref(), Some("7"));
        assert_eq!(id_text(&json!({})), None);
    }
}
