//! A Record and a Call for the tests of export and metrics.

use agent_genai::{
    Call, Record,
    call::{Api, CallError, ChunkGaps, Completeness, Http, Operation, Request, Response, Timing, Usage},
};
use agent_wire::Role;
use serde_json::json;

/// A chat call that cost something, with content and an event.
pub(crate) fn record() -> Record {
    serde_json::from_value(json!({
        "v": 1,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "parent_span_id": "00f067aa0ba902b7",
        "links": [{"trace_id": "1af7651916cd43dd8448eb211c80319c", "span_id": "c7ad6b7169203331", "attributes": {"why": "retry"}}],
        "name": "chat gpt-4o-mini",
        "kind": "CLIENT",
        "start": "2026-11-23T10:00:00.000000001Z",
        "end": "2026-11-23T10:00:01.5Z",
        "status": {"code": "ERROR", "message": "rate limited"},
        "resource": {"service.name": "shop", "process.pid": 7},
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.request.temperature": 1.0,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 812,
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
            "error.type": "429",
            "absent": null
        },
        "events": [{"name": "first chunk", "time": "2026-11-23T10:00:00.5Z", "attributes": {"n": 1}}],
        "usage_source": "reported",
        "cost": {"usd": 0.25, "source": "table", "provider_usd": null, "lines": [
            {"item": "input", "quantity": 800, "unit": "token", "usd_per_million": 0.15, "usd": 0.125},
            {"item": "input", "quantity": 12, "unit": "token", "usd_per_million": 0.3, "usd": 0.125},
            {"item": "search", "quantity": 1, "unit": "search", "usd_per_million": null, "usd": null}
        ]},
        "checks": [],
        "capture": {"source": "uprobe", "complete": false, "request_bytes": 2113, "response_bytes": 9120, "lost_bytes": 5,
            "truncated": true, "attached_mid_stream": false},
        "inferred": false
    }))
    .unwrap()
}

/// The call behind it: streamed, two seconds long, the first chunk after half a second.
pub(crate) fn call(usage: Usage) -> Call {
    let mut chunk_gaps = ChunkGaps { count: 3, sum: 0.3, max: 0.2, ..ChunkGaps::default() };
    chunk_gaps.buckets[4] = 3;
    Call {
        api: Api::OpenAiChat,
        operation: Operation::Chat,
        provider: "openai".to_owned(),
        role: Role::Client,
        request: Request::default(),
        response: Response::default(),
        usage,
        error: Some(CallError { kind: "429".to_owned(), message: String::new() }),
        http: Http::default(),
        timing: Timing {
            start: 10_000_000_000,
            first_chunk: Some(10_500_000_000),
            end: 12_000_000_000,
            chunk_gaps,
            ..Timing::default()
        },
        completeness: Completeness::default(),
        part: 0,
        fetched_usage: None,
        retrieval: None,
        rpc: None,
    }
}
