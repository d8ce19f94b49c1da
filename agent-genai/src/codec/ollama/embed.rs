//! Ollama's own embeddings: `/api/embed` of one text or many, and `/api/embeddings` of one.

use serde_json::Value;

use crate::call::{Api, Call, Operation};
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, error, json};
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("api/embed", Operation::Embeddings),
        Row::likely("api/embeddings", Operation::Embeddings),
    ],
    request,
    response: |_, body| {
        let vectors = |key: &str| json::at(body, &[key]).is_some_and(Value::is_array);
        (vectors("embeddings") || vectors("embedding")).then_some(true)
    },
    thin: &["input", "prompt"],
    thin_response: &["embeddings", "embedding"],
    ..Spec::new(
        Api::OllamaEmbeddings,
        Operation::Embeddings,
        "ollama",
        Make::Codec(|_| Box::new(OllamaEmbeddings)),
    )
};

fn request(body: &Value) -> bool {
    json::str_at(body, &["model"]).is_some()
        && (json::at(body, &["input"]).is_some() || json::at(body, &["prompt"]).is_some())
}

/// Folds one exchange.
pub(crate) struct OllamaEmbeddings;

impl Codec for OllamaEmbeddings {
    fn request(&mut self, body: &Value, call: &mut Call) {
        call.request.model = json::string_at(body, &["model"]);
        call.request.dimensions = json::i64_at(body, &["dimensions"]);
        call.request.input_count = match json::at(body, &["input"]).or_else(|| json::at(body, &["prompt"])) {
            Some(Value::Array(items)) => Some(skim::array_len(items)),
            Some(Value::String(_)) => Some(1),
            _ => None,
        };
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        call.response.model = json::string_at(body, &["model"]);
        call.usage.input = json::u64_at(body, &["prompt_eval_count"]);
        let numbers = |vector: &Value| {
            vector.as_array().filter(|vector| !vector.is_empty()).map(|vector| skim::array_len(vector))
        };
        if let Some(vectors) = json::at(body, &["embeddings"]).and_then(Value::as_array) {
            call.response.vector_count = Some(skim::array_len(vectors));
            call.response.vector_dimension = vectors.first().and_then(numbers);
        } else if let Some(vector) = json::at(body, &["embedding"]) {
            call.response.vector_dimension = numbers(vector);
            // A model that is only loaded gives an empty one.
            call.response.vector_count = Some(u64::from(call.response.vector_dimension.is_some()));
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        match error::in_item(event, data) {
            Some(failure) => call.error = Some(failure),
            None => self.response(data, call),
        }
    }

    fn finish(&mut self, _call: &mut Call) {}

    fn held_bytes(&self) -> usize {
        0
    }
}
