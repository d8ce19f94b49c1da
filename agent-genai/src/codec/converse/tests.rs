use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::call::{Part, ResponseFormat, ToolChoice};
use crate::codec::fixture::{BARE, CONTENT, json_of, request, response};

const API: Api = Api::BedrockConverse;

fn stream(options: CodecOptions, items: &[(&str, Value)]) -> Call {
    let mut codec = Converse::new(options);
    let mut call = crate::codec::fixture::call(API);
    call.http.status = Some(200);
    for (event, item) in items {
        codec.event(event, item, &mut call);
    }
    codec.finish(&mut call);
    assert_eq!(codec.held_bytes(), 0, "the fold let go of everything");
    call
}

#[test]
fn requests() {
    let body = json!({
        "system": [{"text": "be brief"}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [{"text": "hi"}, {"image": {"format": "png", "source": {"bytes": "AAAA"}}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"b": 2}}], "status": "success"}}, {"text": "and?"}]},
        ],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["x"]},
        "additionalModelRequestFields": {"top_k": 40, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        "guardrailConfig": {"guardrailIdentifier": "g1", "guardrailVersion": "DRAFT"},
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}},
            {"cachePoint": {"type": "default"}}, {"systemTool": {"name": "nova_grounding"}}],
            "toolChoice": {"tool": {"name": "f"}}},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "N", "schema": "{\"type\": \"object\"}"}}}},
        "serviceTier": {"type": "priority"}, "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"team": "a", "number": 3}
    });
    let call = request(&mut Converse::new(CONTENT), API, &body);
    let r = &call.request;
    assert_eq!((r.max_tokens, r.temperature, r.top_p, r.top_k), (Some(9), Some(0.5), Some(0.9), Some(40)));
    assert_eq!((r.reasoning_budget, r.stop.clone()), (Some(1024), vec!["x".to_owned()]));
    assert_eq!((r.guardrail.as_deref(), r.service_tier.as_deref()), (Some("g1"), Some("priority")));
    assert_eq!((r.speed.as_deref(), r.output_type.as_deref()), (Some("optimized"), Some("json")));
    assert_eq!(r.metadata, [("team".to_owned(), "a".to_owned())]);
    assert_eq!(r.tool_choice, Some(ToolChoice::Tool("f".into())));
    let tools: Vec<_> = r.tools.iter().map(|tool| (tool.kind.as_str(), tool.name.as_str())).collect();
    assert_eq!(tools, [("function", "f"), ("systemTool", "nova_grounding")]);
    assert_eq!(r.system, [Part::Text("be brief".into())]);
    let roles: Vec<_> = r.messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "user"]);
    assert_eq!(
        r.messages[2].parts,
        [Part::ToolCallResponse { id: Some("t1".into()), response: json!({"b": 2}) }]
    );
    let schema = Some(json!({"type": "object"}));
    assert_eq!(
        r.response_format,
        Some(ResponseFormat { kind: "json_schema".into(), name: Some("N".into()), schema, strict: None })
    );

    let bare = request(&mut Converse::new(BARE), API, &body).request;
    assert!(bare.messages.is_empty() && bare.system.is_empty());
    assert_eq!(bare.response_format.and_then(|format| format.schema), None);
    assert!(bare.tools.iter().all(|tool| tool.description.is_none() && tool.parameters.is_none()));
}

#[test]
fn whole_answers() {
    let body = json!({
        "metrics": {"latencyMs": 3},
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "opaque"}}},
            {"reasoningContent": {"redactedContent": "AAAA"}},
            {"text": "yes"},
            {"toolUse": {"toolUseId": "s1", "name": "nova_grounding", "input": {"q": "x"}, "type": "server_tool_use"}},
            {"toolResult": {"toolUseId": "s1", "content": [{"text": "found"}], "status": "success", "type": "nova_grounding_result"}},
            {"citationsContent": {"content": [{"text": "cited"}], "citations": [{"title": "t"}]}},
            {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}
        ]}},
        "stopReason": "tool_use", "serviceTier": {"type": "flex"},
        "trace": {"guardrail": {"actionReason": "No action."}},
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 22, "cacheReadInputTokens": 4,
            "cacheReadInputTokenCount": 4, "cacheWriteInputTokens": 3, "serverToolUsage": {}}
    });
    let call = response(&mut Converse::new(CONTENT), API, 200, &body);
    assert_eq!((call.usage.input, call.usage.output), (Some(17), Some(5)));
    assert_eq!((call.usage.cache_read, call.usage.cache_write), (Some(4), Some(3)));
    assert_eq!((call.response.service_tier.as_deref(), call.response.flagged), (Some("flex"), Some(false)));
    let calls: Vec<_> = call.response.tool_calls.iter().map(|c| (c.name.as_str(), c.kind.as_str())).collect();
    assert_eq!(calls, [("nova_grounding", "server_tool_use"), ("f", "tool_use")]);
    let parts = &call.response.messages[0].parts;
    assert_eq!(parts[..2], [Part::Reasoning("hm".into()), Part::Text("yes".into())]);
    assert_eq!(
        parts[2],
        Part::ServerToolCall {
            id: Some("s1".into()),
            name: "nova_grounding".into(),
            call: json!({"type": "server_tool_use", "input": {"q": "x"}})
        }
    );
    assert_eq!(
        parts[3],
        Part::ServerToolCallResponse {
            id: Some("s1".into()),
            response: json!({"type": "nova_grounding_result", "content": "found"})
        }
    );
    assert_eq!(parts[4], Part::Text("cited".into()));
    assert_eq!(parts.len(), 6);

    let bare = response(&mut Converse::new(BARE), API, 200, &body);
    assert!(bare.response.messages.is_empty());
    assert!(bare.response.tool_calls.iter().all(|call| call.arguments.is_none()));
    assert_eq!(bare.response.tool_calls.len(), 2);
}

