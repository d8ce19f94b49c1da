//! Anthropic's first text completions. They report no tokens.

use serde_json::Value;

use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, error, json};
use crate::call::{Api, Call, Message, Operation, Part};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::likely("v1/complete", Operation::TextCompletion)],
    request: |body| {
        json::at(body, &["prompt"]).is_some() && json::at(body, &["max_tokens_to_sample"]).is_some()
    },
    response: |event, body| {
        let kind = json::str_at(body, &["type"]).unwrap_or(event);
        (kind == "completion" || body.get("completion").is_some_and(Value::is_string)).then_some(true)
    },
    sniff: Some(|body| {
        json::at(body, &["prompt"]).is_some() && json::at(body, &["max_tokens_to_sample"]).is_some()
    }),
    ..Spec::new(
        Api::AnthropicComplete,
        Operation::TextCompletion,
        "anthropic",
        Make::Codec(|options| Box::new(Complete::new(options))),
    )
};

/// Folds one exchange of the completions API.
pub(crate) struct Complete {
    options: CodecOptions,
    text: String,
    capped: bool,
}

impl Complete {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, text: String::new(), capped: false }
    }
}

impl Codec for Complete {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]).or_else(|| request.model.take());
        request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
        request.max_tokens = json::i64_at(body, &["max_tokens_to_sample"]);
        request.temperature = json::f64_at(body, &["temperature"]);
        request.top_p = json::f64_at(body, &["top_p"]);
        request.top_k = json::i64_at(body, &["top_k"]);
        request.stop = json::strings_at(body, &["stop_sequences"]);
        request.user = json::string_at(body, &["metadata", "user_id"]);
        if let (true, Some(prompt)) = (self.options.content, json::string_at(body, &["prompt"])) {
            request.messages = vec![message("user", prompt, None)];
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        if status.is_some() {
            call.error = Some(error::from_body(body, status));
        } else {
            self.event("", body, call);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        if let Some(failure) = error::in_item(event, data) {
            call.error = Some(failure);
            return;
        }
        for (field, path) in [(&mut call.response.id, "id"), (&mut call.response.model, "model")] {
            if field.is_none() {
                *field = json::string_at(data, &[path]);
            }
        }
        if let Some(reason) = json::string_at(data, &["stop_reason"]) {
            call.response.finish_reasons = vec![reason];
        }
        let text = json::str_at(data, &["completion"]).unwrap_or_default();
        if !self.options.content || self.capped {
            return;
        }
        if self.text.len() + text.len() > self.options.max_content {
            self.capped = true;
        } else {
            self.text.push_str(text);
        }
    }

    fn finish(&mut self, call: &mut Call) {
        call.completeness.body_capped |= self.capped;
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            let reason = call.response.finish_reasons.first().cloned();
            call.response.messages = vec![message("assistant", text, reason)];
        }
    }

    fn held_bytes(&self) -> usize {
        self.text.len()
    }
}

fn message(role: &str, text: String, finish_reason: Option<String>) -> Message {
    Message { role: role.to_owned(), parts: vec![Part::Text(text)], name: None, finish_reason }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{BARE, CONTENT, request, response, stream};
    use super::*;

    const API: Api = Api::AnthropicComplete;

    #[test]
    fn whole_and_streamed() {
        let body = json!({"type": "completion", "id": "compl_1", "completion": " Hi", "stop_reason": "stop_sequence", "model": "claude-2.1"});
        let call = response(&mut Complete::new(BARE), API, 200, &body);
        assert_eq!(
            (call.response.id.as_deref(), call.response.finish_reasons),
            (Some("compl_1"), vec!["stop_sequence".to_owned()])
        );
        assert!(call.response.messages.is_empty() && !call.usage.is_reported());
        let piece = |text: &str, reason: Value| json!({"type": "completion", "id": "compl_1", "completion": text, "stop_reason": reason, "model": "claude-2.1"});
        let call = stream(
            &mut Complete::new(CONTENT),
            API,
            &[piece("a", Value::Null), json!({"type": "ping"}), piece("b", json!("max_tokens"))],
        );
        assert_eq!(call.response.messages[0].parts, [Part::Text("ab".into())]);
        assert_eq!(call.response.finish_reasons, ["max_tokens"]);
    }

    #[test]
    fn requests_and_errors() {
        let body = json!({"model": "claude-2.1", "prompt": "\n\nHuman: x", "max_tokens_to_sample": 9, "stop_sequences": ["a"]});
        let call = request(&mut Complete::new(CONTENT), API, &body);
        assert_eq!((call.request.max_tokens, call.request.messages.len()), (Some(9), 1));
        let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}});
        let call = response(&mut Complete::new(BARE), API, 400, &body);
        assert_eq!(call.error.map(|error| error.kind).as_deref(), Some("invalid_request_error"));
    }
}
