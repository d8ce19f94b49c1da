//! Any path and any bodies: recognition never panics and never contradicts itself.
#![no_main]

mod exchange;

use libfuzzer_sys::fuzz_target;

const WORDS: &[&str] = &[
    "model",
    "messages",
    "role",
    "user",
    "content",
    "max_tokens",
    "system",
    "input",
    "instructions",
    "tools",
    "object",
    "chat.completion",
    "response",
    "list",
    "data",
    "embedding",
    "usage",
    "type",
    "message",
    "message_start",
    "response.created",
    "sequence_number",
    "choices",
    "delta",
    "jsonrpc",
    "query",
    "error",
    "code",
    "finish_reason",
    "stop",
];

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let target = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let bodies = parts.next().unwrap_or_default();
    exchange::fold(&format!("/{target}"), WORDS, bodies);
    // The same bodies where the path says nothing.
    exchange::fold("/unknown", WORDS, bodies);
});
