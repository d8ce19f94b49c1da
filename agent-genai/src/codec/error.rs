//! `error.type` and message from any provider's error body: nested, flat, FastAPI, AWS-like, HTML or plain text.
//!
//! Bodies as recorded from the providers; no form is required, because proxies answer with pages of their own.

use serde_json::Value;

use super::json;
use crate::call::{Call, CallError};

/// Longest message kept, in bytes.
const MAX_MESSAGE: usize = 2048;
/// Longest `error.type` kept: it must stay a word of low cardinality.
const MAX_KIND: usize = 96;

/// The error of a failed exchange, from its body. `status` is the HTTP status, `None` when the error came inside a stream.
pub(crate) fn from_body(body: &Value, status: Option<u16>) -> CallError {
    let body = unwrapped(body);
    let nested =
        json::at(body, &["error"]).or_else(|| json::at(body, &["errors"]).and_then(|errors| errors.get(0)));
    let kind = nested.filter(|error| error.is_object()).and_then(kind_of).or_else(|| flat_kind_of(body));
    let message = nested.and_then(message_of).or_else(|| message_of(body)).unwrap_or_default();
    build(kind, status, &message)
}

/// The error of a failed exchange whose body is no JSON: the title of a page, or the beginning of the text.
pub(crate) fn from_text(body: &str, status: Option<u16>) -> CallError {
    let text = body.trim();
    let lower = beginning(text, 4096).to_ascii_lowercase();
    let title =
        lower.find("<title>").zip(lower.find("</title>")).and_then(|(from, to)| text.get(from + 7..to));
    match title {
        Some(title) => build(None, status, title),
        None if lower.starts_with('<') => build(None, status, ""),
        None => build(None, status, text),
    }
}

/// The error that a streamed item or a body under a success status carries, if it does: a top-level `error` object or
/// text, `type: "error"`, or (when the event is named so) anything in an `error` event.
pub(crate) fn in_item(event: &str, item: &Value) -> Option<CallError> {
    let item = unwrapped(item);
    let named = event == "error"
        || json::str_at(item, &["type"]) == Some("error")
        || json::str_at(item, &["object"]) == Some("error");
    let carried = match json::at(item, &["error"]) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        _ => false,
    };
    // Cloudflare.
    let refused = json::bool_at(item, &["success"]) == Some(false);
    if !named && !carried && !refused {
        return None;
    }
    let status = ["status_code", "status", "http_status"]
        .iter()
        .find_map(|key| json::u64_at(item, &["error", key]).or_else(|| json::u64_at(item, &[key])));
    // A router says by its code what it would have answered with, had it not begun to.
    let status =
        status.or_else(|| json::u64_at(item, &["error", "code"]).filter(|code| (400..600).contains(code)));
    Some(from_body(item, status.and_then(|status| u16::try_from(status).ok())))
}

/// Notes the error of a body that is one JSON text, if it is one: any body under an error status, else as [`in_item`].
pub(crate) fn note(event: &str, body: &Value, call: &mut Call) {
    match call.http.status.filter(|status| *status >= 400) {
        Some(status) => call.error = Some(from_body(body, Some(status))),
        None => note_item(event, body, call),
    }
}

/// Notes the error of a streamed item, if it is one.
pub(crate) fn note_item(event: &str, item: &Value, call: &mut Call) {
    if let Some(failure) = in_item(event, item) {
        call.error = Some(failure);
    }
}

/// An error with a word of our own, for what no provider said (`stream_truncated`, `no_response` …).
pub(crate) fn own(kind: &str, message: &str) -> CallError {
    CallError { kind: kind.to_owned(), message: clean(message) }
}

/// Gemini's JSON-array mode wraps the error object in an array.
fn unwrapped(body: &Value) -> &Value {
    body.as_array().and_then(|items| items.first()).unwrap_or(body)
}

