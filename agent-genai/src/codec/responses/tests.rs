//! The rules of the Responses API, each on a small document.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Responses;
use crate::call::{Api, Call, Message, Operation, Part, ToolCall, ToolDefinition};
use crate::codec::fixture::{self, BARE, CONTENT};
use crate::codec::{Codec, CodecOptions};

const API: Api = Api::OpenAiResponses;

fn request(body: &Value) -> Call {
    fixture::request(&mut Responses::new(CONTENT), API, body)
}

fn response(body: &Value) -> Call {
    fixture::response(&mut Responses::new(CONTENT), API, 200, body)
}

fn stream(items: &[Value]) -> Call {
    fixture::stream(&mut Responses::new(CONTENT), API, items)
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn message(role: &str, parts: Vec<Part>) -> Message {
    Message { role: role.to_owned(), parts, name: None, finish_reason: None }
}

fn function_call() -> Value {
    json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": "{\"a\":1}",
        "status": "completed"})
}

fn function_called() -> ToolCall {
    ToolCall {
        id: Some("call_1".to_owned()),
        name: "add".to_owned(),
        kind: "function_call".to_owned(),
        arguments: Some(json!({"a": 1})),
    }
}

fn said(words: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": words, "annotations": [], "logprobs": []}]})
}

fn object(status: &str, output: &[Value]) -> Value {
    json!({"object": "response", "id": "resp_1", "model": "gpt-x-1", "status": status, "output": output,
        "service_tier": "default", "error": null, "incomplete_details": null,
        "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 6,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 16}})
}

#[test]
fn request_settings() {
    let call = request(&json!({
        "model": "gpt-x", "stream": true, "temperature": 0, "top_p": 0.9, "max_output_tokens": 64,
        "reasoning": {"effort": "high"}, "text": {"format": {"type": "json_schema", "schema": {}}},
        "service_tier": "flex", "previous_response_id": "resp_0", "conversation": {"id": "conv_1"},
        "safety_identifier": "u-1", "instructions": "Be kind", "input": "Hi",
    }));
    let r = &call.request;
    assert_eq!(r.model.as_deref(), Some("gpt-x"));
    assert!(r.stream);
    assert_eq!((r.temperature, r.top_p, r.max_tokens), (Some(0.0), Some(0.9), Some(64)));
    assert_eq!((r.reasoning_level.as_deref(), r.output_type.as_deref()), (Some("high"), Some("json")));
    assert_eq!(r.service_tier.as_deref(), Some("flex"));
    assert_eq!(r.previous_response_id.as_deref(), Some("resp_0"));
    assert_eq!(r.conversation_id.as_deref(), Some("conv_1"));
    assert_eq!(r.user.as_deref(), Some("u-1"));
    assert_eq!(r.system, [text("Be kind")]);
    assert_eq!(r.messages, [message("user", vec![text("Hi")])]);
    assert_eq!(
        request(&json!({"conversation": "conv_2"})).request.conversation_id.as_deref(),
        Some("conv_2")
    );
    let plain =
        request(&json!({"user": "a", "safety_identifier": "b", "text": {"format": {"type": "text"}}}));
    assert_eq!(
        (plain.request.user.as_deref(), plain.request.output_type.as_deref()),
        (Some("a"), Some("text"))
    );
}

#[test]
fn tools_of_every_kind_without_secrets() {
    let body = json!({"tools": [
        {"type": "function", "name": "add", "description": "adds", "parameters": {"type": "object"}, "strict": true},
        {"type": "web_search"},
        {"type": "mcp", "server_label": "wiki", "server_url": "https://wiki.example", "authorization": "hush",
            "headers": {"x": "hush"}},
        {"type": "custom", "name": "free", "format": {"type": "text"}},
        {"type": "function", "function": {"name": "nested", "parameters": {}}},
        {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]},
        null,
    ]});
    let call = request(&body);
    let names: Vec<_> =
        call.request.tools.iter().map(|tool| (tool.kind.as_str(), tool.name.as_str())).collect();
    assert_eq!(
        names,
        [
            ("function", "add"),
            ("web_search", "web_search"),
            ("mcp", "wiki"),
            ("custom", "free"),
            ("function", "nested"),
            ("namespace", "crm"),
            ("function", "find"),
        ]
    );
    assert_eq!(call.request.tools[0].parameters, Some(json!({"type": "object"})));
    assert!(!format!("{call:?}").contains("hush"));
    let bare = fixture::request(&mut Responses::new(BARE), API, &body);
    assert_eq!(
        bare.request.tools[0],
        ToolDefinition { kind: "function".into(), name: "add".into(), ..ToolDefinition::default() }
    );
}

#[test]
fn input_items_become_messages() {
    let call = request(&json!({"input": [
        {"role": "developer", "content": "Be brief"},
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            {"type": "input_image", "file_id": "file_1"},
            {"type": "input_file", "file_url": "https://a.example/b.pdf"},
            {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "opaque"},
        function_call(),
        {"type": "function_call_output", "call_id": "call_1", "output": "3"},
        {"type": "reasoning", "summary": [], "encrypted_content": "opaque"},
        said("Three"),
        {"type": "item_reference", "id": "msg_0"},
    ]}));
    let blob = |modality: &str, mime: &str, content: &str| Part::Blob {
        modality: modality.into(),
        mime_type: Some(mime.into()),
        content: content.into(),
    };
    assert_eq!(
        call.request.messages,
        [
            message("developer", vec![text("Be brief")]),
            message(
                "user",
                vec![
                    text("Hi"),
                    blob("image", "image/png", "AAAA"),
                    Part::File { modality: "image".into(), file_id: "file_1".into(), mime_type: None },
                    Part::Uri {
                        modality: "document".into(),
                        uri: "https://a.example/b.pdf".into(),
                        mime_type: None
                    },
                    blob("audio", "audio/mpeg", "BBBB"),
                ]
            ),
            message("assistant", vec![Part::Reasoning("hm".into()), Part::ToolCall(function_called())]),
            message("tool", vec![Part::ToolCallResponse { id: Some("call_1".into()), response: json!("3") }]),
            message(
                "assistant",
                vec![
                    text("Three"),
                    Part::Generic {
                        kind: "item_reference".into(),
                        value: json!({"type": "item_reference", "id": "msg_0"})
                    }
                ]
            ),
        ]
    );
    assert!(!format!("{call:?}").contains("opaque"));
}

#[test]
fn a_whole_answer() {
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": [
        {"type": "reasoning_text", "text": "hm"}]});
    let call = response(&object("completed", &[reasoning, said("Let me see"), function_call()]));
    let r = &call.response;
    assert_eq!((r.id.as_deref(), r.model.as_deref()), (Some("resp_1"), Some("gpt-x-1")));
    assert_eq!((r.status.as_deref(), r.service_tier.as_deref()), (Some("completed"), Some("default")));
    assert_eq!(r.finish_reasons, ["tool_calls"]);
    assert_eq!(r.tool_calls, [function_called()]);
    assert_eq!(
        r.messages[0].parts,
        [Part::Reasoning("hm".into()), text("Let me see"), Part::ToolCall(function_called())]
    );
    let u = &call.usage;
    assert_eq!((u.input, u.output, u.cache_read, u.reasoning), (Some(10), Some(6), Some(4), Some(2)));
    assert_eq!(call.error, None);
}

