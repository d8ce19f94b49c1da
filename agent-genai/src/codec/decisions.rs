//! OpenAI decisions: questions about an input, answered by predicate, choice or score.

use serde_json::Value;

use super::spec::{Make, Row, Spec};
use super::usage::Dialect;
use super::{Codec, CodecOptions, error, json, usage};
use crate::call::{Api, Call, Operation};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("decisions", Operation::GenerateContent),
        Row::likely("v1/systemone", Operation::GenerateContent),
    ],
    request: |body| json::at(body, &["questions"]).is_some(),
    vague: true,
    response: |_, body| body.get("answers").map(Value::is_array),
    ..Spec::new(
        Api::Decisions,
        Operation::GenerateContent,
        "openai",
        Make::Codec(|options| Box::new(Decisions::new(options))),
    )
};

/// Folds one exchange of the decisions API.
pub(crate) struct Decisions;

impl Decisions {
    /// A fold for one exchange.
    pub(crate) fn new(_options: CodecOptions) -> Self {
        Self
    }
}

impl Codec for Decisions {
    fn request(&mut self, body: &Value, call: &mut Call) {
        call.request.model = json::string_at(body, &["model"]);
        call.request.service_tier = json::string_at(body, &["service_tier"]);
        call.request.output_type = Some("json".to_owned());
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        call.error = match status {
            Some(_) => Some(error::from_body(body, status)),
            None => error::in_item("", body),
        };
        call.response.id = json::string_at(body, &["id"]);
        call.response.model = json::string_at(body, &["model"]);
        call.response.service_tier = json::string_at(body, &["service_tier"]);
        let refused = |answer: &Value| json::str_at(answer, &["type"]) == Some("refusal");
        if json::array_at(body, &["answers"]).iter().any(refused) {
            call.response.finish_reasons = vec!["refusal".to_owned()];
        }
        if let Some(usage) =
            json::at(body, &["usage"]).and_then(|usage| usage::openai(usage, Dialect::Standard))
        {
            call.usage = usage;
        }
    }

    fn event(&mut self, _event: &str, data: &Value, call: &mut Call) {
        self.response(data, call);
    }

    fn finish(&mut self, _call: &mut Call) {}

    fn held_bytes(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{BARE, response};
    use super::*;

    #[test]
    fn answers_and_refusals() {
        let body = json!({"id": "dec_1", "model": "m", "answers": [{"type": "predicate", "value": true}, {"type": "refusal"}],
            "usage": {"input_tokens": 9, "total_tokens": 9}});
        let call = response(&mut Decisions::new(BARE), Api::Decisions, 200, &body);
        assert_eq!((call.usage.input, call.response.finish_reasons), (Some(9), vec!["refusal".to_owned()]));
    }
}