/// The provider's code when it says more than a number or the general class, else its type, else a status word.
fn kind_of(error: &Value) -> Option<String> {
    let word = |key: &str| json::str_at(error, &[key]).filter(|word| is_word(word));
    let code = word("code").filter(|code| !GENERAL.contains(code));
    let kind = word("type").filter(|kind| *kind != "error");
    let general = kind.is_none_or(|kind| GENERAL.contains(&kind));
    let best = if general { code.or(kind) } else { code.filter(|code| more_exact(code)).or(kind) };
    best.or_else(|| word("code"))
        .or_else(|| word("error_type"))
        .or_else(|| json::str_at(error, &["metadata", "error_type"]).filter(|word| is_word(word)))
        .or_else(|| word("status"))
        .or_else(|| word("reason"))
        .or_else(|| word("__type").map(|kind| kind.rsplit('#').next().unwrap_or(kind)))
        .map(|word| word.replace(' ', "_"))
}

/// A body without a nested error object: its type, because its code is the server's own numbering as often as a word.
fn flat_kind_of(body: &Value) -> Option<String> {
    let kind = json::str_at(body, &["type"]).filter(|kind| *kind != "error" && is_word(kind));
    kind.map(|kind| kind.replace(' ', "_")).or_else(|| kind_of(body))
}

/// Classes so general that a code beside them says more.
const GENERAL: &[&str] = &["invalid_request_error", "error", "api_error", "server_error"];

/// A code beside a type that is not general: wins all the same, because it names the case and the type its family
/// (`rate_limit_exceeded` beside `tokens`), unless it is itself one of the families.
fn more_exact(code: &str) -> bool {
    !GENERAL.contains(&code) && !code.ends_with("_error")
}

/// Whether it can be an `error.type`: no number, no sentence.
fn is_word(text: &str) -> bool {
    text.len() <= MAX_KIND && text.chars().any(char::is_alphabetic) && text.split(' ').count() <= 3
}

fn message_of(error: &Value) -> Option<String> {
    if let Some(text) = error.as_str() {
        return Some(text.to_owned());
    }
    let direct = ["message", "Message", "msg", "error_message", "detail", "error", "reason"];
    for key in direct {
        match json::at(error, &[key]) {
            Some(Value::String(text)) if !text.is_empty() => return Some(text.clone()),
            // FastAPI: {"detail":[{"loc":["body","tools"],"msg":"Field required"}]}; Mistral nests it below message.
            Some(Value::Array(items)) => return Some(details(items)),
            Some(inner @ Value::Object(_)) => {
                if let Some(text) = message_of(inner) {
                    return Some(text);
                }
            }
            _ => {}
        }
    }
    None
}

