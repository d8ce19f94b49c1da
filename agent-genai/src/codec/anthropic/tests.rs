//! The rules of the Messages API, each on a small document.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Anthropic;
use crate::call::{Api, Call, Message, Part, ToolCall, ToolDefinition};
use crate::codec::fixture::{self, BARE, CONTENT};
use crate::codec::{Codec, CodecOptions};

const API: Api = Api::AnthropicMessages;

fn request(body: &Value) -> Call {
    fixture::request(&mut Anthropic::new(CONTENT), API, body)
}

fn response(body: &Value) -> Call {
    fixture::response(&mut Anthropic::new(CONTENT), API, 200, body)
}

fn stream(items: &[Value]) -> Call {
    fixture::stream(&mut Anthropic::new(CONTENT), API, items)
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn message(role: &str, parts: Vec<Part>) -> Message {
    Message { role: role.to_owned(), parts, name: None, finish_reason: None }
}

#[test]
fn request_settings() {
    let call = request(&json!({
        "model": "claude-x", "max_tokens": 64, "stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 5,
        "stop_sequences": ["END"], "metadata": {"user_id": "u-1"}, "service_tier": "auto", "speed": "fast",
        "thinking": {"type": "adaptive"}, "thread": {"type": "continue", "previous_message_id": "msg_0"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {}}},
        "messages": [{"role": "user", "content": "Hi"}],
    }));
    let r = &call.request;
    assert_eq!(r.model.as_deref(), Some("claude-x"));
    assert!(r.stream);
    assert_eq!((r.max_tokens, r.temperature, r.top_p, r.top_k), (Some(64), Some(0.5), Some(0.9), Some(5)));
    assert_eq!(r.stop, ["END"]);
    assert_eq!(r.user.as_deref(), Some("u-1"));
    assert_eq!(r.service_tier.as_deref(), Some("auto"));
    assert_eq!(r.speed.as_deref(), Some("fast"));
    assert_eq!(r.reasoning_level.as_deref(), Some("high"));
    assert_eq!(r.previous_response_id.as_deref(), Some("msg_0"));
    assert_eq!(r.output_type.as_deref(), Some("json"));
    assert_eq!(r.messages, [message("user", vec![text("Hi")])]);
    let beta = request(&json!({"output_format": {"type": "json_schema"}, "messages": []}));
    assert_eq!(beta.request.output_type.as_deref(), Some("json"));
    assert!(!beta.request.stream);
}

#[test]
fn tools_of_every_kind_without_secrets() {
    let body = json!({
        "tools": [
            {"name": "add", "description": "adds", "input_schema": {"type": "object"}},
            {"type": "custom", "name": "sub", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "mcp_toolset", "mcp_server_name": "wiki"},
            7,
        ],
        "mcp_servers": [{"name": "wiki", "url": "https://wiki.example", "authorization_token": "hush"}],
    });
    let tool = |kind: &str, name: &str| ToolDefinition {
        kind: kind.to_owned(),
        name: name.to_owned(),
        ..ToolDefinition::default()
    };
    let schema = Some(json!({"type": "object"}));
    let described = |tool: ToolDefinition| ToolDefinition { parameters: schema.clone(), ..tool };
    let call = request(&body);
    assert_eq!(
        call.request.tools,
        [
            ToolDefinition { description: Some("adds".to_owned()), ..described(tool("function", "add")) },
            described(tool("function", "sub")),
            tool("web_search_20250305", "web_search"),
            tool("mcp_toolset", "wiki"),
        ]
    );
    assert!(!format!("{call:?}").contains("hush"));
    let bare = fixture::request(&mut Anthropic::new(BARE), API, &body);
    assert_eq!(bare.request.tools[0], tool("function", "add"));
}

#[test]
fn system_as_text_and_as_blocks() {
    assert_eq!(request(&json!({"system": "Be kind"})).request.system, [text("Be kind")]);
    let blocks = json!({"system": [
        {"type": "text", "text": "Be kind", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "Be brief"}
    ]});
    assert_eq!(request(&blocks).request.system, [text("Be kind"), text("Be brief")]);
}

#[test]
fn tool_results_stand_apart_in_order() {
    let call = request(&json!({"messages": [
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "opaque"},
            {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "3"},
            {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": [{"type": "text", "text": "no"}]},
            {"type": "text", "text": "and now?"},
            {"type": "tool_result", "tool_use_id": "t3"},
        ]},
    ]}));
    let used = ToolCall {
        id: Some("t1".to_owned()),
        name: "add".to_owned(),
        kind: "tool_use".to_owned(),
        arguments: Some(json!({"a": 1})),
    };
    let answer = |id: &str, response: Value| Part::ToolCallResponse { id: Some(id.to_owned()), response };
    assert_eq!(
        call.request.messages,
        [
            message("assistant", vec![Part::Reasoning("hm".to_owned()), Part::ToolCall(used)]),
            message(
                "tool",
                vec![
                    answer("t1", json!("3")),
                    answer("t2", json!({"is_error": true, "content": [{"type": "text", "text": "no"}]})),
                ]
            ),
            message("user", vec![text("and now?")]),
            message("tool", vec![answer("t3", json!(""))]),
        ]
    );
}

