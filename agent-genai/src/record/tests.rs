//! Spans of calls, by the conventions.

use agent_wire::Role;
use serde_json::{Value, json};

use super::*;
use crate::Call;
use crate::call::{Api, CallError, Message, Operation, Part, Rpc, ToolCall, ToolDefinition};

const OPTIONS: RecordOptions = RecordOptions {
    compat: Compat {
        cache_creation_alias: false,
        legacy_metrics: false,
        finish_reason_in_messages: false,
        workflow_name: false,
    },
    content: true,
    tool_descriptions: false,
    source: "recording",
};

fn build(call: &Call, options: &RecordOptions) -> Record {
    let cost = Cost { usd: None, source: CostSource::None, provider_usd: None, lines: Vec::new() };
    build_record(call, &SpanIds::derive(b"x", None), &Attributes::new(), cost, options)
}

fn chat() -> Call {
    let mut call = Call::new(Api::OpenAiChat, Operation::Chat, Role::Client);
    call.provider = "openai".into();
    call.request.model = Some("gpt-x".into());
    call.timing.start = 1_700_000_000_000_000_001;
    call.timing.end = 1_700_000_001_500_000_000;
    call.http.server_address = Some("localhost".into());
    call.http.server_port = Some(8443);
    call.http.status = Some(200);
    call
}

fn tool_call() -> Call {
    let mut call = Call::new(Api::Mcp, Operation::ExecuteTool, Role::Client);
    call.http.server_address = Some("tools".into());
    call.http.server_port = Some(443);
    call.http.status = Some(200);
    call.rpc = Some(Box::new(Rpc {
        system: "mcp",
        method: "tools/call".into(),
        tool: Some("add".into()),
        request_id: Some("3".into()),
        protocol_version: Some("2025-11-25".into()),
        session_id: Some("s".into()),
        arguments: Some(json!({"a": 2})),
        result: Some(json!({"isError": true})),
        content_types: vec!["text".into()],
        transport: "http",
        transport_version: Some("1.1"),
        link: Some("00-11111111111111111111111111111111-2222222222222222-01".into()),
        ..Rpc::default()
    }));
    call.error = Some(CallError { kind: "tool_error".into(), message: "m".into() });
    call
}

#[test]
fn an_mcp_tool_call() {
    let record = build(&tool_call(), &OPTIONS);
    assert_eq!((record.name.as_str(), record.kind.as_str()), ("tools/call add", "CLIENT"));
    assert_eq!(
        serde_json::to_value(&record.attributes).unwrap(),
        json!({
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add", "mcp.method.name": "tools/call",
            "jsonrpc.request.id": "3", "mcp.protocol.version": "2025-11-25", "mcp.session.id": "s", "error.type": "tool_error",
            "network.transport": "tcp", "network.protocol.name": "http", "network.protocol.version": "1.1",
            "server.address": "tools", "server.port": 443, "http.response.status_code": 200,
            "gen_ai.tool.call.arguments": {"a": 2}, "gen_ai.tool.call.result": {"isError": true},
            "wirespan.mcp.result.content_types": ["text"],
        })
    );
    let [link] = record.links.as_slice() else { panic!("one link") };
    assert_eq!((link.trace_id.len(), link.span_id.as_str()), (32, "2222222222222222"));
    let bare = build(&tool_call(), &RecordOptions { content: false, ..OPTIONS });
    assert!(!bare.attributes.keys().any(|key| key.starts_with("gen_ai.tool.call.")));
}

#[test]
fn kinds_of_calls_that_go_the_other_way() {
    for (role, from_server, kind) in [
        (Role::Client, false, "CLIENT"),
        (Role::Server, false, "SERVER"),
        (Role::Client, true, "SERVER"),
        (Role::Server, true, "CLIENT"),
    ] {
        let mut call = tool_call();
        call.role = role;
        call.operation = Operation::Rpc;
        call.rpc.as_mut().unwrap().from_server = from_server;
        let record = build(&call, &OPTIONS);
        assert_eq!(record.kind, kind);
        assert!(!record.attributes.contains_key("gen_ai.operation.name"));
    }
}