/// FastAPI's list of validation failures as one line.
fn details(items: &[Value]) -> String {
    let line = |item: &Value| {
        let place: Vec<String> = json::array_at(item, &["loc"])
            .iter()
            .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
            .collect();
        let message = message_of(item).unwrap_or_default();
        if place.is_empty() { message } else { format!("{}: {message}", place.join(".")) }
    };
    items.iter().take(8).map(line).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn build(kind: Option<String>, status: Option<u16>, message: &str) -> CallError {
    let kind =
        kind.or_else(|| status.map(|status| status.to_string())).unwrap_or_else(|| "_OTHER".to_owned());
    CallError { kind, message: clean(message) }
}

/// At most this many bytes of a text, whole characters.
fn beginning(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// One bounded line, control characters and what looks like a secret cut out.
fn clean(message: &str) -> String {
    let line = beginning(message, MAX_MESSAGE).split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(body: &Value, status: u16) -> String {
        from_body(body, Some(status)).kind
    }

    #[test]
    fn nested_bodies() {
        let body = json!({"error": {"message": "m", "type": "invalid_request_error", "param": null, "code": "context_length_exceeded"}});
        assert_eq!(
            from_body(&body, Some(400)),
            CallError { kind: "context_length_exceeded".into(), message: "m".into() }
        );
        assert_eq!(
            kind(&json!({"error": {"type": "tokens", "code": "rate_limit_exceeded"}}), 429),
            "rate_limit_exceeded"
        );
        assert_eq!(
            kind(&json!({"error": {"type": "authentication_error", "code": "invalid_request_error"}}), 401),
            "authentication_error"
        );
        assert_eq!(
            kind(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}), 529),
            "overloaded_error"
        );
        assert_eq!(kind(&json!({"error": {"code": "401", "message": "Access denied"}}), 401), "401");
        assert_eq!(kind(&json!({"error": {"code": 400, "type": "Bad Request"}}), 400), "Bad_Request");
        assert_eq!(
            kind(&json!([{"error": {"code": 404, "status": "NOT_FOUND", "message": "x"}}]), 404),
            "NOT_FOUND"
        );
        assert_eq!(kind(&json!({"error": {"type": "", "code": "404", "message": "x"}}), 404), "404");
    }

    #[test]
    fn flat_bodies() {
        let flat =
            json!({"message": "m", "type": "not_found_error", "param": "model", "code": "model_not_found"});
        assert_eq!(kind(&flat, 404), "not_found_error");
        assert_eq!(
            from_body(&json!({"code": "invalid-argument", "error": "bad key"}), Some(400)).message,
            "bad key"
        );
        assert_eq!(kind(&json!({"code": "invalid-argument", "error": "bad key"}), 400), "invalid-argument");
        assert_eq!(
            from_body(&json!({"error": "text"}), Some(403)),
            CallError { kind: "403".into(), message: "text".into() }
        );
        assert_eq!(
            kind(&json!({"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "no"}), 400),
            "INVALID_REQUEST_BODY"
        );
        assert_eq!(
            kind(
                &json!({"object": "error", "message": "m", "type": "invalid_request_invalid_args", "code": "3051"}),
                400
            ),
            "invalid_request_invalid_args"
        );
        let list =
            json!({"detail": [{"type": "missing", "loc": ["body", "tools", 0], "msg": "Field required"}]});
        assert_eq!(
            from_body(&list, Some(422)),
            CallError { kind: "422".into(), message: "body.tools.0: Field required".into() }
        );
        assert_eq!(
            from_body(
                &json!({"success": false, "errors": [{"code": 7003, "message": "no route"}]}),
                Some(404)
            ),
            CallError { kind: "404".into(), message: "no route".into() }
        );
    }

    #[test]
    fn pages_and_text() {
        let page = from_text("<html>\n<head><title>401 Authorization\nRequired</title></head>", Some(401));
        assert_eq!(page, CallError { kind: "401".into(), message: "401 Authorization Required".into() });
        // A page of which only the beginning was kept: the limit stands inside a character.
        let long = format!("<title>gone</title>{}", "é".repeat(4096));
        assert_eq!(from_text(&long, Some(502)).message, "gone");
        let untitled = format!("<p>{}", "é".repeat(4096));
        assert_eq!(from_text(&untitled, Some(502)).message, "");
        assert_eq!(from_text("Not Found", Some(404)).message, "Not Found");
        assert_eq!(from_text("", Some(502)), CallError { kind: "502".into(), message: String::new() });
    }

    #[test]
    fn items_of_a_stream() {
        assert_eq!(in_item("", &json!({"choices": []})), None);
        assert_eq!(in_item("", &json!({"error": null, "choices": []})), None);
        let groq = json!({"error": {"message": "m", "type": "invalid_request_error", "code": "tool_use_failed", "status_code": 400}});
        assert_eq!(in_item("error", &groq).map(|e| e.kind), Some("tool_use_failed".into()));
        let router = json!({"choices": [], "error": {"code": 400, "message": "m", "metadata": {"error_type": "invalid_request"}}});
        assert_eq!(in_item("", &router).map(|e| e.kind), Some("invalid_request".into()));
        let number = json!({"choices": [], "error": {"code": 502, "message": "m"}});
        assert_eq!(in_item("", &number).map(|e| e.kind), Some("502".into()));
        let own = json!({"error": {"code": 1211, "message": "m"}});
        assert_eq!(in_item("", &own).map(|e| e.kind), Some("_OTHER".into()));
        assert_eq!(in_item("error", &json!({"message": "gone"})).map(|e| e.kind), Some("_OTHER".into()));
    }
}
