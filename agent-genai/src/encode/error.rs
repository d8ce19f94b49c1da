//! Errors in each form, so that a client reads the failure of another provider as one of its own.

use serde_json::{Value, json};

use super::Form;
use crate::call::CallError;

/// The body of a failed answer. `status` is the HTTP status that goes with it. Bedrock names the kind in the header
/// `x-amzn-errortype`; it stands in `__type` here.
#[must_use]
pub fn error(form: Form, failure: &CallError, status: u16) -> Value {
    let CallError { kind, message } = failure;
    match form {
        Form::OpenAiChat | Form::OpenAiResponses => {
            json!({"error": {"message": message, "type": kind, "param": null, "code": kind}})
        }
        Form::Anthropic => json!({"type": "error", "error": {"type": kind, "message": message}}),
        Form::Gemini => {
            json!({"error": {"code": status, "message": message, "status": google_status(status)}})
        }
        Form::BedrockConverse => json!({"__type": kind, "message": message}),
    }
}

/// Google's word for an HTTP status (google.rpc.Code).
fn google_status(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}
