//! Recorded WebSocket sessions: each response of a session is one call, with the usage that its last message reports.

use std::path::Path;

use agent_genai::{Call, Decoder, DecoderOptions};
use agent_wire::{
    Body, ExchangeEnd, ExchangeId, Headers, MessageEnd, RequestHead, ResponseHead, Sink, Version, WsKind,
    WsMessage,
};
use serde_json::Value;

use crate::sink::Calls;

/// The calls of one recorded session.
fn decode(session: &Value) -> Vec<Call> {
    let decoder = Decoder::new(DecoderOptions { content: true, ..DecoderOptions::default() });
    let mut sink = Calls::new(&decoder);
    let id = ExchangeId(0);
    let head = RequestHead {
        method: "GET".to_owned(),
        target: "/".to_owned(),
        version: Version::Http11,
        headers: [("upgrade", "websocket")].into_iter().collect(),
    };
    sink.request_head(id, head, 0);
    sink.response_head(
        id,
        ResponseHead { status: 101, version: Version::Http11, headers: Headers::new() },
        0,
    );
    for frame in session["frames"].as_array().into_iter().flatten() {
        let data = frame["data"].to_string();
        let body = Body::Frame(WsMessage { kind: WsKind::Text, data: data.as_bytes(), truncated: false });
        match frame["direction"].as_str() {
            Some("sent") => sink.request_body(id, body, 0),
            _ => sink.response_body(id, body, 0),
        };
    }
    sink.request_end(id, MessageEnd::default());
    sink.response_end(id, MessageEnd::default());
    sink.exchange_end(id, ExchangeEnd { upgraded: true, ..ExchangeEnd::default() });
    sink.calls
}

#[test]
fn recorded_sessions_give_a_call_a_response() {
    let Some(folder) = crate::corpus() else { return };
    let text = std::fs::read_to_string(Path::new(&folder).join("realtime-ws.jsonl")).unwrap_or_default();
    let (mut sessions, mut responses) = (0, 0);
    for line in text.lines() {
        let session: Value = serde_json::from_str(line).unwrap();
        let calls = decode(&session);
        let frames = session["frames"].as_array().unwrap();
        let done: Vec<&Value> = frames
            .iter()
            .map(|frame| &frame["data"])
            .filter(|data| data["type"] == "response.done")
            .map(|data| &data["response"])
            .collect();
        if done.is_empty() {
            continue;
        }
        sessions += 1;
        responses += done.len();
        let source = session["source"].as_str().unwrap_or_default();
        for response in done {
            let id = response["id"].as_str();
            let call = calls.iter().find(|call| call.response.id.as_deref() == id);
            let call = call.unwrap_or_else(|| panic!("{source}: no call for {id:?} in {}", calls.len()));
            let usage = &response["usage"];
            assert_eq!(call.usage.input, usage["input_tokens"].as_u64(), "{source} {id:?}");
            assert_eq!(call.usage.output, usage["output_tokens"].as_u64(), "{source} {id:?}");
            assert!(call.request.model.is_some(), "{source} {id:?}");
            let names = |call: &Call| {
                call.response.tool_calls.iter().map(|tool| tool.name.clone()).collect::<Vec<_>>()
            };
            let wanted: Vec<String> = response["output"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|item| item["type"] == "function_call")
                .map(|item| item["name"].as_str().unwrap_or_default().to_owned())
                .collect();
            assert_eq!(names(call), wanted, "{source} {id:?}");
        }
    }
    eprintln!("{sessions} sessions with {responses} responses");
    assert!(sessions == 0 || responses >= sessions);
}