#[test]
fn media_and_other_blocks() {
    let block = |block: Value| {
        let call = request(&json!({"messages": [{"role": "user", "content": [block]}]}));
        call.request.messages[0].parts.first().cloned()
    };
    assert_eq!(
        block(
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}})
        ),
        Some(Part::Blob {
            modality: "image".into(),
            mime_type: Some("image/png".into()),
            content: "AAAA".into()
        })
    );
    assert_eq!(
        block(json!({"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}})),
        Some(Part::Uri { modality: "image".into(), uri: "https://a.example/b.png".into(), mime_type: None })
    );
    let file = |modality: &str| {
        Some(Part::File { modality: modality.into(), file_id: "file_1".into(), mime_type: None })
    };
    assert_eq!(
        block(json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}})),
        file("document")
    );
    assert_eq!(
        block(json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}})),
        file("image")
    );
    assert_eq!(block(json!({"type": "container_upload", "file_id": "file_1"})), file("document"));
    let plain = json!({"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "x"}});
    assert_eq!(block(plain.clone()), Some(Part::Generic { kind: "document".into(), value: plain }));
    assert_eq!(
        block(
            json!({"type": "mcp_tool_use", "id": "m1", "name": "ask", "server_name": "wiki", "input": {"q": 1}})
        ),
        Some(Part::ServerToolCall {
            id: Some("m1".into()),
            name: "ask".into(),
            call: json!({"type": "mcp_tool_use", "server_name": "wiki", "input": {"q": 1}}),
        })
    );
    assert_eq!(
        block(json!({"type": "web_search_tool_result", "tool_use_id": "w1", "content": [
            {"type": "web_search_result", "title": "A", "encrypted_content": "opaque"}]})),
        Some(Part::ServerToolCallResponse {
            id: Some("w1".into()),
            response: json!({"type": "web_search_tool_result", "content": [{"type": "web_search_result", "title": "A"}]}),
        })
    );
}

#[test]
fn a_whole_answer() {
    let call = response(&json!({
        "type": "message", "id": "msg_1", "model": "claude-x-1", "role": "assistant", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Let me see"},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
        ],
        "usage": {"input_tokens": 10, "output_tokens": 7, "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            "output_tokens_details": {"thinking_tokens": 3},
            "server_tool_use": {"web_search_requests": 2}, "service_tier": "priority"},
    }));
    let r = &call.response;
    assert_eq!((r.id.as_deref(), r.model.as_deref()), (Some("msg_1"), Some("claude-x-1")));
    assert_eq!(r.finish_reasons, ["tool_use"]);
    assert_eq!(r.service_tier.as_deref(), Some("priority"));
    let kinds: Vec<_> = r.tool_calls.iter().map(|call| (call.kind.as_str(), call.name.as_str())).collect();
    assert_eq!(kinds, [("server_tool_use", "web_search"), ("tool_use", "add")]);
    assert_eq!(r.messages[0].parts.len(), 4);
    assert_eq!(r.messages[0].finish_reason.as_deref(), Some("tool_use"));
    let u = &call.usage;
    assert_eq!((u.input, u.output, u.cache_read, u.cache_write), (Some(140), Some(7), Some(100), Some(30)));
    assert_eq!((u.cache_write_5m, u.cache_write_1h), (Some(10), Some(20)));
    assert_eq!((u.reasoning, u.web_searches), (Some(3), Some(2)));
    assert_eq!(u.corrected, None);
}

#[test]
fn errors_refusals_and_pauses() {
    let body = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"});
    let call = fixture::response(&mut Anthropic::new(BARE), API, 529, &body);
    let error = call.error.expect("an error");
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("overloaded_error", "Overloaded"));
    assert_eq!(call.response.request_id.as_deref(), Some("req_1"));
    assert!(!call.usage.is_reported());
    for reason in ["refusal", "pause_turn", "model_context_window_exceeded"] {
        let call = response(&json!({"type": "message", "content": [], "stop_reason": reason}));
        assert_eq!(call.response.finish_reasons, [reason]);
        assert_eq!(call.error, None);
    }
}

fn started() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
        "model": "claude-x-1", "content": [], "stop_reason": null,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1, "service_tier": "standard"}}})
}

fn begun(index: u64, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn ended(reason: &str, usage: &Value) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": usage})
}

