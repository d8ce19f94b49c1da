//! The rules of the Interactions API, each on a small document.

use agent_wire::{Headers, RequestHead, Version};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Interactions, SPEC};
use crate::call::{Api, Call, Operation, Part, ToolCall, ToolChoice};
use crate::codec::fixture::{self, BARE, CONTENT};
use crate::codec::{Codec, CodecOptions, RequestFacts};

const API: Api = Api::Interactions;

fn request(body: &Value) -> Call {
    fixture::request(&mut Interactions::new(CONTENT), API, body)
}

fn response(body: &Value) -> Call {
    fixture::response(&mut Interactions::new(CONTENT), API, 200, body)
}

fn usage() -> Value {
    json!({"total_input_tokens": 9, "total_cached_tokens": 2, "total_output_tokens": 13, "total_tool_use_tokens": 5, "total_thought_tokens": 20,
        "total_tokens": 47, "input_tokens_by_modality": [{"modality": "text", "tokens": 9}], "grounding_tool_count": [{"type": "google_search", "count": 2}]})
}

fn object(status: &str, steps: &Value) -> Value {
    json!({"object": "interaction", "id": "v1_1", "status": status, "model": "gemini-x", "service_tier": "standard", "steps": steps, "usage": usage()})
}

#[test]
fn request_settings() {
    let call = request(
        &json!({"model": "gemini-x", "input": "Hi", "stream": true, "system_instruction": "Be kind",
        "generation_config": {"temperature": 0.7, "top_p": 0.9, "max_output_tokens": 5, "seed": 1, "stop_sequences": ["x"], "thinking_level": "low",
            "tool_choice": {"allowed_tools": {"mode": "any", "tools": ["f"]}}},
        "previous_interaction_id": "v1_0", "service_tier": "flex", "labels": {"team": "a"},
        "tools": [{"type": "function", "name": "f", "parameters": {}}, {"type": "google_search"}],
        "response_format": {"type": "text", "mime_type": "application/json", "schema": {"type": "object"}}}),
    );
    let r = call.request;
    assert_eq!(
        (r.model.as_deref(), r.stream, r.temperature, r.max_tokens),
        (Some("gemini-x"), true, Some(0.7), Some(5))
    );
    assert_eq!(
        (r.previous_response_id.as_deref(), r.reasoning_level.as_deref()),
        (Some("v1_0"), Some("low"))
    );
    assert_eq!((r.tool_choice, r.output_type.as_deref()), (Some(ToolChoice::Tool("f".into())), Some("json")));
    assert_eq!(
        r.response_format.map(|format| (format.kind, format.schema)),
        Some(("json_schema".into(), Some(json!({"type": "object"}))))
    );
    assert_eq!(r.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["f", "google_search"]);
    assert_eq!(
        (r.system, r.messages[0].parts.clone()),
        (vec![Part::Text("Be kind".into())], vec![Part::Text("Hi".into())])
    );
    let agent = request(
        &json!({"agent": "deep-research", "input": [{"type": "text", "text": "a"}, {"type": "image", "uri": "gs://x", "mime_type": "image/png"}]}),
    );
    assert_eq!(
        (agent.operation, agent.request.agent.as_deref()),
        (Operation::InvokeAgent, Some("deep-research"))
    );
    assert_eq!((agent.request.messages.len(), agent.request.messages[0].parts.len()), (1, 2));
}

#[test]
fn histories() {
    let roles = |input: Value| {
        let call = request(&json!({"model": "m", "input": input}));
        call.request
            .messages
            .into_iter()
            .map(|message| (message.role, message.parts.len()))
            .collect::<Vec<_>>()
    };
    let is = |role: &str, parts: usize| (role.to_owned(), parts);
    assert_eq!(
        roles(
            json!([{"type": "user_input", "content": [{"type": "text", "text": "a"}]}, {"type": "thought", "signature": "s"},
            {"type": "function_call", "id": "c", "name": "f", "arguments": {}}, {"type": "function_result", "call_id": "c", "result": 1}])
        ),
        [is("user", 1), is("assistant", 1), is("tool", 1)]
    );
    assert_eq!(
        roles(
            json!([{"role": "user", "content": "a"}, {"role": "model", "content": [{"type": "text", "text": "b"}]}])
        ),
        [is("user", 1), is("assistant", 1)]
    );
}

#[test]
fn a_whole_answer() {
    let call = response(&object(
        "completed",
        &json!([{"type": "thought", "signature": "s", "summary": [{"type": "text", "text": "hm"}]},
        {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["q"]}}, {"type": "google_search_result", "call_id": "s1", "result": []},
        {"type": "model_output", "content": [{"type": "text", "text": "Hi"}]}]),
    ));
    let r = &call.response;
    assert_eq!(
        (r.id.as_deref(), r.model.as_deref(), r.status.as_deref()),
        (Some("v1_1"), Some("gemini-x"), Some("completed"))
    );
    assert_eq!(
        (r.finish_reasons.as_slice(), r.service_tier.as_deref()),
        (&["stop".to_owned()][..], Some("standard"))
    );
    let u = &call.usage;
    assert_eq!((u.input, u.output, u.reasoning, u.cache_read), (Some(14), Some(33), Some(20), Some(2)));
    assert_eq!((u.text_input, u.web_searches), (Some(9), Some(2)));
    assert_eq!(r.tool_calls.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["google_search"]);
    let parts = &r.messages[0].parts;
    assert_eq!(
        (&parts[0], &parts[3], parts.len()),
        (&Part::Reasoning("hm".into()), &Part::Text("Hi".into()), 4)
    );
}

