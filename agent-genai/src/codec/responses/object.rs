//! The Responses API's response object: ids, usage, outcome.

use serde_json::Value;

use crate::call::{Call, CallError, Operation};
use crate::codec::usage::Dialect;
use crate::codec::{error, json, usage};

/// Whether a body is a response object rather than an error. Azure and gateways leave out `object` at times.
pub(super) fn is_response(body: &Value) -> bool {
    json::str_at(body, &["object"]).is_some_and(|object| object.starts_with("response"))
        || (body.get("output").is_some_and(Value::is_array))
        || (json::str_at(body, &["status"]).is_some()
            && json::str_at(body, &["id"]).is_some()
            && json::at(body, &["error"]).is_none())
}

/// Status that a streamed event announces, when it ends the response.
pub(super) fn terminal_status(event: &str) -> Option<&'static str> {
    match event {
        "response.completed" => Some("completed"),
        "response.incomplete" => Some("incomplete"),
        "response.failed" => Some("failed"),
        "response.cancelled" => Some("cancelled"),
        _ => None,
    }
}

/// Ids, model, status and tier; every streamed event with a response object repeats them.
pub(super) fn head(object: &Value, call: &mut Call) {
    let response = &mut call.response;
    set(&mut response.id, json::str_at(object, &["id"]));
    set(&mut response.model, json::str_at(object, &["model"]));
    set(&mut response.status, json::str_at(object, &["status"]));
    set(&mut response.service_tier, json::str_at(object, &["service_tier"]));
    // The object repeats what the request carried; it tells when the request was not seen or had no body (a fetch).
    let request = &mut call.request;
    if request.previous_response_id.is_none() {
        set(&mut request.previous_response_id, json::str_at(object, &["previous_response_id"]));
    }
    if request.conversation_id.is_none() {
        set(&mut request.conversation_id, conversation(object));
    }
}

/// The conversation's id, given as text or in an object.
pub(super) fn conversation(body: &Value) -> Option<&str> {
    json::str_at(body, &["conversation"]).or_else(|| json::str_at(body, &["conversation", "id"]))
}

/// Token counts, web searches and cost. A fetch reports those of an earlier call, so it counts nothing.
pub(super) fn usage(object: &Value, call: &mut Call) {
    let reported = json::at(object, &["usage"]).and_then(|usage| usage::openai(usage, Dialect::Standard));
    if call.operation == Operation::FetchResponse {
        call.fetched_usage = reported.map(Box::new);
        return;
    }
    if let Some(usage) = reported {
        call.usage = usage;
    }
    // xAI counts its server-side tools inside usage.
    let searches = json::u64_at(object, &["tool_usage", "web_search", "num_requests"])
        .or_else(|| json::u64_at(object, &["usage", "server_side_tool_usage_details", "web_search_calls"]));
    call.usage.web_searches = searches.or(call.usage.web_searches);
}

/// The finish reason and the failure.
///
/// The API has no finish reason of its own; this maps its status: completed with a call that waits for the client is
/// `tool_calls`, completed `stop`, cut by the token limit `length`, failed `error`.
pub(super) fn outcome(object: &Value, awaits_client: bool, call: &mut Call) {
    let reason = match call.response.status.as_deref() {
        Some("completed") if awaits_client => Some("tool_calls"),
        Some("completed") => Some("stop"),
        Some("incomplete") => match json::str_at(object, &["incomplete_details", "reason"]) {
            Some("max_output_tokens") => Some("length"),
            reason => reason.or(Some("incomplete")),
        },
        Some("failed") => Some("error"),
        _ => None,
    };
    call.response.finish_reasons = reason.map(str::to_owned).into_iter().collect();
    let reported = object.get("error").filter(|error| !error.is_null());
    if reported.is_some() {
        failure(object, call);
    } else if call.response.status.as_deref() == Some("failed") {
        call.error = Some(error::own("failed", "the provider says that the response failed, not why"));
    }
}

/// An error body.
pub(super) fn failure(body: &Value, call: &mut Call) {
    let status = call.http.status.filter(|status| *status >= 400);
    call.error = Some(error::from_body(body, status));
}

/// An error inside a stream that began well: what was expected to give a finish reason gave an error.
pub(super) fn stream_error(failure: CallError, call: &mut Call) {
    call.error = Some(failure);
    call.response.finish_reasons = vec!["error".to_owned()];
}

fn set(field: &mut Option<String>, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        *field = Some(value.to_owned());
    }
}
