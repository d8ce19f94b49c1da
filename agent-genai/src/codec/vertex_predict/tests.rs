//! The rules of `predict`, each on a small document.

use agent_wire::{Body, ExchangeEnd, Headers, MessageEnd, RequestHead, ResponseHead, Version};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{SPEC, VertexPredict};
use crate::call::{Api, Call, Operation, Part};
use crate::codec::fixture::{self, BARE, CONTENT};
use crate::codec::{Codec, CodecOptions, RequestFacts};

fn exchange(
    options: CodecOptions,
    path: &str,
    model: &str,
    request: &Value,
    status: u16,
    response: &Value,
) -> Call {
    let head = RequestHead {
        method: "POST".into(),
        target: "/".into(),
        version: Version::Http11,
        headers: Headers::default(),
    };
    let row = SPEC.rows.iter().find(|row| row.path == path);
    assert!(row.is_some(), "{path}");
    let mut codec = VertexPredict::new(options);
    let mut call = fixture::call(Api::VertexPredict);
    call.operation = row.map_or(call.operation, |row| row.operation);
    codec.begin(&RequestFacts { row, model: Some(model), head: &head }, &mut call);
    codec.request(request, &mut call);
    call.http.status = Some(status);
    codec.response(response, &mut call);
    codec.finish(&mut call);
    call
}

const PREDICT: &str = "publishers/*/models/{model}:predict";

fn units(call: &Call) -> Vec<(&str, String)> {
    call.usage.units.iter().map(|units| (units.unit.name(), units.quantity.to_string())).collect()
}

#[test]
fn vectors() {
    let request = json!({"instances": [{"content": "a", "task_type": "RETRIEVAL_QUERY"}, {"content": "b"}], "parameters": {"outputDimensionality": 3}});
    let vector = |tokens: u64| json!({"embeddings": {"values": [0.1, 0.2, 0.3], "statistics": {"token_count": tokens, "truncated": false}}});
    let call = exchange(
        CONTENT,
        PREDICT,
        "text-embedding-004",
        &request,
        200,
        &json!({"predictions": [vector(4), vector(1)]}),
    );
    assert_eq!(call.operation, Operation::Embeddings);
    assert_eq!((call.request.input_count, call.request.dimensions), (Some(2), Some(3)));
    assert_eq!((call.response.vector_count, call.response.vector_dimension), (Some(2), Some(3)));
    assert_eq!((call.usage.input, call.usage.output), (Some(5), None));
    assert!(call.request.messages.is_empty());
}

#[test]
fn half_an_answer_has_no_count() {
    let mut codec = VertexPredict::new(BARE);
    let mut call = fixture::call(Api::VertexPredict);
    call.completeness.truncated = true;
    let half = json!({"predictions": [{"embeddings": {"values": [1], "statistics": {"token_count": 4}}}, {"bytesBase64Encoded": "AA"}]});
    codec.response(&half, &mut call);
    codec.finish(&mut call);
    assert_eq!((call.usage.input, units(&call).len()), (None, 0));
}