#[test]
fn a_stream() {
    let items = [
        json!({"event_type": "interaction.created", "interaction": {"id": "v1_1", "status": "in_progress", "object": "interaction"}}),
        json!({"event_type": "step.start", "index": 0, "step": {"type": "thought"}}),
        json!({"event_type": "step.delta", "index": 0, "delta": {"type": "thought_summary", "content": {"type": "text", "text": "hm"}}}),
        json!({"event_type": "step.start", "index": 1, "step": {"type": "model_output"}}),
        json!({"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "a"}, "metadata": {"total_usage": {"total_input_tokens": 1}}}),
        json!({"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "b"}}),
        json!({"event_type": "step.start", "index": 2, "step": {"type": "function_call", "id": "c1", "name": "f", "arguments": {}}}),
        json!({"event_type": "step.delta", "index": 2, "delta": {"type": "arguments_delta", "arguments": "{\"a\":"}}),
        json!({"event_type": "step.delta", "index": 2, "delta": {"type": "arguments_delta", "arguments": "1}"}}),
        json!({"event_type": "step.stop", "index": 2}),
        json!({"event_type": "interaction.completed", "interaction": object("requires_action", &json!([]))}),
    ];
    let mut codec = Interactions::new(CONTENT);
    let call = fixture::stream(&mut codec, API, &items);
    assert!(codec.has_ended());
    let f = ToolCall {
        id: Some("c1".into()),
        name: "f".into(),
        kind: "function_call".into(),
        arguments: Some(json!({"a": 1})),
    };
    assert_eq!(
        call.response.messages[0].parts,
        [Part::Reasoning("hm".into()), Part::Text("ab".into()), Part::ToolCall(f.clone())]
    );
    assert_eq!(
        (call.response.tool_calls, call.response.finish_reasons),
        (vec![f], vec!["tool_calls".to_owned()])
    );
    assert_eq!(call.usage.output, Some(33));
    let bare = fixture::stream(&mut Interactions::new(BARE), API, &items);
    assert!(bare.response.messages.is_empty() && bare.response.tool_calls[0].arguments.is_none());
}

#[test]
fn in_the_background_and_fetched() {
    let begun = response(&json!({"object": "interaction", "id": "v1_1", "status": "in_progress"}));
    assert_eq!(
        (begun.response.status.as_deref(), begun.response.finish_reasons.len()),
        (Some("in_progress"), 0)
    );
    let head = RequestHead {
        method: "GET".into(),
        target: "/v1beta/interactions/v1_1?stream=true".into(),
        version: Version::Http11,
        headers: Headers::default(),
    };
    let row = SPEC.rows.iter().find(|row| row.method == "GET");
    let mut codec = Interactions::new(CONTENT);
    let mut call = fixture::call(API);
    call.operation = Operation::FetchResponse;
    codec.begin(&RequestFacts { row, model: None, head: &head }, &mut call);
    codec.finish(&mut call);
    assert_eq!((call.operation, call.response.id.as_deref()), (Operation::FetchResponse, Some("v1_1")));
}

#[test]
fn failures() {
    let body = json!({"error": {"code": "invalid_request", "message": "no"}});
    let call = fixture::response(&mut Interactions::new(BARE), API, 400, &body);
    assert_eq!(call.error.map(|error| error.kind).as_deref(), Some("invalid_request"));
    let failed = response(&json!({"object": "interaction", "id": "v", "status": "failed"}));
    assert_eq!(
        (failed.error.map(|error| error.kind).as_deref(), failed.response.finish_reasons.as_slice()),
        (Some("failed"), &["error".to_owned()][..])
    );
    let cut = fixture::stream(
        &mut Interactions::new(BARE),
        API,
        &[json!({"event_type": "error", "error": {"code": "overloaded", "message": "x"}})],
    );
    assert_eq!(cut.error.map(|error| error.kind).as_deref(), Some("overloaded"));
}

const WORDS: &[&str] = &[
    "object",
    "interaction",
    "id",
    "status",
    "completed",
    "failed",
    "steps",
    "outputs",
    "type",
    "thought",
    "model_output",
    "function_call",
    "google_search_call",
    "google_search_result",
    "content",
    "text",
    "summary",
    "arguments",
    "name",
    "result",
    "call_id",
    "event_type",
    "interaction.created",
    "interaction.completed",
    "step.start",
    "step.delta",
    "index",
    "step",
    "delta",
    "arguments_delta",
    "usage",
    "total_input_tokens",
    "total_output_tokens",
    "total_thought_tokens",
    "total_tokens",
    "input",
    "model",
    "role",
    "tools",
    "response_format",
    "error",
];

proptest! {
    #[test]
    fn never_panics(bodies in prop::collection::vec(fixture::json_of(WORDS), 1..5), content: bool) {
        let options = CodecOptions { content, max_content: 256 };
        fixture::request(&mut Interactions::new(options), API, &bodies[0]);
        fixture::response(&mut Interactions::new(options), API, 200, &bodies[0]);
        let call = fixture::stream(&mut Interactions::new(options), API, &bodies);
        prop_assert!(content || call.response.messages.is_empty());
        prop_assert!(content || call.response.tool_calls.iter().all(|call| call.arguments.is_none()));
    }
}
