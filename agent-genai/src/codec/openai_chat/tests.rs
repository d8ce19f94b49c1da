//! The chat codec on the habits of the servers that speak it.

use agent_wire::Role;
use serde_json::{Value, json};

use super::*;
use crate::call::{Api, Operation, Part};

fn fold(content: bool, steps: impl FnOnce(&mut OpenAiChat, &mut Call)) -> Call {
    let mut codec = OpenAiChat::new(CodecOptions { content, max_content: 1 << 20 });
    let mut call = Call::new(Api::OpenAiChat, Operation::Chat, Role::Client);
    steps(&mut codec, &mut call);
    codec.finish(&mut call);
    call
}

fn stream(chunks: &[Value]) -> Call {
    fold(true, |codec, call| chunks.iter().for_each(|chunk| codec.event("", chunk, call)))
}

fn whole(body: &Value) -> Call {
    fold(true, |codec, call| codec.response(body, call))
}

fn tool_calls(call: &Call) -> Vec<(Option<&str>, &str, Value)> {
    let calls = call.response.tool_calls.iter();
    calls
        .map(|tool| (tool.id.as_deref(), tool.name.as_str(), tool.arguments.clone().unwrap_or(Value::Null)))
        .collect()
}

fn delta(tool: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": {"tool_calls": [tool]}}]})
}

#[test]
fn deltas_join_by_choice() {
    let call = stream(&[
        json!({"id": "", "model": "", "choices": [], "prompt_filter_results": []}),
        json!({"id": "c", "model": "m", "choices": [{"index": 1, "delta": {"role": "assistant", "content": "b1"}}]}),
        json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "a1", "reasoning_content": "r"}}]}),
        json!({"choices": [{"index": 0, "delta": {"content": "a2"}, "finish_reason": "stop"}, {"index": 1, "delta": {}, "finish_reason": "length"}]}),
        json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, "service_tier": "default"}),
    ]);
    assert_eq!((call.response.id.as_deref(), call.response.model.as_deref()), (Some("c"), Some("m")));
    assert_eq!(call.response.finish_reasons, ["stop", "length"]);
    assert_eq!(call.response.messages[0].parts, [Part::Reasoning("r".into()), Part::Text("a1a2".into())]);
    assert_eq!(call.response.messages[1].parts, [Part::Text("b1".into())]);
    assert_eq!((call.usage.input, call.usage.output), (Some(3), Some(4)));
}

#[test]
fn tool_calls_in_fragments() {
    let call = stream(&[
        delta(
            &json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}),
        ),
        delta(&json!({"index": 0, "function": {"arguments": "{\"x\""}})),
        delta(&json!({"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}})),
        delta(&json!({"index": 0, "function": {"arguments": ":1}"}})),
    ]);
    assert_eq!(tool_calls(&call), [(Some("a"), "f", json!({"x": 1})), (Some("b"), "g", json!({}))]);
}

#[test]
fn a_different_id_on_the_same_index_is_a_new_call() {
    let call = stream(&[
        delta(&json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}})),
        delta(&json!({"index": 0, "id": "b", "function": {"name": "f", "arguments": "{}"}})),
    ]);
    assert_eq!(tool_calls(&call), [(Some("a"), "f", json!({})), (Some("b"), "f", json!({}))]);
}

#[test]
fn missing_indexes_and_repeated_ids_and_names() {
    let call = stream(&[
        delta(&json!({"id": "a", "function": {"name": "f", "arguments": "{\"x\":"}})),
        delta(&json!({"id": "a", "function": {"name": "f", "arguments": "1}"}})),
        delta(&json!({"id": "b", "function": {"name": "g", "arguments": "{"}})),
        delta(&json!({"function": {"arguments": "}"}})),
    ]);
    assert_eq!(tool_calls(&call), [(Some("a"), "f", json!({"x": 1})), (Some("b"), "g", json!({}))]);
    let named = stream(&[
        delta(&json!({"index": 0, "id": "a", "function": {"name": "get_"}})),
        delta(&json!({"index": 0, "function": {"name": "weather"}})),
    ]);
    assert_eq!(tool_calls(&named), [(Some("a"), "get_weather", Value::Null)]);
}

#[test]
fn arguments_as_objects_and_broken_arguments() {
    let body = json!({"choices": [{"message": {"tool_calls": [
        {"id": "null", "function": {"name": "f", "arguments": {"x": 1}}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "free text"}},
        {"id": "c", "function": {"name": "h", "arguments": "{broken"}},
    ]}, "finish_reason": "tool_calls"}]});
    let call = whole(&body);
    assert_eq!(
        tool_calls(&call),
        [
            (None, "f", json!({"x": 1})),
            (Some("b"), "g", json!("free text")),
            (Some("c"), "h", json!("{broken"))
        ]
    );
    assert_eq!(call.response.tool_calls[1].kind, "custom");
    // Without ids and indexes, calls of one answer stay apart.
    let bare = whole(&json!({"choices": [{"message": {"tool_calls": [
        {"function": {"name": "f", "arguments": "{}"}}, {"function": {"name": "f", "arguments": "{}"}}]}}]}));
    assert_eq!(bare.response.tool_calls.len(), 2);
}