#[test]
fn finish_reasons_by_status() {
    let reason = |object: &Value| response(object).response.finish_reasons;
    let with = |status: &str, key: &str, value: Value| {
        let mut object = object(status, &[]);
        object[key] = value;
        object
    };
    assert_eq!(reason(&object("completed", &[said("Hi")])), ["stop"]);
    for (given, expected) in
        [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("steered", "steered")]
    {
        assert_eq!(reason(&with("incomplete", "incomplete_details", json!({"reason": given}))), [expected]);
    }
    assert_eq!(reason(&object("incomplete", &[])), ["incomplete"]);
    for status in ["queued", "in_progress", "cancelled"] {
        let mut waiting = object(status, &[]);
        waiting["usage"] = Value::Null;
        let call = response(&waiting);
        assert_eq!(call.response.status.as_deref(), Some(status));
        assert!(call.response.finish_reasons.is_empty() && !call.usage.is_reported() && call.error.is_none());
    }
    let failed =
        response(&with("failed", "error", json!({"code": "rate_limit_exceeded", "message": "Slow down"})));
    assert_eq!(failed.response.finish_reasons, ["error"]);
    let error = failed.error.expect("an error");
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("rate_limit_exceeded", "Slow down"));
    assert!(response(&object("failed", &[])).error.is_some());
}

