//! Embeddings of Amazon's models and of others that are no Cohere's: vectors are counted and measured, never kept.

use serde_json::Value;

use crate::call::Call;
use crate::codec::aws::Counts;
use crate::codec::{Codec, error, json};
use crate::skim;

/// Folds one exchange.
pub(super) struct Vectors;

impl Codec for Vectors {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        let dimensions: [&[&str]; 4] = [
            &["dimensions"],
            &["embeddingConfig", "outputEmbeddingLength"],
            &["singleEmbeddingParams", "embeddingDimension"],
            &["segmentedEmbeddingParams", "embeddingDimension"],
        ];
        request.dimensions = dimensions.iter().find_map(|path| json::i64_at(body, path));
        request.encoding_formats = json::strings_at(body, &["embeddingTypes"]);
        // A text and an image together make one vector.
        let single = ["inputText", "inputImage", "singleEmbeddingParams"];
        request.input_count = single.iter().any(|key| json::at(body, &[key]).is_some()).then_some(1);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note_item("", body, call);
        call.response.id = json::string_at(body, &["id"]);
        Counts::plain(json::u64_at(body, &["inputTextTokenCount"]), None).settle_into(&mut call.usage);
        let list =
            ["embeddings", "data"].iter().find_map(|key| json::at(body, &[key]).and_then(Value::as_array));
        let (count, first) = match list {
            Some(vectors) => (skim::array_len(vectors), vectors.first()),
            None => {
                // One vector for each number format, all of the same input.
                let formats = json::at(body, &["embeddingsByType"]).and_then(Value::as_object);
                (1, json::at(body, &["embedding"]).or_else(|| formats?.values().find(|list| list.is_array())))
            }
        };
        let Some(first) = first else { return };
        call.response.vector_count = Some(count);
        let numbers = json::at(first, &["embedding"]).unwrap_or(first).as_array();
        call.response.vector_dimension =
            numbers.filter(|list| !list.is_empty()).map(|list| skim::array_len(list));
    }

    fn event(&mut self, _event: &str, data: &Value, call: &mut Call) {
        self.response(data, call);
    }

    fn finish(&mut self, _call: &mut Call) {}

    fn held_bytes(&self) -> usize {
        0
    }
}
