//! Ollama's own API: lines, whole answers, loads, failures.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::embed::OllamaEmbeddings;
use super::*;
use crate::codec::fixture::{self, BARE, CONTENT, json_of};

fn line(content: &str) -> Value {
    json!({"model": "m", "created_at": "t", "message": {"role": "assistant", "content": content}, "done": false})
}

fn last(reason: &str) -> Value {
    json!({"model": "m", "created_at": "t", "message": {"role": "assistant", "content": ""}, "done": true,
        "done_reason": reason, "prompt_eval_count": 15, "eval_count": 50})
}

#[test]
fn lines_join() {
    let thought = json!({"model": "m", "message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": false});
    let tool = json!({"model": "m", "message": {"role": "assistant", "content": "", "tool_calls": [
        {"function": {"name": "f", "arguments": {"x": 1}}}, {"id": "c", "function": {"index": 1, "name": "g", "arguments": {}}}]}, "done": false});
    let items = [thought, line("a"), line("b"), tool, last("stop")];
    let mut codec = Ollama::new(CONTENT);
    let call = fixture::stream(&mut codec, Api::OllamaChat, &items);
    assert!(codec.has_ended() && codec.is_call());
    assert_eq!((call.usage.input, call.usage.output), (Some(15), Some(50)));
    assert_eq!(call.response.finish_reasons, ["stop"]);
    assert_eq!(call.response.messages[0].parts[..2], [Part::Reasoning("hm".into()), Part::Text("ab".into())]);
    let calls: Vec<_> = call
        .response
        .tool_calls
        .iter()
        .map(|call| (call.id.as_deref(), call.name.as_str(), call.arguments.clone()))
        .collect();
    assert_eq!(calls, [(None, "f", Some(json!({"x": 1}))), (Some("c"), "g", Some(json!({})))]);
    let bare = fixture::stream(&mut Ollama::new(BARE), Api::OllamaChat, &items);
    assert!(bare.response.messages.is_empty());
    assert_eq!(bare.response.tool_calls.len(), 2);
    assert!(bare.response.tool_calls.iter().all(|call| call.arguments.is_none()));
}

#[test]
fn a_cached_prompt_has_no_count() {
    let mut end = last("stop");
    end.as_object_mut().unwrap().remove("prompt_eval_count");
    let call = fixture::stream(&mut Ollama::new(BARE), Api::OllamaChat, &[line("a"), end]);
    assert_eq!((call.usage.input, call.usage.output), (None, Some(50)));
}

#[test]
fn loading_is_no_call() {
    for reason in ["load", "unload"] {
        let mut codec = Ollama::new(BARE);
        fixture::response(
            &mut codec,
            Api::OllamaChat,
            200,
            &json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done_reason": reason, "done": true}),
        );
        assert!(!codec.is_call());
    }
    // Another server's answer on a path of this name.
    let mut codec = Ollama::new(BARE);
    fixture::response(&mut codec, Api::OllamaChat, 200, &json!({"text": "hello"}));
    assert!(!codec.is_call());
    let mut codec = Ollama::new(BARE);
    fixture::request(&mut codec, Api::OllamaChat, &json!({"model": "m", "messages": []}));
    assert!(codec.is_call(), "nothing came that speaks against it");
}

#[test]
fn generate_whole_and_failed() {
    let body = json!({"model": "m", "created_at": "t", "response": "ab", "thinking": "t", "done": true, "done_reason": "length",
        "context": [1, 2], "prompt_eval_count": 3, "eval_count": 4});
    let call = fixture::response(&mut Ollama::new(CONTENT), Api::OllamaGenerate, 200, &body);
    assert_eq!(call.response.finish_reasons, ["length"]);
    assert_eq!(call.response.messages[0].parts, [Part::Reasoning("t".into()), Part::Text("ab".into())]);
    let mut codec = Ollama::new(BARE);
    let failed =
        fixture::response(&mut codec, Api::OllamaGenerate, 404, &json!({"error": "model 'x' not found"}));
    assert_eq!(
        failed.error.map(|error| (error.kind, error.message)),
        Some(("404".into(), "model 'x' not found".into()))
    );
    assert!(codec.is_call());
    let mut codec = Ollama::new(CONTENT);
    let broken =
        fixture::stream(&mut codec, Api::OllamaChat, &[line("a"), json!({"error": "ran out of memory"})]);
    assert_eq!(broken.error.map(|error| error.message).as_deref(), Some("ran out of memory"));
    assert_eq!(broken.response.finish_reasons, ["error"]);
}

