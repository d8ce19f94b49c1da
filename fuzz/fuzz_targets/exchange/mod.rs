//! Drives the decoder with one exchange made of the fuzzer's bytes.

use agent_genai::{Decoder, DecoderOptions, Fold};
use agent_wire::{
    Body, EventMessage, ExchangeEnd, MessageEnd, RequestHead, ResponseHead, Role, SseEvent, Version,
};
use base64::Engine;

/// Longest body that the decoder may hold.
const MAX_BODY: usize = 64 << 10;

/// Folds the bytes as an exchange of the API at `path`, and checks what holds for every exchange.
///
/// The first byte chooses: content kept, streamed answer, failed answer, answer cut off. The rest is the request body and,
/// after a zero byte, the answer's. A byte above 127 stands for one of `words` in quotes, so that the fuzzer soon speaks
/// JSON; events of a stream end at a line feed.
#[allow(dead_code, reason = "some targets have AWS event streams only")]
pub fn fold(path: &str, words: &[&str], data: &[u8]) {
    drive(path, words, &[], data);
}

/// The same with an AWS event stream for a streamed answer: the first byte of each line chooses one of `kinds` for its event type, or
/// an exception past them. What a `chunk` says is packed in base64.
#[allow(dead_code, reason = "not every target has such streams")]
pub fn fold_messages(path: &str, words: &[&str], kinds: &[&str], data: &[u8]) {
    drive(path, words, kinds, data);
}

fn drive(path: &str, words: &[&str], kinds: &[&str], data: &[u8]) {
    let Some((flags, rest)) = data.split_first() else { return };
    let on = |bit: u8| flags & bit != 0;
    let mut halves = rest.splitn(2, |byte| *byte == 0);
    let request = spelled(halves.next().unwrap_or_default(), words);
    let response = spelled(halves.next().unwrap_or_default(), words);

    let options = DecoderOptions { content: on(1), max_body: MAX_BODY, hosts: Vec::new() };
    let head = RequestHead {
        method: "POST".to_owned(),
        target: path.to_owned(),
        version: Version::Http11,
        headers: [
            ("host", "localhost"),
            ("content-type", "application/json"),
            ("anthropic-version", "2023-06-01"),
        ]
        .into_iter()
        .collect(),
    };
    let Some(mut fold) = Decoder::new(options).begin(&head, Role::Client, true, 0) else { return };
    for piece in request.chunks(chunk(*flags)) {
        fold.request_body(Body::Data(piece), 1);
    }
    fold.request_end(&MessageEnd::default());

    let kind = if on(2) { "text/event-stream" } else { "application/json" };
    let status = if on(4) { 429 } else { 200 };
    let head = ResponseHead {
        status,
        version: Version::Http11,
        headers: [("content-type", kind)].into_iter().collect(),
    };
    fold.response_head(&head, 2);
    if on(2) {
        for (at, data) in (3..).zip(response.split(|byte| *byte == b'\n')) {
            let event = if data.first() == Some(&b'!') { "error" } else { "" };
            if kinds.is_empty() {
                fold.response_body(Body::Event(SseEvent { event, data, id: "", truncated: false }), at);
            } else {
                message(&mut fold, kinds, data, at);
            }
        }
    } else {
        for piece in response.chunks(chunk(*flags)) {
            fold.response_body(Body::Data(piece), 3);
        }
    }
    // What is held is bounded by the options, whatever came; a constant is left for the facts of calls.
    assert!(fold.held_bytes() <= 4 * MAX_BODY + (4 << 20), "{} bytes held", fold.held_bytes());
    if !on(8) {
        fold.response_end(&MessageEnd::default());
    }
    for call in fold.finish(&ExchangeEnd::default()) {
        assert!(on(1) || (call.request.messages.is_empty() && call.response.messages.is_empty()));
        assert!(on(1) || call.response.tool_calls.iter().all(|call| call.arguments.is_none()));
        assert!(call.usage.cache_read.unwrap_or(0) <= call.usage.input.unwrap_or(u64::MAX));
        assert!(call.usage.reasoning.unwrap_or(0) <= call.usage.output.unwrap_or(u64::MAX));
    }
}

/// One message of an AWS event stream.
fn message(fold: &mut Fold, kinds: &[&str], data: &[u8], at: u64) {
    let Some((first, text)) = data.split_first() else { return };
    let kind = kinds.get(usize::from(first % 32));
    let packed = format!("{{\"bytes\":\"{}\"}}", base64::engine::general_purpose::STANDARD.encode(text));
    let payload = if kind == Some(&"chunk") { packed.as_bytes() } else { text };
    let message = EventMessage {
        message_type: if kind.is_some() { "event" } else { "exception" },
        kind: kind.unwrap_or(&"throttlingException"),
        content_type: "application/json",
        error: "",
        payload,
        truncated: false,
    };
    fold.response_body(Body::Message(message), at);
}

/// How the bodies are cut.
fn chunk(flags: u8) -> usize {
    1 << (flags >> 4)
}

fn spelled(data: &[u8], words: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    for byte in data {
        match byte.checked_sub(128).and_then(|number| words.get(usize::from(number))) {
            Some(word) => {
                out.push(b'"');
                out.extend_from_slice(word.as_bytes());
                out.push(b'"');
            }
            None => out.push(*byte),
        }
    }
    out
}