fn items() -> Vec<(&'static str, Value)> {
    vec![
        ("messageStart", json!({"role": "assistant", "p": "abc"})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "h"}}})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}}),
        ),
        ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"text": "a"}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"text": "b"}})),
        ("contentBlockStop", json!({"contentBlockIndex": 1})),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "f"}}}),
        ),
        ("contentBlockDelta", json!({"contentBlockIndex": 2, "delta": {"toolUse": {"input": "{\"a\":"}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 2, "delta": {"toolUse": {"input": "1}"}}})),
        ("contentBlockStop", json!({"contentBlockIndex": 2})),
        ("messageStop", json!({"stopReason": "tool_use"})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {"latencyMs": 1}}),
        ),
    ]
}

#[test]
fn streams() {
    let call = stream(CONTENT, &items());
    assert_eq!((call.usage.input, call.usage.output), (Some(3), Some(2)));
    assert_eq!(call.response.finish_reasons, ["tool_use"]);
    let parts = &call.response.messages[0].parts;
    assert_eq!(parts[..2], [Part::Reasoning("h".into()), Part::Text("ab".into())]);
    assert_eq!(call.response.tool_calls[0].arguments, Some(json!({"a": 1})));
    assert_eq!(parts[2], Part::ToolCall(call.response.tool_calls[0].clone()));

    let bare = stream(BARE, &items());
    assert!(bare.response.messages.is_empty());
    assert_eq!((bare.response.tool_calls.len(), bare.response.tool_calls[0].arguments.is_none()), (1, true));

    // Cut before the usage came: what came stays, the rest is unknown.
    let cut = stream(CONTENT, &items()[..5]);
    assert_eq!((cut.usage.is_reported(), cut.response.finish_reasons.len()), (false, 0));
    assert_eq!(cut.response.messages[0].parts.len(), 2);
}

#[test]
fn results_of_the_service_s_tools_are_streamed() {
    let call = stream(
        CONTENT,
        &[
            (
                "contentBlockStart",
                json!({"contentBlockIndex": 0, "start": {"toolResult": {"toolUseId": "s1", "status": "success", "type": "x_result"}}}),
            ),
            ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"toolResult": [{"text": "r"}]}})),
            ("messageStop", json!({"stopReason": "guardrail_intervened"})),
        ],
    );
    assert_eq!(
        call.response.messages[0].parts,
        [Part::ServerToolCallResponse {
            id: Some("s1".into()),
            response: json!({"type": "x_result", "content": "r"})
        }]
    );
    assert_eq!(call.response.flagged, Some(true));
}

#[test]
fn failures() {
    let mut codec = Converse::new(BARE);
    let headers = [("x-amzn-errortype", "ThrottlingException:http://internal/")].into_iter().collect();
    let head = ResponseHead { status: 429, version: agent_wire::Version::Http11, headers };
    let mut call = crate::codec::fixture::call(API);
    call.http.status = Some(429);
    codec.response_head(&head, &mut call);
    codec.response(&json!({"message": "Too many tokens"}), &mut call);
    codec.finish(&mut call);
    let error = call.error.unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("ThrottlingException", "Too many tokens"));

    let mut codec = Converse::new(BARE);
    let mut call = crate::codec::fixture::call(API);
    codec.event("messageStart", &json!({"role": "assistant"}), &mut call);
    codec.exception(
        "modelStreamErrorException",
        "",
        &json!({"message": "gone", "originalStatusCode": 500}),
        &mut call,
    );
    codec.finish(&mut call);
    let error = call.error.unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("modelStreamErrorException", "gone"));
}

const WORDS: &[&str] = &[
    "messages",
    "content",
    "text",
    "toolUse",
    "toolResult",
    "toolUseId",
    "name",
    "input",
    "reasoningContent",
    "reasoningText",
    "delta",
    "start",
    "contentBlockIndex",
    "usage",
    "inputTokens",
    "outputTokens",
    "cacheReadInputTokens",
    "cacheDetails",
    "ttl",
    "5m",
    "stopReason",
    "output",
    "message",
    "trace",
    "guardrail",
    "toolConfig",
    "tools",
    "toolSpec",
    "inputSchema",
    "json",
    "system",
    "image",
    "source",
    "bytes",
    "format",
    "citationsContent",
    "inferenceConfig",
    "maxTokens",
    "type",
];
const EVENT_NAMES: &[&str] =
    &["messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata", "error", ""];

proptest! {
    #[test]
    fn any_json_is_survived(
        bodies in prop::collection::vec((prop::sample::select(EVENT_NAMES), json_of(WORDS)), 0..8), body in json_of(WORDS), content: bool
    ) {
        let options = CodecOptions { content, max_content: 256 };
        let mut codec = Converse::new(options);
        let mut call = crate::codec::fixture::call(API);
        codec.request(&body, &mut call);
        for (event, body) in &bodies {
            codec.event(event, body, &mut call);
        }
        codec.response(&body, &mut call);
        codec.finish(&mut call);
        prop_assert!(content || call.request.messages.is_empty() && call.response.messages.is_empty());
        prop_assert!(call.usage.cache_read.unwrap_or(0) <= call.usage.input.unwrap_or(u64::MAX));
    }
}