#[test]
fn a_stream_is_put_together() {
    let items = [
        started(),
        begun(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, &json!({"type": "thinking_delta", "thinking": "Let "})),
        json!({"type": "ping"}),
        delta(0, &json!({"type": "thinking_delta", "thinking": "me"})),
        delta(0, &json!({"type": "signature_delta", "signature": "opaque"})),
        begun(1, &json!({"type": "text", "text": ""})),
        delta(1, &json!({"type": "text_delta", "text": "See"})),
        delta(1, &json!({"type": "citations_delta", "citation": {"url": "https://a.example"}})),
        begun(2, &json!({"type": "tool_use", "id": "t1", "name": "add", "input": {}})),
        delta(2, &json!({"type": "input_json_delta", "partial_json": ""})),
        delta(2, &json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
        delta(2, &json!({"type": "input_json_delta", "partial_json": "1}"})),
        begun(3, &json!({"type": "tool_use", "id": "t2", "name": "now", "input": {}})),
        begun(4, &json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}})),
        delta(4, &json!({"type": "input_json_delta", "partial_json": "{\"query\":\"q\"}"})),
        begun(5, &json!({"type": "web_search_tool_result", "tool_use_id": "s1", "content": []})),
        json!({"type": "content_block_stop", "index": 5}),
        ended("tool_use", &json!({"input_tokens": 12, "output_tokens": 40, "cache_read_input_tokens": 6})),
        json!({"type": "message_stop"}),
    ];
    let call = stream(&items);
    assert_eq!(call.response.id.as_deref(), Some("msg_1"));
    assert_eq!(call.response.finish_reasons, ["tool_use"]);
    let arguments: Vec<_> =
        call.response.tool_calls.iter().map(|call| call.arguments.clone().unwrap()).collect();
    assert_eq!(arguments, [json!({"a": 1}), json!({}), json!({"query": "q"})]);
    let parts = &call.response.messages[0].parts;
    assert_eq!(parts[..2], [Part::Reasoning("Let me".to_owned()), text("See")]);
    assert_eq!(parts[3], Part::ToolCall(call.response.tool_calls[1].clone()));
    assert_eq!(
        parts[4],
        Part::ServerToolCall {
            id: Some("s1".into()),
            name: "web_search".into(),
            call: json!({"type": "server_tool_use", "input": {"query": "q"}}),
        }
    );
    assert!(matches!(&parts[5], Part::ServerToolCallResponse { id: Some(id), .. } if id == "s1"));
    // Overwritten, not added: 12 + 6 + 0.
    let u = &call.usage;
    assert_eq!((u.input, u.output, u.cache_read, u.cache_write), (Some(18), Some(40), Some(6), Some(0)));
    assert_eq!((u.cache_write_5m, u.cache_write_1h), (Some(0), Some(0)));

    let bare = fixture::stream(&mut Anthropic::new(BARE), API, &items);
    assert!(bare.response.messages.is_empty());
    assert_eq!(bare.usage, call.usage);
    let names: Vec<_> = bare.response.tool_calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["add", "now", "web_search"]);
    assert!(bare.response.tool_calls.iter().all(|call| call.arguments.is_none()));
}

#[test]
fn a_split_of_cache_writes_goes_with_its_total() {
    let usage = json!({"output_tokens": 4, "cache_creation_input_tokens": 77});
    let call = stream(&[started(), ended("end_turn", &usage)]);
    assert_eq!(call.usage.cache_write, Some(77));
    assert_eq!((call.usage.cache_write_5m, call.usage.cache_write_1h), (None, None));
    assert_eq!(call.usage.input, Some(92));
}