#[test]
fn legacy_function_calls() {
    let call = stream(&[
        json!({"choices": [{"delta": {"function_call": {"name": "f", "arguments": ""}}}]}),
        json!({"choices": [{"delta": {"function_call": {"arguments": "{\"x\":1}"}}, "finish_reason": "function_call"}]}),
    ]);
    assert_eq!(tool_calls(&call), [(None, "f", json!({"x": 1}))]);
}

#[test]
fn errors_inside_a_stream_keep_what_came_before() {
    let call = fold(true, |codec, call| {
        codec.event("", &json!({"id": "c", "choices": [{"index": 0, "delta": {"content": "maybe"}, "finish_reason": null}]}), call);
        codec.event(
            "error",
            &json!({"error": {"message": "m", "type": "invalid_request_error", "code": "tool_use_failed"}}),
            call,
        );
    });
    assert_eq!(call.error.map(|error| error.kind).as_deref(), Some("tool_use_failed"));
    assert_eq!(call.response.finish_reasons, ["error"]);
    assert_eq!(call.response.messages[0].parts, [Part::Text("maybe".into())]);
}

#[test]
fn content_in_pieces_and_media() {
    let call = whole(
        &json!({"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "refusal": "no", "content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}, {"type": "reference", "reference_ids": [1]}],
        "audio": {"id": "x", "data": "AAAA", "transcript": "words"}, "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,BB"}}]}}]}),
    );
    let kinds: Vec<String> = call.response.messages[0].parts.iter().map(|part| format!("{part:?}")).collect();
    assert_eq!(kinds.len(), 7, "{kinds:#?}");
    assert!(matches!(&call.response.messages[0].parts[0], Part::Reasoning(text) if text == "hm"));
}

#[test]
fn without_content_only_facts_are_kept() {
    let call = fold(false, |codec, call| {
        codec.request(
            &json!({"model": "m", "messages": [{"role": "user", "content": "secret"}], "n": 2, "stop": "x",
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}],
            "response_format": {"type": "json_schema"}}),
            call,
        );
        codec.event(
            "",
            &delta(&json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"secret\":1}"}})),
            call,
        );
        codec.event(
            "",
            &json!({"choices": [{"delta": {"content": "secret"}, "finish_reason": "stop"}]}),
            call,
        );
    });
    assert!(!format!("{call:?}").contains("secret"));
    assert_eq!((call.request.choice_count, call.request.output_type.as_deref()), (Some(2), Some("json")));
    assert_eq!(call.request.tools[0].name, "f");
    assert_eq!(tool_calls(&call), [(Some("a"), "f", Value::Null)]);
}

#[test]
fn usage_of_the_last_chunk_wins() {
    let call = stream(&[
        json!({"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 5, "completion_tokens": 1}}),
        json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5, "completion_tokens": 9}}),
        json!({"choices": [], "usage": null}),
    ]);
    assert_eq!(call.usage.output, Some(9));
    let groq = stream(&[
        json!({"choices": [{"delta": {}}], "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}}),
    ]);
    assert_eq!(groq.usage.output, Some(2));
}

#[test]
fn a_stream_past_its_budget_says_so() {
    let mut codec = OpenAiChat::new(CodecOptions { content: true, max_content: 10 });
    let mut call = Call::new(Api::OpenAiChat, Operation::Chat, Role::Client);
    for _ in 0..5 {
        codec.event("", &json!({"choices": [{"delta": {"content": "1234"}}]}), &mut call);
    }
    codec.finish(&mut call);
    assert!(call.completeness.body_capped);
    assert_eq!(call.response.messages[0].parts, [Part::Text("12341234".into())]);
}

#[test]
fn members_written_out_empty_are_no_calls() {
    let call = whole(&json!({"id": "", "choices": [{"finish_reason": "", "message": {
        "function_call": {"name": "", "arguments": ""}, "audio": {"id": "", "data": "", "transcript": ""},
        "tool_calls": [{"custom": {"name": "", "input": ""}, "function": {"name": "f", "arguments": "{}"}, "id": "a", "type": "function"}]}}]}));
    assert_eq!(tool_calls(&call), [(Some("a"), "f", json!({}))]);
    assert_eq!(call.response.messages[0].parts.len(), 1);
    assert!(call.response.finish_reasons.is_empty() && call.response.id.is_none());
    let streamed =
        stream(&[delta(&json!({"index": 0, "id": "", "function": {"name": "", "arguments": ""}}))]);
    assert!(streamed.response.tool_calls.is_empty());
}