#[test]
fn images() {
    let request = json!({"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 3}});
    let response = json!({"predictions": [{"bytesBase64Encoded": "AAAA", "mimeType": "image/png"}, {"gcsUri": "gs://b/1.png", "mimeType": "image/png"},
        {"raiFilteredReason": "no"}]});
    let call = exchange(CONTENT, PREDICT, "imagen-4", &request, 200, &response);
    assert_eq!(
        (call.operation, call.request.output_type.as_deref()),
        (Operation::GenerateContent, Some("image"))
    );
    assert_eq!((units(&call), call.response.flagged), (vec![("image", "2".to_owned())], Some(true)));
    assert_eq!(call.response.messages[0].parts.len(), 2);
    let bare = exchange(BARE, PREDICT, "imagen-4", &request, 200, &response);
    assert_eq!(units(&bare), units(&call));
    assert!(bare.request.messages.is_empty() && bare.response.messages.is_empty());
}

#[test]
fn videos_are_begun_and_fetched() {
    let request =
        json!({"instances": [{"prompt": "waves"}], "parameters": {"durationSeconds": 8, "sampleCount": 2}});
    let begun = exchange(
        BARE,
        "models/{model}:predictLongRunning",
        "veo-3",
        &request,
        200,
        &json!({"name": "operations/1"}),
    );
    assert_eq!(
        (begun.response.id.as_deref(), begun.response.status.as_deref()),
        (Some("operations/1"), Some("in_progress"))
    );
    assert_eq!(units(&begun), [("video_second", "16".to_owned())]);
    let path = "models/{model}:fetchPredictOperation";
    let fetched = exchange(
        BARE,
        path,
        "veo-3",
        &json!({"operationName": "operations/1"}),
        200,
        &json!({"name": "operations/1", "done": true, "response": {}}),
    );
    assert_eq!(
        (fetched.operation, fetched.response.status.as_deref()),
        (Operation::FetchResponse, Some("completed"))
    );
    assert!(units(&fetched).is_empty());
}

#[test]
fn text_of_the_first_models() {
    let request =
        json!({"instances": [{"content": "hi"}], "parameters": {"temperature": 0.2, "maxOutputTokens": 5}});
    let response = json!({"predictions": [{"content": "hello"}], "metadata": {"tokenMetadata": {"inputTokenCount": {"totalTokens": 1}, "outputTokenCount": {"totalTokens": 2}}}});
    let call = exchange(CONTENT, PREDICT, "text-bison", &request, 200, &response);
    assert_eq!((call.usage.input, call.usage.output, call.request.max_tokens), (Some(1), Some(2), Some(5)));
    assert_eq!(call.response.messages[0].parts, [Part::Text("hello".into())]);
    assert_eq!(call.request.messages.len(), 1);
}

#[test]
fn refused() {
    let error = json!({"error": {"code": 400, "message": "bad key", "status": "INVALID_ARGUMENT"}});
    let call = exchange(
        BARE,
        "models/{model}:predict",
        "imagen-4",
        &json!({"instances": [{"prompt": "x"}]}),
        400,
        &error,
    );
    assert_eq!(call.error.as_ref().map(|error| error.kind.as_str()), Some("INVALID_ARGUMENT"));
    assert!(units(&call).is_empty());
}

#[test]
fn vectors_are_not_held_even_with_content() {
    let options = crate::DecoderOptions { content: true, max_body: 16 << 20, hosts: Vec::new() };
    let head = RequestHead {
        method: "POST".into(),
        target: "/v1/projects/p/locations/l/publishers/google/models/text-embedding-004:predict".into(),
        version: Version::Http11,
        headers: [("content-type", "application/json")].into_iter().collect(),
    };
    let mut fold = crate::Decoder::new(options).begin(&head, agent_wire::Role::Client, true, 0).unwrap();
    fold.request_body(Body::Data(br#"{"instances":[{"content":"a"}]}"#), 1);
    fold.request_end(&MessageEnd::default());
    let headers = Headers::default();
    fold.response_head(&ResponseHead { status: 200, version: Version::Http11, headers }, 2);
    let vector = vec!["0.123456789"; 3072].join(",");
    let one = format!(r#"{{"embeddings":{{"values":[{vector}],"statistics":{{"token_count":2}}}}}}"#);
    let body = format!(r#"{{"predictions":[{}]}}"#, vec![one; 20].join(","));
    fold.response_body(Body::Data(body.as_bytes()), 3);
    assert!(fold.held_bytes() < 64 << 10, "{} bytes held", fold.held_bytes());
    fold.response_end(&MessageEnd::default());
    let call = fold.finish(&ExchangeEnd::default()).remove(0);
    assert_eq!((call.response.vector_count, call.response.vector_dimension), (Some(20), Some(3072)));
    assert_eq!(call.usage.input, Some(40));
}

const WORDS: &[&str] = &[
    "instances",
    "prompt",
    "content",
    "task_type",
    "parameters",
    "sampleCount",
    "durationSeconds",
    "predictions",
    "embeddings",
    "values",
    "statistics",
    "token_count",
    "bytesBase64Encoded",
    "gcsUri",
    "mimeType",
    "candidates",
    "metadata",
    "tokenMetadata",
    "name",
    "done",
    "error",
];

proptest! {
    #[test]
    fn never_panics(request in fixture::json_of(WORDS), response in fixture::json_of(WORDS), content: bool) {
        let options = CodecOptions { content, max_content: 256 };
        let call = exchange(options, PREDICT, "m", &request, 200, &response);
        prop_assert!(content || call.response.messages.is_empty() && call.request.messages.is_empty());
    }
}
