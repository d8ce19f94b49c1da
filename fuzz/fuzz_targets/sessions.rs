//! Any messages as a WebSocket session: Realtime, Responses over a WebSocket, and whatever else opens one.
#![no_main]

use agent_genai::{Decoder, DecoderOptions};
use agent_wire::{Body, ExchangeEnd, MessageEnd, RequestHead, Role, Version, WsKind, WsMessage};
use libfuzzer_sys::fuzz_target;

const WORDS: &[&str] = &[
    "type",
    "session.created",
    "session.update",
    "session",
    "model",
    "id",
    "tools",
    "name",
    "instructions",
    "response.create",
    "response.created",
    "response.done",
    "response",
    "status",
    "completed",
    "incomplete",
    "cancelled",
    "failed",
    "status_details",
    "reason",
    "error",
    "code",
    "message",
    "output",
    "function_call",
    "call_id",
    "arguments",
    "content",
    "output_text",
    "text",
    "usage",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "input_token_details",
    "cached_tokens",
    "audio_tokens",
    "response_id",
    "response.output_text.delta",
    "delta",
    "output_index",
    "content_index",
    "item",
    "conversation.item.create",
    "role",
    "user",
    "function_call_output",
    "input_audio_buffer.committed",
    "conversation.item.input_audio_transcription.completed",
    "transcript",
    "duration",
    "seconds",
    "sequence_number",
    "response.completed",
    "input",
    "previous_response_id",
    "setup",
    "setupComplete",
    "serverContent",
    "turnComplete",
    "clientContent",
    "turns",
    "parts",
    "usageMetadata",
    "promptTokenCount",
    "responseTokenCount",
    "totalTokenCount",
    "toolCall",
    "functionCalls",
    "jsonrpc",
    "2.0",
    "method",
    "params",
    "result",
];

fuzz_target!(|data: &[u8]| {
    let Some((flags, rest)) = data.split_first() else { return };
    let content = flags & 1 != 0;
    let options = DecoderOptions { content, max_body: 64 << 10, hosts: Vec::new() };
    let targets = [
        "/v1/realtime?model=m",
        "/v1/responses",
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        "/x",
    ];
    let head = RequestHead {
        method: "GET".to_owned(),
        target: targets[usize::from(flags >> 1) % targets.len()].to_owned(),
        version: Version::Http11,
        headers: [("upgrade", "websocket")].into_iter().collect(),
    };
    let Some(mut fold) = Decoder::new(options).begin(&head, Role::Client, true, 0) else { return };
    let mut calls = Vec::new();
    for (at, line) in (1..).zip(rest.split(|byte| *byte == b'\n')) {
        let (side, text) = line.split_first().map_or((b' ', line), |(side, text)| (*side, text));
        let text = spelled(text);
        let body = Body::Frame(WsMessage { kind: WsKind::Text, data: &text, truncated: false });
        if side == b'>' {
            fold.request_body(body, at);
        } else {
            fold.response_body(body, at);
        }
        calls.extend(std::iter::from_fn(|| fold.take()));
    }
    fold.request_end(&MessageEnd::default());
    fold.response_end(&MessageEnd::default());
    calls.extend(fold.finish(&ExchangeEnd { upgraded: true, ..ExchangeEnd::default() }));
    for (part, call) in calls.iter().enumerate() {
        assert_eq!(call.part as usize, part);
        assert!(content || (call.request.messages.is_empty() && call.response.messages.is_empty()));
        assert!(call.usage.cache_read.unwrap_or(0) <= call.usage.input.unwrap_or(u64::MAX));
    }
});

fn spelled(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    for byte in data {
        match byte.checked_sub(128).and_then(|number| WORDS.get(usize::from(number))) {
            Some(word) => out.extend_from_slice(format!("\"{word}\"").as_bytes()),
            None => out.push(*byte),
        }
    }
    out
}