#[test]
fn whose_call_it_is() {
    let reason = |items: &[Value]| response(&object("completed", items)).response.finish_reasons[0].clone();
    let shell = json!({"type": "shell_call", "call_id": "c1", "action": {"commands": ["ls"]}});
    assert_eq!(reason(std::slice::from_ref(&shell)), "tool_calls");
    let answered = json!({"type": "shell_call_output", "call_id": "c1", "output": []});
    let both = [shell, answered];
    assert_eq!(reason(&both), "stop");
    assert!(matches!(
        response(&object("completed", &both)).response.messages[0].parts[..],
        [Part::ServerToolCall { .. }, Part::ServerToolCallResponse { .. }]
    ));
    assert_eq!(
        reason(&[json!({"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}})]),
        "stop"
    );
    let custom = json!({"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "1"});
    assert_eq!(reason(std::slice::from_ref(&custom)), "tool_calls");
    assert_eq!(reason(&[said("First"), custom.clone()]), "tool_calls");
    assert_eq!(reason(&[custom, said("Found")]), "stop");
    let search =
        |side: &str| json!({"type": "tool_search_call", "execution": side, "call_id": null, "arguments": {}});
    assert_eq!(reason(&[search("server")]), "stop");
    assert_eq!(reason(&[search("client")]), "tool_calls");
}

#[test]
fn hosted_calls() {
    let call = response(&object(
        "completed",
        &[
            json!({"type": "mcp_call", "id": "mcp_1", "name": "ask", "server_label": "wiki", "arguments": "{\"q\":1}",
                "output": "yes", "error": null, "status": "completed"}),
            json!({"type": "image_generation_call", "id": "ig_1", "result": "AAAA", "output_format": "webp"}),
            json!({"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}}),
            json!({"type": "custom_tool_call", "call_id": "c1", "name": "free", "input": "12"}),
        ],
    ));
    let calls: Vec<_> = call
        .response
        .tool_calls
        .iter()
        .map(|call| (call.kind.as_str(), call.id.as_deref().unwrap_or(""), call.name.as_str()))
        .collect();
    assert_eq!(
        calls,
        [
            ("mcp_call", "mcp_1", "ask"),
            ("image_generation_call", "ig_1", "image_generation"),
            ("web_search_call", "ws_1", "web_search"),
            ("custom_tool_call", "c1", "free"),
        ]
    );
    // Free text that looks like a number stays text.
    assert_eq!(call.response.tool_calls[3].arguments, Some(json!("12")));
    let parts = &call.response.messages[0].parts;
    assert_eq!(
        parts[..2],
        [
            Part::ServerToolCall {
                id: Some("mcp_1".into()),
                name: "ask".into(),
                call: json!({"type": "mcp_call", "name": "ask", "server_label": "wiki", "arguments": {"q": 1}}),
            },
            Part::ServerToolCallResponse {
                id: Some("mcp_1".into()),
                response: json!({"type": "mcp_call", "output": "yes"})
            },
        ]
    );
    assert!(matches!(&parts[3], Part::Blob { mime_type: Some(mime), .. } if mime == "image/webp"));
}

#[test]
fn programs_run_at_the_provider() {
    let program =
        json!({"type": "program", "id": "p", "call_id": "c1", "code": "1+1", "fingerprint": "opaque"});
    let result =
        json!({"type": "program_output", "id": "o", "call_id": "c1", "result": "2", "status": "completed"});
    let parts = [
        Part::ServerToolCall {
            id: Some("c1".into()),
            name: "program".into(),
            call: json!({"type": "program", "code": "1+1"}),
        },
        Part::ServerToolCallResponse {
            id: Some("c1".into()),
            response: json!({"type": "program_output", "result": "2"}),
        },
    ];
    let call = response(&object("completed", &[program.clone(), result.clone()]));
    assert_eq!(call.response.messages[0].parts, parts);
    let call = request(&json!({"input": [program, result]}));
    assert_eq!(call.request.messages, [message("assistant", parts.to_vec())]);
}

#[test]
fn a_refusal_is_kept() {
    let refused =
        json!({"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]});
    let call = response(&object("completed", &[refused]));
    assert_eq!(
        call.response.messages[0].parts,
        [Part::Generic { kind: "refusal".into(), value: json!({"type": "refusal", "refusal": "No."}) }]
    );
}

#[test]
fn error_bodies() {
    let error = |status: u16, body: &Value| {
        fixture::response(&mut Responses::new(BARE), API, status, body).error.expect("an error")
    };
    let openai =
        json!({"error": {"message": "m", "type": "invalid_request_error", "code": "model_not_found"}});
    assert_eq!(error(400, &openai).kind, "model_not_found");
    assert_eq!(error(400, &json!({"code": "invalid-argument", "error": "bad"})).message, "bad");
    assert_eq!(error(500, &json!({})).kind, "500");
}

#[test]
fn a_fetch_counts_no_usage() {
    let mut codec = Responses::new(BARE);
    let mut call = fixture::call(API);
    call.operation = Operation::FetchResponse;
    codec.response(&object("completed", &[function_call()]), &mut call);
    codec.finish(&mut call);
    assert!(!call.usage.is_reported());
    assert_eq!(call.response.id.as_deref(), Some("resp_1"));
    assert_eq!(call.response.finish_reasons, ["tool_calls"]);
}

#[test]
fn dialects_of_usage() {
    let mut xai = object("completed", &[]);
    xai["usage"]["cost_in_usd_ticks"] = json!(15_584_000);
    xai["usage"]["server_side_tool_usage_details"] = json!({"web_search_calls": 2});
    let call = response(&xai);
    assert_eq!(call.usage.provider_usd, "0.0015584".parse().ok());
    assert_eq!(call.usage.web_searches, Some(2));
    let mut router = object("completed", &[]);
    router["usage"]["cost"] = json!(0.002196);
    router["tool_usage"] = json!({"web_search": {"num_requests": 1}});
    let call = response(&router);
    assert_eq!(call.usage.provider_usd, "0.002196".parse().ok());
    assert_eq!(call.usage.web_searches, Some(1));
}

/// A stream of two items, up to its terminal event.
fn events() -> Vec<Value> {
    let mut begun = object("in_progress", &[]);
    begun["usage"] = Value::Null;
    let item = |kind: &str, index: u64, item: Value| json!({"type": format!("response.output_item.{kind}"), "output_index": index, "item": item});
    let delta = |kind: &str, index: u64, delta: &str| json!({"type": format!("response.{kind}.delta"), "output_index": index, "content_index": 0, "delta": delta});
    vec![
        json!({"type": "response.created", "response": begun}),
        item("added", 0, json!({"type": "message", "id": "msg_1", "role": "assistant", "content": []})),
        json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0,
            "part": {"type": "output_text", "text": ""}}),
        delta("output_text", 0, "Let "),
        delta("output_text", 0, "me see"),
        json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Let me see"}),
        item("done", 0, said("Let me see")),
        item(
            "added",
            1,
            json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": ""}),
        ),
        delta("function_call_arguments", 1, "{\"a\":"),
        delta("function_call_arguments", 1, "1}"),
        json!({"type": "response.function_call_arguments.done", "output_index": 1, "arguments": "{\"a\":1}"}),
        item("done", 1, function_call()),
        json!({"type": "response.completed", "response": object("completed", &[said("Let me see"), function_call()])}),
    ]
}

#[test]
fn a_stream_by_its_terminal_event() {
    let call = stream(&events());
    assert_eq!(call.response.status.as_deref(), Some("completed"));
    assert_eq!(call.response.finish_reasons, ["tool_calls"]);
    assert_eq!(call.response.tool_calls, [function_called()]);
    assert_eq!(call.response.messages[0].parts, [text("Let me see"), Part::ToolCall(function_called())]);
    assert_eq!(call.usage.input, Some(10));
    // Resumed in the middle: the terminal event has it all.
    let resumed = stream(&events()[9..]);
    assert_eq!(resumed.response.messages, call.response.messages);
    assert_eq!(resumed.usage, call.usage);
    let bare = fixture::stream(&mut Responses::new(BARE), API, &events());
    assert!(bare.response.messages.is_empty());
    assert_eq!(bare.response.tool_calls, [ToolCall { arguments: None, ..function_called() }]);
}

#[test]
fn a_cut_stream_is_rebuilt() {
    let all = events();
    let before_end = stream(&all[..12]);
    assert_eq!(
        before_end.response.messages[0].parts,
        [text("Let me see"), Part::ToolCall(function_called())]
    );
    assert_eq!(before_end.response.status.as_deref(), Some("in_progress"));
    assert!(before_end.response.finish_reasons.is_empty() && !before_end.usage.is_reported());
    let by_deltas = stream(&all[..10]);
    assert_eq!(by_deltas.response.messages, before_end.response.messages);
    let half = stream(&all[..9]);
    assert_eq!(half.response.tool_calls[0].arguments, Some(json!("{\"a\":")));
    // Joined so late that only the ends of the deltas were seen.
    let late = stream(&[all[5].clone(), all[10].clone()]);
    assert_eq!(late.response.messages[0].parts, [text("Let me see")]);
    let bare = fixture::stream(&mut Responses::new(BARE), API, &all[..12]);
    assert_eq!(bare.response.tool_calls, [ToolCall { arguments: None, ..function_called() }]);
}

#[test]
fn a_terminal_event_without_output_counts_the_items() {
    let mut items = events();
    items[12]["response"]["output"] = json!([]);
    let call = stream(&items);
    assert_eq!(call.response.finish_reasons, ["tool_calls"]);
    assert_eq!(call.response.tool_calls, [function_called()]);
    assert_eq!(call.response.messages[0].finish_reason.as_deref(), Some("tool_calls"));
}

#[test]
fn other_deltas() {
    let delta = |kind: &str, index: &str, at: u64, delta: &str| json!({"type": format!("response.{kind}.delta"), "output_index": 0, index: at, "delta": delta});
    let call = stream(&[
        delta("reasoning_summary_text", "summary_index", 0, "first"),
        delta("reasoning_summary_text", "summary_index", 1, "second"),
        delta("reasoning_text", "content_index", 0, "thought"),
        delta("refusal", "content_index", 0, "No"),
        json!({"type": "response.new_thing.delta", "output_index": 0, "delta": "x"}),
    ]);
    assert_eq!(
        call.response.messages[0].parts,
        [
            Part::Reasoning("first".into()),
            Part::Reasoning("second".into()),
            Part::Reasoning("thought".into()),
            Part::Generic { kind: "refusal".into(), value: json!({"type": "refusal", "refusal": "No"}) },
        ]
    );
}

#[test]
fn errors_within_a_stream() {
    let flat = json!({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down", "param": null});
    let nested = json!({"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "Slow down"}});
    for error in [flat, nested] {
        let mut items = events()[..5].to_vec();
        items.push(error);
        let call = stream(&items);
        let error = call.error.expect("an error");
        assert_eq!((error.kind.as_str(), error.message.as_str()), ("rate_limit_exceeded", "Slow down"));
        assert_eq!(call.response.finish_reasons, ["error"]);
        assert_eq!(call.response.messages[0].parts, [text("Let me see")]);
    }
    let hosted = json!({"type": "response.mcp_call.failed", "output_index": 0, "error": {"message": "no"}});
    assert_eq!(stream(&[hosted]).error, None);
}

#[test]
fn content_past_the_bound_is_dropped_and_said() {
    let options = CodecOptions { content: true, max_content: 200 };
    let mut items = vec![events()[0].clone()];
    for _ in 0..50 {
        items.push(events()[3].clone());
    }
    items.extend(events()[7..12].to_vec());
    let call = fixture::stream(&mut Responses::new(options), API, &items);
    assert!(call.completeness.body_capped);
    assert_eq!(call.response.tool_calls[0].name, "add");
    // What a terminal event gives whole was never collected.
    let call = fixture::stream(&mut Responses::new(options), API, &events());
    assert!(!call.completeness.body_capped);
    assert_eq!(call.response.messages[0].parts.len(), 2);
}

const WORDS: &[&str] = &[
    "type",
    "response",
    "output",
    "output_index",
    "content_index",
    "item",
    "delta",
    "arguments",
    "text",
    "usage",
    "response.created",
    "response.completed",
    "response.failed",
    "response.incomplete",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "function_call",
    "custom_tool_call",
    "mcp_call",
    "shell_call",
    "reasoning",
    "summary",
    "content",
    "message",
    "role",
    "status",
    "completed",
    "incomplete",
    "incomplete_details",
    "reason",
    "error",
    "code",
    "tools",
    "input",
    "instructions",
    "name",
    "call_id",
    "id",
    "image_generation_call",
    "result",
    "input_image",
    "image_url",
    "conversation",
];

proptest! {
    #[test]
    fn any_json_is_taken_without_harm(
        body in fixture::json_of(WORDS),
        items in prop::collection::vec((prop::sample::select(WORDS), fixture::json_of(WORDS)), 0..12),
        content in any::<bool>(),
        max_content in 0_usize..4096,
    ) {
        let mut codec = Responses::new(CodecOptions { content, max_content });
        let mut call = fixture::call(API);
        codec.request(&body, &mut call);
        codec.response(&body, &mut call);
        let mut codec = Responses::new(CodecOptions { content, max_content });
        for (event, item) in &items {
            codec.event(event, item, &mut call);
            prop_assert!(codec.held_bytes() <= max_content + (1 << 20));
        }
        codec.finish(&mut call);
        prop_assert!(content || (call.request.messages.is_empty() && call.response.messages.is_empty()));
    }

    #[test]
    fn a_stream_cut_anywhere_keeps_its_beginning(cut in 0_usize..=13) {
        let call = stream(&events()[..cut]);
        prop_assert_eq!(call.response.id.is_some(), cut > 0);
        prop_assert_eq!(call.response.tool_calls.len(), usize::from(cut > 7));
        prop_assert_eq!(call.usage.is_reported(), cut == 13);
        let words: String = call.response.messages.iter().flat_map(|message| &message.parts)
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None }).collect();
        prop_assert!("Let me see".starts_with(&words));
    }
}
