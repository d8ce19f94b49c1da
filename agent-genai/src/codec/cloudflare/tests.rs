//! Workers AI: native and compatible results, streams, vectors, images, failures.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::call::Part;
use crate::codec::fixture::{self, BARE, CONTENT, json_of};

fn whole(body: &Value) -> Call {
    fixture::response(&mut CloudflareRun::new(CONTENT), Api::CloudflareRun, 200, body)
}

#[test]
fn results() {
    let call = whole(
        &json!({"result": {"response": "Hello!", "usage": {"prompt_tokens": 19, "completion_tokens": 3, "total_tokens": 22}}, "success": true, "errors": []}),
    );
    assert_eq!(call.response.messages[0].parts, [Part::Text("Hello!".into())]);
    assert_eq!((call.usage.input, call.usage.output), (Some(19), Some(3)));
    let value = whole(&json!({"result": {"response": {"is_fruit": true}}, "success": true}));
    assert_eq!(value.response.messages[0].parts, [Part::Text("{\"is_fruit\":true}".into())]);
    assert!(!value.usage.is_reported());
    let tools = whole(
        &json!({"result": {"response": null, "tool_calls": [{"name": "f", "arguments": {"a": 1}}, {"name": "f", "arguments": {"a": 2}}]}, "success": true}),
    );
    let arguments: Vec<_> =
        tools.response.tool_calls.iter().map(|call| call.arguments.clone().unwrap()).collect();
    assert_eq!(arguments, [json!({"a": 1}), json!({"a": 2})]);
    let compatible = whole(
        &json!({"result": {"id": "c", "model": "m", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}, "success": true}),
    );
    assert_eq!((compatible.response.id.as_deref(), compatible.usage.input), (Some("c"), Some(1)));
    assert_eq!(compatible.response.finish_reasons, ["stop"]);
}

#[test]
fn streams() {
    let items = [
        json!({"response": "", "tool_calls": [], "p": "abc"}),
        json!({"tool_calls": [{"id": "t", "type": "function", "index": 0, "function": {"name": "f"}}], "p": "a"}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"n\":"}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
        json!({"response": "ab"}),
        json!({"response": 5}),
        json!({"response": "", "usage": {"prompt_tokens": 2, "completion_tokens": 4}}),
    ];
    let call = fixture::stream(&mut CloudflareRun::new(CONTENT), Api::CloudflareRun, &items);
    assert_eq!(call.response.tool_calls[0].arguments, Some(json!({"n": 1})));
    // A piece that is a number is told as one.
    assert_eq!(call.response.messages[0].parts[0], Part::Text("ab5".into()));
    assert_eq!((call.usage.input, call.usage.output), (Some(2), Some(4)));
    assert!(call.response.finish_reasons.is_empty());
    let bare = fixture::stream(&mut CloudflareRun::new(BARE), Api::CloudflareRun, &items);
    assert!(bare.response.messages.is_empty() && bare.response.tool_calls[0].arguments.is_none());
}

#[test]
fn other_models() {
    let vectors = whole(
        &json!({"result": {"shape": [2, 3], "data": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]}, "success": true}),
    );
    assert_eq!((vectors.response.vector_count, vectors.response.vector_dimension), (Some(2), Some(3)));
    assert_eq!(vectors.operation, Operation::Embeddings);
    let mut codec = CloudflareRun::new(BARE);
    let mut call = fixture::call(Api::CloudflareRun);
    codec.binary("image/png", 10, &mut call);
    assert_eq!((call.operation, call.usage.units.len()), (Operation::GenerateContent, 1));
    let request =
        fixture::request(&mut CloudflareRun::new(BARE), Api::CloudflareRun, &json!({"text": ["a", "b"]}));
    assert_eq!((request.operation, request.request.input_count), (Operation::Embeddings, Some(2)));
    let prompt = fixture::request(
        &mut CloudflareRun::new(CONTENT),
        Api::CloudflareRun,
        &json!({"prompt": "p", "max_tokens": 4}),
    );
    assert_eq!(prompt.request.messages, [said("user", "p")]);
    assert_eq!((prompt.operation, prompt.request.max_tokens), (Operation::TextCompletion, Some(4)));
}

#[test]
fn failures() {
    let body = json!({"success": false, "errors": [{"code": 7000, "message": "No route for that URI"}], "result": null});
    let failed = fixture::response(&mut CloudflareRun::new(BARE), Api::CloudflareRun, 400, &body);
    assert_eq!(
        failed.error.map(|error| (error.kind, error.message)),
        Some(("400".into(), "No route for that URI".into()))
    );
    assert!(whole(&body).error.is_some(), "also under a success status");
}

const WORDS: &[&str] = &[
    "result",
    "response",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "usage",
    "prompt_tokens",
    "success",
    "errors",
    "choices",
    "delta",
    "message",
    "content",
    "data",
    "shape",
    "image",
    "text",
    "prompt",
    "messages",
];

proptest! {
    #[test]
    fn never_panics(bodies in prop::collection::vec(json_of(WORDS), 0..5), content: bool) {
        let mut codec = CloudflareRun::new(if content { CONTENT } else { BARE });
        let mut call = fixture::call(Api::CloudflareRun);
        for body in &bodies {
            codec.request(body, &mut call);
            codec.event("", body, &mut call);
            codec.response(body, &mut call);
        }
        codec.finish(&mut call);
        prop_assert!(content || call.response.messages.is_empty());
    }
}