#[test]
fn requests() {
    let call = fixture::request(
        &mut Ollama::new(CONTENT),
        Api::OllamaChat,
        &json!({"model": "m", "think": "high",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q", "images": ["AAAA"]},
            {"role": "tool", "tool_name": "f", "content": "r"}],
        "options": {"temperature": 0, "num_predict": 50, "seed": 7, "stop": ["x"]}, "format": {"type": "object"}}),
    );
    let request = &call.request;
    assert!(request.stream, "streaming is what it does when not told otherwise");
    assert_eq!((request.temperature, request.max_tokens, request.seed), (Some(0.0), Some(50), Some(7)));
    assert_eq!(
        (request.reasoning_level.as_deref(), request.output_type.as_deref()),
        (Some("high"), Some("json"))
    );
    assert_eq!(request.response_format.as_ref().map(|format| format.kind.as_str()), Some("json_schema"));
    assert_eq!(request.messages[1].parts, [Part::Text("q".into()), media::blob("AAAA", "image", None)]);
    let plain = fixture::request(
        &mut Ollama::new(CONTENT),
        Api::OllamaGenerate,
        &json!({"model": "m", "prompt": "p", "system": "s", "stream": false, "format": ""}),
    );
    assert!(!plain.request.stream && plain.request.response_format.is_none());
    assert_eq!(plain.request.messages, [said("user", "p")]);
    assert_eq!(plain.request.system, [Part::Text("s".into())]);
    assert!((CHAT.request)(&json!({"model": "m", "messages": []})));
    assert!(!(CHAT.request)(&json!({"id": "chat", "messages": []})), "a web application's own /api/chat");
}

#[test]
fn embeddings() {
    let many = fixture::response(
        &mut OllamaEmbeddings,
        Api::OllamaEmbeddings,
        200,
        &json!({"model": "m", "embeddings": [[0.1, 0.2], [0.3, 0.4]], "prompt_eval_count": 2}),
    );
    assert_eq!(
        (many.response.vector_count, many.response.vector_dimension, many.usage.input),
        (Some(2), Some(2), Some(2))
    );
    let one = fixture::response(
        &mut OllamaEmbeddings,
        Api::OllamaEmbeddings,
        200,
        &json!({"embedding": [0.1, 0.2, 0.3]}),
    );
    assert_eq!(
        (one.response.vector_count, one.response.vector_dimension, one.usage.input),
        (Some(1), Some(3), None)
    );
    let request = fixture::request(
        &mut OllamaEmbeddings,
        Api::OllamaEmbeddings,
        &json!({"model": "m", "input": ["a", "b"]}),
    );
    assert_eq!(request.request.input_count, Some(2));
}

const WORDS: &[&str] = &[
    "model",
    "message",
    "content",
    "thinking",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "done",
    "done_reason",
    "load",
    "stop",
    "response",
    "prompt_eval_count",
    "eval_count",
    "error",
    "embeddings",
    "embedding",
    "images",
    "messages",
    "prompt",
    "options",
    "format",
    "system",
    "role",
];

proptest! {
    #[test]
    fn never_panics(bodies in prop::collection::vec(json_of(WORDS), 0..5), content: bool) {
        let options = if content { CONTENT } else { BARE };
        for mut codec in [Box::new(Ollama::new(options)) as Box<dyn Codec>, Box::new(OllamaEmbeddings)] {
            let mut call = fixture::call(Api::OllamaChat);
            for body in &bodies {
                codec.request(body, &mut call);
                codec.event("", body, &mut call);
                codec.response(body, &mut call);
            }
            codec.finish(&mut call);
            prop_assert!(content || call.response.messages.is_empty());
        }
    }
}