#[test]
fn a_grpc_call() {
    let mut call = Call::new(Api::Grpc, Operation::Rpc, Role::Client);
    call.rpc = Some(Box::new(Rpc {
        system: "grpc",
        method: "xai_api.Chat/GetDeferredCompletion".into(),
        status_code: Some(5),
        messages: Some((1, 0)),
        message_bytes: Some((20, 0)),
        ..Rpc::default()
    }));
    let record = build(&call, &OPTIONS);
    assert_eq!(record.name, "xai_api.Chat/GetDeferredCompletion");
    assert_eq!(
        serde_json::to_value(&record.attributes).unwrap(),
        json!({
            "rpc.system.name": "grpc", "rpc.method": "xai_api.Chat/GetDeferredCompletion", "rpc.response.status_code": "NOT_FOUND",
            "wirespan.rpc.messages.sent": 1, "wirespan.rpc.messages.received": 0,
            "wirespan.rpc.bytes.sent": 20, "wirespan.rpc.bytes.received": 0,
        })
    );
}

#[test]
fn a_plain_call() {
    let mut call = chat();
    call.request.choice_count = Some(1);
    call.usage.input = Some(5);
    call.usage.cache_write = Some(2);
    call.response.finish_reasons = vec!["stop".into()];
    let record = build(&call, &OPTIONS);
    assert_eq!((record.name.as_str(), record.kind.as_str()), ("chat gpt-x", "CLIENT"));
    assert_eq!(
        (record.start.as_str(), record.end.as_str()),
        ("2023-11-14T22:13:20.000000001Z", "2023-11-14T22:13:21.500000000Z")
    );
    assert_eq!(record.status.code, StatusCode::Unset);
    assert_eq!(
        serde_json::to_value(&record.attributes).unwrap(),
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x",
            "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_write.input_tokens": 2,
            "server.address": "localhost", "server.port": 8443, "http.response.status_code": 200, "openai.api.type": "chat_completions",
        })
    );
    let compat = RecordOptions { compat: Compat::default(), ..OPTIONS };
    assert_eq!(build(&call, &compat).attributes["gen_ai.usage.cache_creation.input_tokens"], 2);
}

#[test]
fn a_failed_and_incomplete_stream() {
    let mut call = chat();
    call.request.stream = true;
    call.timing.first_chunk = Some(call.timing.start + 250_000_000);
    call.error = Some(CallError { kind: "stream_truncated".into(), message: "m".into() });
    call.completeness.truncated = true;
    let record = build(&call, &OPTIONS);
    assert_eq!(record.status, Status { code: StatusCode::Error, message: "m".into() });
    assert_eq!(record.attributes["error.type"], "stream_truncated");
    assert_eq!(record.attributes["gen_ai.response.time_to_first_chunk"], 0.25);
    assert_eq!(record.attributes["wirespan.capture.complete"], false);
    assert!(!record.capture.complete);
    assert_eq!(record.usage_source, UsageSource::Absent);
}

#[test]
fn a_fetch_has_no_usage_and_no_input() {
    let mut call = chat();
    call.api = Api::OpenAiResponses;
    call.operation = Operation::FetchResponse;
    call.response.id = Some("resp_1".into());
    call.response.status = Some("completed".into());
    call.usage.input = Some(9);
    call.request.messages =
        vec![Message { role: "user".into(), parts: vec![], name: None, finish_reason: None }];
    let record = build(&call, &OPTIONS);
    assert_eq!(record.name, "fetch_response");
    assert_eq!(record.attributes["gen_ai.response.status"], "completed");
    assert!(
        !record
            .attributes
            .keys()
            .any(|key| key.contains("usage") || key.contains("messages") || key.contains("request.model"))
    );
}

