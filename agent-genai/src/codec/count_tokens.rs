//! Counting of tokens without inference, of every provider. The count is no usage: nothing was spent.

use serde_json::Value;

use super::gemini::names;
use super::spec::{Make, Row, Spec};
use super::{Codec, RequestFacts, error, json};
use crate::call::{Api, Call, Operation};
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("messages/count_tokens", Operation::CountTokens),
        Row::certain("responses/input_tokens", Operation::CountTokens),
        Row::certain("models/{model..}:countTokens", Operation::CountTokens),
        Row::certain("models/{model..}:computeTokens", Operation::CountTokens),
        Row::certain("{model}:countTokens", Operation::CountTokens),
        Row::certain("{model}:computeTokens", Operation::CountTokens),
        // The Gemini CLI's service.
        Row::certain(WRAPPED, Operation::CountTokens),
        Row::certain("model/{model}/count-tokens", Operation::CountTokens),
        // Anthropic's models at Vertex; the model is a member of the body.
        Row::certain("publishers/anthropic/models/count-tokens:rawPredict", Operation::CountTokens),
    ],
    ..Spec::new(Api::CountTokens, Operation::CountTokens, "", Make::Codec(|_| Box::new(CountTokens)))
};

const WRAPPED: &str = "v1internal:countTokens";

/// Ends of paths, and whose they are where the host says nothing.
const HOMES: &[(&str, &str)] = &[
    ("messages/count_tokens", "anthropic"),
    ("responses/input_tokens", "openai"),
    ("/count-tokens", "aws.bedrock"),
    (":rawPredict", "gcp.vertex_ai"),
    ("Tokens", "gcp.gemini"),
];

/// Members that hold the count.
const COUNTS: &[&str] = &["totalTokens", "inputTokens"];

/// Folds one exchange of a counting API.
pub(crate) struct CountTokens;

impl Codec for CountTokens {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        let path = facts.row.map_or("", |row| row.path);
        if path != WRAPPED {
            call.request.model = facts.model.map(str::to_owned);
        }
        if call.provider.is_empty()
            && let Some((_, home)) = HOMES.iter().find(|(end, _)| path.ends_with(end))
        {
            (*home).clone_into(&mut call.provider);
        }
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        if call.request.model.is_none() {
            let inner = names::get(body, &["request"]).unwrap_or(body);
            let named = json::string_at(inner, &["model"]).or_else(|| json::string_at(body, &["model"]));
            call.request.model = named.map(|model| model.trim_start_matches("models/").to_owned());
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        call.error = match status {
            Some(_) => Some(error::from_body(body, status)),
            None => error::in_item("", body),
        };
        if call.error.is_some() {
            return;
        }
        let counted = COUNTS.iter().find_map(|key| names::count(body, &[key]));
        call.response.counted_tokens = counted.or_else(|| {
            let lists = body.get("tokensInfo")?.as_array()?.iter();
            Some(lists.map(|list| skim::array_len(names::array(list, &["tokenIds"]))).sum())
        });
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
    use agent_wire::{Headers, RequestHead, Version};
    use serde_json::json;

    use super::super::fixture::{call, json_of, response};
    use super::*;
    use proptest::prelude::*;

    fn counted(body: &Value) -> Option<u64> {
        response(&mut CountTokens, Api::CountTokens, 200, body).response.counted_tokens
    }

    #[test]
    fn counts_by_every_name() {
        assert_eq!(counted(&json!({"totalTokens": 11, "promptTokensDetails": []})), Some(11));
        assert_eq!(counted(&json!({"input_tokens": 671})), Some(671));
        assert_eq!(counted(&json!({"inputTokens": 18})), Some(18));
        assert_eq!(counted(&json!({"object": "response.input_tokens", "input_tokens": 5})), Some(5));
        assert_eq!(counted(&json!({"tokensInfo": [{"tokenIds": ["1", "2"]}, {"tokenIds": [3]}]})), Some(3));
        assert_eq!(counted(&json!({})), None);
        assert!(
            !response(&mut CountTokens, Api::CountTokens, 200, &json!({"input_tokens": 1}))
                .usage
                .is_reported()
        );
    }

    #[test]
    fn refused() {
        let body = json!({"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}});
        let call = response(&mut CountTokens, Api::CountTokens, 404, &body);
        assert_eq!(call.error.map(|error| error.kind).as_deref(), Some("NOT_FOUND"));
    }

    #[test]
    fn the_model_and_whose_it_is() {
        let head = RequestHead {
            method: "POST".into(),
            target: "/".into(),
            version: Version::Http11,
            headers: Headers::default(),
        };
        let told = |path: &str, model: Option<&str>, body: &Value| {
            let mut call = call(Api::CountTokens);
            let row = SPEC.rows.iter().find(|row| row.path == path);
            CountTokens.begin(&RequestFacts { row, model, head: &head }, &mut call);
            CountTokens.request(body, &mut call);
            (call.provider, call.request.model)
        };
        let some = |provider: &str, model: &str| (provider.to_owned(), Some(model.to_owned()));
        assert_eq!(told("models/{model..}:countTokens", Some("g"), &json!({})), some("gcp.gemini", "g"));
        assert_eq!(
            told(WRAPPED, Some("v1internal"), &json!({"request": {"model": "models/g"}})),
            some("gcp.gemini", "g")
        );
        assert_eq!(
            told("messages/count_tokens", None, &json!({"model": "claude"})),
            some("anthropic", "claude")
        );
        assert_eq!(
            told("model/{model}/count-tokens", Some("m"), &json!({"input": {}})),
            some("aws.bedrock", "m")
        );
        let vertex = "publishers/anthropic/models/count-tokens:rawPredict";
        assert_eq!(told(vertex, None, &json!({"model": "claude"})), some("gcp.vertex_ai", "claude"));
    }

    proptest! {
        #[test]
        fn never_panics(body in json_of(&["totalTokens", "tokensInfo", "tokenIds", "model", "request", "error", "message"])) {
            CountTokens.request(&body, &mut call(Api::CountTokens));
            response(&mut CountTokens, Api::CountTokens, 200, &body);
        }
    }
}