#[test]
fn compaction_passes_are_added_and_advisor_passes_are_not() {
    let pass = |kind: &str| {
        json!({"type": kind, "input_tokens": 1000, "output_tokens": 50,
        "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0})
    };
    let call = response(&json!({"type": "message", "content": [], "stop_reason": "end_turn", "usage": {
        "input_tokens": 20, "output_tokens": 5,
        "iterations": [pass("compaction"), pass("message"), pass("advisor_message")]}}));
    assert_eq!((call.usage.input, call.usage.output), (Some(1020), Some(55)));
    assert!(call.usage.corrected.is_some());
}

#[test]
fn the_model_that_served_after_a_fallback() {
    let usage = json!({"output_tokens": 4, "iterations": [
        {"type": "message", "input_tokens": 10, "output_tokens": 0},
        {"type": "fallback_message", "model": "claude-y-1", "input_tokens": 10, "output_tokens": 4}]});
    let call = stream(&[started(), ended("end_turn", &usage)]);
    assert_eq!(call.response.model.as_deref(), Some("claude-y-1"));
    assert_eq!((call.usage.output, call.usage.corrected), (Some(4), None));
}

#[test]
fn compaction_is_a_part_of_its_own() {
    let call = stream(&[
        started(),
        begun(0, &json!({"type": "compaction", "content": null})),
        delta(0, &json!({"type": "compaction_delta", "content": "so far"})),
    ]);
    assert_eq!(
        call.response.messages[0].parts,
        [Part::Generic {
            kind: "compaction".into(),
            value: json!({"type": "compaction", "content": "so far"})
        }]
    );
}

#[test]
fn an_error_within_a_stream_keeps_what_came_before() {
    let call = stream(&[
        started(),
        begun(0, &json!({"type": "text", "text": ""})),
        delta(0, &json!({"type": "text_delta", "text": "Hel"})),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ]);
    assert_eq!(call.error.map(|error| error.kind).as_deref(), Some("overloaded_error"));
    assert_eq!(call.response.finish_reasons, ["error"]);
    assert_eq!(call.response.messages[0].parts, [text("Hel")]);
    assert_eq!(call.usage.input, Some(15));
}

#[test]
fn input_that_is_no_json_stays_text() {
    let call = stream(&[
        begun(0, &json!({"type": "tool_use", "id": "t1", "name": "add", "input": {}})),
        delta(0, &json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
    ]);
    assert_eq!(call.response.tool_calls[0].arguments, Some(json!("{\"a\":")));
}

#[test]
fn content_past_the_bound_is_dropped_and_said() {
    let options = CodecOptions { content: true, max_content: 6 };
    let items = [
        started(),
        begun(0, &json!({"type": "text", "text": ""})),
        delta(0, &json!({"type": "text_delta", "text": "12345"})),
        delta(0, &json!({"type": "text_delta", "text": "6789"})),
        delta(0, &json!({"type": "text_delta", "text": "0"})),
        begun(1, &json!({"type": "tool_use", "id": "t1", "name": "add", "input": {}})),
        ended("end_turn", &json!({"output_tokens": 9})),
    ];
    let call = fixture::stream(&mut Anthropic::new(options), API, &items);
    assert_eq!(call.response.messages[0].parts, [text("12345")]);
    assert!(call.completeness.body_capped);
    assert_eq!(call.response.tool_calls[0].name, "add");
    assert_eq!(call.usage.output, Some(9));
}

const WORDS: &[&str] = &[
    "type",
    "message",
    "content",
    "content_block",
    "delta",
    "index",
    "usage",
    "text",
    "thinking",
    "tool_use",
    "server_tool_use",
    "tool_result",
    "input",
    "partial_json",
    "text_delta",
    "thinking_delta",
    "input_json_delta",
    "message_start",
    "message_delta",
    "content_block_start",
    "content_block_delta",
    "error",
    "stop_reason",
    "iterations",
    "compaction",
    "input_tokens",
    "output_tokens",
    "cache_creation",
    "messages",
    "system",
    "tools",
    "role",
    "user",
    "image",
    "source",
    "base64",
    "data",
    "name",
    "id",
    "is_error",
    "web_search_tool_result",
];

proptest! {
    #[test]
    fn any_json_is_taken_without_harm(
        body in fixture::json_of(WORDS),
        items in prop::collection::vec((prop::sample::select(WORDS), fixture::json_of(WORDS)), 0..12),
        content in any::<bool>(),
        max_content in 0_usize..4096,
    ) {
        let mut codec = Anthropic::new(CodecOptions { content, max_content });
        let mut call = fixture::call(API);
        codec.request(&body, &mut call);
        codec.response(&body, &mut call);
        for (event, item) in &items {
            codec.event(event, item, &mut call);
            prop_assert!(codec.held_bytes() <= max_content + (1 << 20));
        }
        codec.finish(&mut call);
        prop_assert!(content || (call.request.messages.is_empty() && call.response.messages.is_empty()));
    }

    #[test]
    fn a_stream_cut_anywhere_keeps_its_beginning(cut in 0_usize..9) {
        let items = [
            started(),
            begun(0, &json!({"type": "text", "text": ""})),
            delta(0, &json!({"type": "text_delta", "text": "ab"})),
            delta(0, &json!({"type": "text_delta", "text": "cd"})),
            begun(1, &json!({"type": "tool_use", "id": "t1", "name": "add", "input": {}})),
            delta(1, &json!({"type": "input_json_delta", "partial_json": "{}"})),
            ended("tool_use", &json!({"output_tokens": 9})),
            json!({"type": "message_stop"}),
        ];
        let call = stream(&items[..cut.min(items.len())]);
        prop_assert_eq!(call.usage.input, (cut > 0).then_some(15));
        prop_assert_eq!(call.response.tool_calls.len(), usize::from(cut > 4));
        prop_assert_eq!(call.response.finish_reasons.len(), usize::from(cut > 6));
        let words: String = call.response.messages.iter().flat_map(|message| &message.parts)
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None }).collect();
        prop_assert!("abcd".starts_with(&words));
    }
}
