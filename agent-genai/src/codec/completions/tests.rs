//! Text completions: whole, streamed, failed, cut.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::codec::fixture::{BARE, CONTENT, json_of};

fn fold(options: CodecOptions, steps: impl FnOnce(&mut Completions, &mut Call)) -> Call {
    let mut codec = Completions::new(options);
    let mut call = Call::new(Api::Completions, Operation::TextCompletion, agent_wire::Role::Client);
    steps(&mut codec, &mut call);
    codec.finish(&mut call);
    call
}

#[test]
fn whole_with_several_choices() {
    let call = fold(CONTENT, |codec, call| {
        codec.request(
            &json!({"model": "m", "prompt": ["one", "two"], "n": 2, "max_tokens": 9, "stop": "."}),
            call,
        );
        codec.response(
            &json!({"id": "cmpl-1", "object": "text_completion", "model": "m-1", "choices": [
                {"text": " b", "index": 1, "finish_reason": "stop"},
                {"text": " a", "index": 0, "finish_reason": "length", "stop_reason": null}],
                "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}}),
            call,
        );
    });
    assert_eq!(call.operation, Operation::TextCompletion);
    assert_eq!(call.request.messages, [said("user", "one"), said("user", "two")]);
    assert_eq!((call.request.choice_count, call.request.max_tokens), (Some(2), Some(9)));
    assert_eq!(call.request.stop, ["."]);
    assert_eq!(call.response.finish_reasons, ["length", "stop"]);
    assert_eq!(call.response.messages[0].parts, [Part::Text(" a".into())]);
    assert_eq!(call.response.messages[1].parts, [Part::Text(" b".into())]);
    assert_eq!((call.usage.input, call.usage.output), (Some(2), Some(3)));
}

#[test]
fn streams_join_by_choice() {
    let chunk = |text: &str, index: u64, reason: Value| {
        json!({"id": "c", "object": "text_completion", "model": "m", "usage": null,
            "choices": [{"text": text, "index": index, "finish_reason": reason}]})
    };
    let items = [chunk("a", 0, Value::Null), chunk("x", 1, json!("stop")), chunk("b", 0, json!("stop"))];
    let call = fold(CONTENT, |codec, call| items.iter().for_each(|item| codec.event("", item, call)));
    assert_eq!(call.response.messages[0].parts, [Part::Text("ab".into())]);
    assert_eq!(call.response.finish_reasons, ["stop", "stop"]);
    let bare = fold(BARE, |codec, call| items.iter().for_each(|item| codec.event("", item, call)));
    assert!(bare.response.messages.is_empty());
    assert_eq!(bare.response.finish_reasons, ["stop", "stop"]);
}

#[test]
fn bare_values_end_without_a_mark() {
    let mut codec = Completions::new(CONTENT);
    let mut call = Call::new(Api::Completions, Operation::TextCompletion, agent_wire::Role::Client);
    codec.event("", &json!({"value": "Su"}), &mut call);
    codec.event("", &json!({"value": "re"}), &mut call);
    codec.finish(&mut call);
    assert!(codec.has_ended());
    assert!(call.response.finish_reasons.is_empty());
    assert_eq!(call.response.messages[0].parts, [Part::Text("Sure".into())]);
    assert_eq!(codec.held_bytes(), 0);
}

#[test]
fn messages_make_it_a_chat() {
    let call = fold(CONTENT, |codec, call| {
        codec.request(&json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}), call);
    });
    assert_eq!(call.operation, Operation::Chat);
    assert_eq!(call.request.messages, [said("user", "hi")]);
}

#[test]
fn prompts_of_numbers_have_no_text() {
    let call = fold(CONTENT, |codec, call| codec.request(&json!({"model": "m", "prompt": [1, 2]}), call));
    assert!(call.request.messages.is_empty());
}

#[test]
fn failures_and_cuts() {
    let failed = fold(BARE, |codec, call| {
        call.http.status = Some(404);
        codec.response(
            &json!({"error": {"message": "m", "code": "model_not_found", "type": "invalid_request_error"}}),
            call,
        );
    });
    assert_eq!(failed.error.map(|error| error.kind).as_deref(), Some("model_not_found"));
    let cut = fold(BARE, |codec, call| {
        codec.event("", &json!({"choices": [{"text": "a", "index": 0}]}), call);
        call.completeness.truncated = true;
    });
    assert_eq!(cut.response.finish_reasons, ["error"]);
}

#[test]
fn shapes() {
    assert_eq!((SPEC.response)("", &json!({"object": "text_completion", "choices": []})), Some(true));
    assert_eq!((SPEC.response)("", &json!({"choices": [{"text": "a"}]})), Some(true));
    assert_eq!((SPEC.response)("", &json!({"choices": [{"delta": {}}]})), None);
    let sniff = SPEC.sniff.unwrap();
    assert!(sniff(&json!({"model": "m", "prompt": "x"})));
    assert!(!sniff(&json!({"model": "m", "prompt": {"id": "p"}})));
}

const WORDS: &[&str] = &[
    "id",
    "object",
    "text_completion",
    "choices",
    "text",
    "index",
    "finish_reason",
    "usage",
    "value",
    "prompt",
    "messages",
];

proptest! {
    #[test]
    fn never_panics(bodies in prop::collection::vec(json_of(WORDS), 0..5), content: bool) {
        fold(if content { CONTENT } else { BARE }, |codec, call| {
            for body in &bodies {
                codec.request(body, call);
                codec.event("", body, call);
                codec.response(body, call);
            }
        });
    }
}
