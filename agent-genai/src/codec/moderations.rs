//! Classifiers that judge content: OpenAI moderations, and the servers that speak the same.

use serde_json::Value;

use super::spec::{Make, Row, Spec};
use super::usage::Dialect;
use super::{Codec, CodecOptions, error, json, usage};
use crate::call::{Api, Call, Operation};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::likely("moderations", Operation::Moderation)],
    request: |body| json::at(body, &["input"]).is_some(),
    vague: true,
    response: |_, body| {
        let results = json::array_at(body, &["results"]);
        results.first().map(|first| {
            json::at(first, &["flagged"]).is_some() || json::at(first, &["categories"]).is_some()
        })
    },
    thin: &["input"],
    ..Spec::new(
        Api::Moderations,
        Operation::Moderation,
        "openai",
        Make::Codec(|options| Box::new(Moderations::new(options))),
    )
};

/// Folds one exchange of a moderations API.
pub(crate) struct Moderations;

impl Moderations {
    /// A fold for one exchange.
    pub(crate) fn new(_options: CodecOptions) -> Self {
        Self
    }
}

impl Codec for Moderations {
    fn request(&mut self, body: &Value, call: &mut Call) {
        call.request.model = json::string_at(body, &["model"]);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        call.error = match status {
            Some(_) => Some(error::from_body(body, status)),
            None => error::in_item("", body),
        };
        call.response.id = json::string_at(body, &["id"]);
        call.response.model = json::string_at(body, &["model"]);
        let flagged = |result: &Value| {
            let categories = json::at(result, &["categories"]).and_then(Value::as_object);
            json::bool_at(result, &["flagged"])
                .or_else(|| Some(categories?.values().any(|value| value == &Value::Bool(true))))
        };
        let verdicts: Vec<bool> = json::array_at(body, &["results"]).iter().filter_map(flagged).collect();
        call.response.flagged = (!verdicts.is_empty()).then(|| verdicts.contains(&true));
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

    fn flagged(results: &Value) -> Option<bool> {
        let body = json!({"id": "modr-1", "model": "m", "results": results});
        response(&mut Moderations::new(BARE), Api::Moderations, 200, &body).response.flagged
    }

    #[test]
    fn verdicts() {
        assert_eq!(flagged(&json!([{"flagged": false}, {"flagged": true}])), Some(true));
        assert_eq!(flagged(&json!([{"flagged": false}])), Some(false));
        // Mistral has no verdict of the whole.
        assert_eq!(flagged(&json!([{"categories": {"sexual": false, "pii": true}}])), Some(true));
        assert_eq!(flagged(&json!([])), None);
    }
}
