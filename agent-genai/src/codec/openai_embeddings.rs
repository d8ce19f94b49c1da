//! OpenAI-style embeddings. Vectors are counted and measured, never kept.

use serde_json::Value;

use super::spec::{Make, Row, Spec};
use super::usage::Dialect;
use super::{Codec, CodecOptions, error, json, usage};
use crate::call::{Api, Call, Operation};
use crate::recognise::shape;
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("embeddings", Operation::Embeddings),
        Row::likely("multimodalembeddings", Operation::Embeddings),
        // Databricks.
        Row::likely("serving-endpoints/{model}/invocations", Operation::Embeddings),
    ],
    request: |body| json::at(body, &["input"]).is_some() || json::at(body, &["inputs"]).is_some(),
    vague: true,
    response: |event, body| shape::response(event, body).map(|api| api == Api::OpenAiEmbeddings),
    thin: &["input", "inputs"],
    ..Spec::new(
        Api::OpenAiEmbeddings,
        Operation::Embeddings,
        "openai",
        Make::Codec(|options| Box::new(OpenAiEmbeddings::new(options))),
    )
};

/// Folds one exchange of an embeddings API.
pub(crate) struct OpenAiEmbeddings {
    /// How many dimensions a byte of base64-decoded vector holds, as a fraction.
    packing: Packing,
}

/// Number format of vectors in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// Four bytes a number.
    Float32,
    /// One byte a number.
    Int8,
    /// One bit a number.
    Binary,
}

impl OpenAiEmbeddings {
    /// A fold for one exchange.
    pub(crate) fn new(_options: CodecOptions) -> Self {
        Self { packing: Packing::Float32 }
    }

    /// Length of one vector: numbers in an array, or packed into base64 without line breaks (RFC 4648: three bytes in four characters).
    fn dimension(&self, vector: &Value) -> Option<u64> {
        match vector {
            Value::Array(numbers) if !numbers.is_empty() => Some(skim::array_len(numbers)),
            Value::String(text) if !text.is_empty() => {
                let (head, cut) = skim::text_head(text);
                let padding =
                    if cut { 0 } else { head.bytes().rev().take_while(|byte| *byte == b'=').count() as u64 };
                let bytes = (skim::text_len(text) / 4 * 3).saturating_sub(padding);
                Some(match self.packing {
                    Packing::Float32 => bytes / 4,
                    Packing::Int8 => bytes,
                    Packing::Binary => bytes * 8,
                })
            }
            // One vector for each number format (Cohere's way behind some gateways): the first tells.
            Value::Object(formats) => formats.values().find_map(|vector| self.dimension(vector)),
            _ => None,
        }
    }
}

impl Codec for OpenAiEmbeddings {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]).or_else(|| json::string_at(body, &["model_id"]));
        request.dimensions =
            ["dimensions", "output_dimension"].iter().find_map(|key| json::i64_at(body, &[key]));
        request.encoding_formats = json::strings_at(body, &["encoding_format"]);
        request.user = json::string_at(body, &["user"]);
        request.input_count =
            json::at(body, &["input"]).or_else(|| json::at(body, &["inputs"])).and_then(input_count);
        let format = request.encoding_formats.iter().cloned().chain(json::string_at(body, &["output_dtype"]));
        for word in format {
            if word.contains("int8") {
                self.packing = Packing::Int8;
            } else if word.contains("binary") {
                self.packing = Packing::Binary;
            }
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        if status.is_some() {
            call.error = Some(error::from_body(body, status));
        } else if let Some(failure) = error::in_item("", body) {
            call.error = Some(failure);
        }
        call.response.id = json::string_at(body, &["id"]);
        // watsonx has names of its own for everything.
        call.response.model =
            json::string_at(body, &["model"]).or_else(|| json::string_at(body, &["model_id"]));
        call.usage.input = json::u64_at(body, &["input_token_count"]);
        let data = json::at(body, &["data"]).or_else(|| json::at(body, &["results"]));
        if let Some(data) = data.and_then(Value::as_array) {
            call.response.vector_count = Some(skim::array_len(data));
            let first = data.first().and_then(|item| item.get("embedding"));
            call.response.vector_dimension = first.and_then(|vector| self.dimension(vector));
        }
        if let Some(usage) =
            json::at(body, &["usage"]).and_then(|usage| usage::openai(usage, Dialect::Standard))
        {
            call.usage = usage;
            // Some servers report completion_tokens: 0; an embedding has no output tokens.
            if call.usage.output == Some(0) {
                call.usage.output = None;
            }
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

/// Number of inputs: a text or an array of token ids is one, an array of texts, of token arrays or of objects is many.
fn input_count(input: &Value) -> Option<u64> {
    match input {
        Value::String(_) => Some(1),
        Value::Array(items) => match items.first() {
            Some(Value::Number(_)) => Some(1),
            Some(_) => Some(skim::array_len(items)),
            None => Some(0),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dimension(packing: Packing, vector: &Value) -> Option<u64> {
        OpenAiEmbeddings { packing }.dimension(vector)
    }

    #[test]
    fn vectors_are_measured() {
        // Three float32 are 12 bytes: 16 characters of base64, none of them padding; two are 8 bytes: 12 with one "=".
        assert_eq!(dimension(Packing::Float32, &json!("AAAAAAAAAAAAAAAA")), Some(3));
        assert_eq!(dimension(Packing::Float32, &json!("AAAAAAAAAAA=")), Some(2));
        assert_eq!(dimension(Packing::Int8, &json!("AAAAAAAAAAA=")), Some(8));
        assert_eq!(dimension(Packing::Binary, &json!("AA==")), Some(8));
        assert_eq!(dimension(Packing::Float32, &json!([0.1, 0.2, "\u{FDD0}1534"])), Some(1536));
        assert_eq!(dimension(Packing::Float32, &json!("AAAA\u{FDD0}8192")), Some(1536));
    }

    #[test]
    fn inputs_are_counted() {
        assert_eq!(input_count(&json!("x")), Some(1));
        assert_eq!(input_count(&json!([1, 2, 3])), Some(1));
        assert_eq!(input_count(&json!([[1], [2]])), Some(2));
        assert_eq!(input_count(&json!(["a", "b", "\u{FDD0}7"])), Some(9));
    }
}
