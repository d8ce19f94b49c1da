//! Cohere embeddings, both versions.

use serde_json::Value;

use super::{HOST, billed_alone, count};
use crate::call::{Api, Call, Operation};
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, error, json};
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("v1/embed", Operation::Embeddings),
        Row::likely("v2/embed", Operation::Embeddings),
        Row::certain("embed", Operation::Embeddings).at(HOST),
    ],
    request,
    vague: true,
    response: |_, body| json::at(body, &["embeddings"]).is_some().then_some(true),
    sniff: Some(request),
    thin: INPUTS,
    thin_response: &["embeddings", "texts"],
    ..Spec::new(
        Api::CohereEmbeddings,
        Operation::Embeddings,
        "cohere",
        Make::Codec(|_| Box::new(CohereEmbeddings)),
    )
};

/// What is embedded.
const INPUTS: &[&str] = &["texts", "inputs", "images"];

fn request(body: &Value) -> bool {
    INPUTS.iter().any(|key| json::at(body, &[key]).is_some_and(Value::is_array))
}

/// Folds one exchange.
pub(crate) struct CohereEmbeddings;

impl Codec for CohereEmbeddings {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]);
        request.dimensions = json::i64_at(body, &["output_dimension"]);
        request.encoding_formats = json::strings_at(body, &["embedding_types"]);
        let inputs = INPUTS.iter().find_map(|key| json::at(body, &[key]).and_then(Value::as_array));
        request.input_count = inputs.map(|inputs| skim::array_len(inputs));
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        if call.error.is_some() {
            return;
        }
        call.response.id = json::string_at(body, &["id"]);
        if let Some(meta) = json::at(body, &["meta"]) {
            count(meta, call);
            billed_alone(call);
            call.usage.output = None;
        }
        let (format, vectors) = match json::at(body, &["embeddings"]) {
            Some(Value::Array(vectors)) => ("float", vectors),
            // One list of vectors for each number format; all are of the same texts.
            Some(Value::Object(formats)) => {
                let Some((format, Value::Array(vectors))) = formats.iter().find(|(_, list)| list.is_array())
                else {
                    return;
                };
                (format.as_str(), vectors)
            }
            _ => return,
        };
        call.response.vector_count = Some(skim::array_len(vectors));
        if let Some(Value::Array(numbers)) = vectors.first().filter(|first| !array_is_empty(first)) {
            let numbers = skim::array_len(numbers);
            // A byte holds eight dimensions.
            let packed = matches!(format, "binary" | "ubinary");
            call.response.vector_dimension = Some(if packed { numbers.saturating_mul(8) } else { numbers });
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

fn array_is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
