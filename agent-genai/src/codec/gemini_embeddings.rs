//! Embeddings of the Gemini API and of Vertex: `embedContent` and `batchEmbedContents`. Vectors are counted and measured, never kept.

use serde_json::Value;

use super::gemini::{names, usage};
use super::spec::{Make, Row, Spec};
use super::{Codec, RequestFacts, error};
use crate::call::{Api, Call, Operation};
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("models/{model..}:embedContent", Operation::Embeddings),
        Row::certain("models/{model..}:batchEmbedContents", Operation::Embeddings),
        Row::certain("{model}:embedContent", Operation::Embeddings),
        Row::certain("{model}:batchEmbedContents", Operation::Embeddings),
    ],
    thin: &["requests", "content"],
    thin_response: &["embedding", "embeddings"],
    ..Spec::new(
        Api::GeminiEmbeddings,
        Operation::Embeddings,
        "gcp.gemini",
        Make::Codec(|_| Box::new(GeminiEmbeddings)),
    )
};

/// Folds one exchange of an embeddings API of Google's.
pub(crate) struct GeminiEmbeddings;

impl Codec for GeminiEmbeddings {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        call.request.model = facts.model.map(str::to_owned);
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        let requests = names::get(body, &["requests"]).and_then(Value::as_array);
        let first = requests.map_or(Some(body), |requests| requests.first());
        let dimensions = |one: &Value| {
            let places: [&[&str]; 3] = [
                &["outputDimensionality"],
                &["embedContentConfig", "outputDimensionality"],
                &["config", "outputDimensionality"],
            ];
            places.iter().find_map(|place| names::integer(one, place))
        };
        call.request.dimensions = first.and_then(dimensions);
        call.request.input_count = Some(requests.map_or(1, |requests| skim::array_len(requests)));
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        call.error = match status {
            Some(_) => Some(error::from_body(body, status)),
            None => error::in_item("", body),
        };
        let many = names::get(body, &["embeddings"]).and_then(Value::as_array);
        let one = names::get(body, &["embedding"]);
        call.response.vector_count = many.map(|many| skim::array_len(many)).or(one.map(|_| 1));
        let first = many.and_then(|many| many.first()).or(one);
        let values = first.and_then(|first| names::get(first, &["values"])).and_then(Value::as_array);
        call.response.vector_dimension =
            values.map(|values| skim::array_len(values)).filter(|length| *length > 0);
        if let Some(found) = names::get(body, &["usageMetadata"]).and_then(usage::read) {
            call.usage = found;
            // An embedding has no output tokens.
            call.usage.output = None;
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::fixture::{json_of, request, response};
    use super::*;

    const API: Api = Api::GeminiEmbeddings;

    fn vectors(body: &Value) -> (Option<u64>, Option<u64>, Option<u64>) {
        let call = response(&mut GeminiEmbeddings, API, 200, body);
        (call.response.vector_count, call.response.vector_dimension, call.usage.input)
    }

    #[test]
    fn one_and_many() {
        let one = json!({"embedding": {"values": [0.1, 0.2, "\u{FDD0}766"]}});
        assert_eq!(vectors(&one), (Some(1), Some(768), None));
        let many = json!({"embeddings": [{"values": [1, 2]}, {"values": [1, 2]}, "\u{FDD0}5"],
            "usageMetadata": {"promptTokenCount": 261, "promptTokenDetails": [{"modality": "IMAGE", "tokenCount": 258}]}});
        assert_eq!(vectors(&many), (Some(7), Some(2), Some(261)));
        let call = response(&mut GeminiEmbeddings, API, 200, &many);
        assert_eq!((call.usage.image_input, call.usage.output), (Some(258), None));
    }

    #[test]
    fn inputs_and_dimensions() {
        let asked = |body: &Value| {
            let call = request(&mut GeminiEmbeddings, API, body);
            (call.request.input_count, call.request.dimensions)
        };
        assert_eq!(asked(&json!({"requests": [{"outputDimensionality": 768}, {}]})), (Some(2), Some(768)));
        assert_eq!(
            asked(
                &json!({"content": {"parts": [{"text": "a"}]}, "embed_content_config": {"output_dimensionality": 4}})
            ),
            (Some(1), Some(4))
        );
    }

    #[test]
    fn refused() {
        let call = response(
            &mut GeminiEmbeddings,
            API,
            404,
            &json!({"error": {"code": 404, "status": "NOT_FOUND", "message": "x"}}),
        );
        assert_eq!(call.error.map(|error| error.kind).as_deref(), Some("NOT_FOUND"));
    }

    proptest! {
        #[test]
        fn never_panics(body in json_of(&["requests", "embedding", "embeddings", "values", "usageMetadata", "promptTokenCount", "error"])) {
            request(&mut GeminiEmbeddings, API, &body);
            response(&mut GeminiEmbeddings, API, 200, &body);
        }
    }
}