#[test]
fn an_embeddings_call() {
    let mut call = chat();
    call.api = Api::OpenAiEmbeddings;
    call.operation = Operation::Embeddings;
    call.request.encoding_formats = vec!["float".into()];
    call.response.vector_dimension = Some(1536);
    let record = build(&call, &OPTIONS);
    assert_eq!(record.name, "embeddings gpt-x");
    assert_eq!(record.attributes["gen_ai.embeddings.dimension.count"], 1536);
    assert_eq!(record.attributes["gen_ai.request.encoding_formats"], json!(["float"]));
}

#[test]
fn content_shapes() {
    let mut call = chat();
    call.request.system = vec![Part::Text("be brief".into())];
    call.request.tools = vec![ToolDefinition {
        kind: "function".into(),
        name: "f".into(),
        description: Some("d".into()),
        parameters: None,
    }];
    let message = |role: &str, parts, finish: Option<&str>| Message {
        role: role.into(),
        parts,
        name: None,
        finish_reason: finish.map(str::to_owned),
    };
    let tool = ToolCall {
        id: Some("c".into()),
        name: "f".into(),
        kind: "function".into(),
        arguments: Some(json!({"x": 1})),
    };
    call.request.messages = vec![
        message(
            "user",
            vec![
                Part::Text("hi".into()),
                Part::Uri { modality: "image".into(), uri: "https://e/x".into(), mime_type: None },
            ],
            None,
        ),
        message(
            "user",
            vec![
                Part::ToolCallResponse { id: Some("c".into()), response: json!("ok") },
                Part::ToolCallResponse { id: Some("d".into()), response: json!("well") },
                Part::Text("and?".into()),
            ],
            None,
        ),
    ];
    call.response.messages = vec![message(
        "assistant",
        vec![
            Part::Reasoning("hm".into()),
            Part::ToolCall(tool),
            Part::Generic {
                kind: "refusal".into(),
                value: json!({"type": "refusal", "refusal": "no", "x": null}),
            },
            Part::ServerToolCall {
                id: None,
                name: "web_search".into(),
                call: json!({"type": "web_search_call"}),
            },
            Part::Blob { modality: "audio".into(), mime_type: None, content: "AA".into() },
        ],
        Some("tool_calls"),
    )];
    let record = build(&call, &OPTIONS);
    let attribute = |key: &str| -> Value { record.attributes[key].clone() };
    assert_eq!(attribute("gen_ai.system_instructions"), json!([{"type": "text", "content": "be brief"}]));
    assert_eq!(attribute("gen_ai.tool.definitions"), json!([{"type": "function", "name": "f"}]));
    assert_eq!(
        attribute("gen_ai.input.messages"),
        json!([
            {"role": "user", "parts": [{"type": "text", "content": "hi"}, {"type": "uri", "modality": "image", "uri": "https://e/x"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "ok"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "d", "response": "well"}]},
            {"role": "user", "parts": [{"type": "text", "content": "and?"}]},
        ])
    );
    assert_eq!(
        attribute("gen_ai.output.messages"),
        json!([{"role": "assistant", "parts": [
            {"type": "reasoning", "content": "hm"},
            {"type": "tool_call", "id": "c", "name": "f", "arguments": {"x": 1}},
            {"type": "generic", "generic_type": "refusal", "refusal": "no"},
            {"type": "server_tool_call", "name": "web_search", "server_tool_call": {"type": "web_search"}},
            {"type": "blob", "modality": "audio", "content": "AA"},
        ]}])
    );
    let compat = RecordOptions { compat: Compat::default(), tool_descriptions: true, ..OPTIONS };
    let record = build(&call, &compat);
    assert_eq!(record.attributes["gen_ai.output.messages"][0]["finish_reason"], "tool_call");
    assert_eq!(record.attributes["gen_ai.tool.definitions"][0]["description"], "d");
    let bare = build(&call, &RecordOptions { content: false, ..OPTIONS });
    assert!(
        !bare
            .attributes
            .keys()
            .any(|key| key.contains("messages") || key.contains("system") || key.contains("definitions"))
    );
}
