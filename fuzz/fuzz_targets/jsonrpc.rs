//! Any bytes as an exchange of MCP or A2A, whole or streamed.
#![no_main]

mod exchange;

use libfuzzer_sys::fuzz_target;

const PATHS: &[&str] = &["/mcp", "/messages/?session_id=s", "/a2a", "/v1/message:stream"];

const WORDS: &[&str] = &[
    "jsonrpc",
    "2.0",
    "id",
    "method",
    "params",
    "result",
    "error",
    "code",
    "message",
    "tools/call",
    "tools/list",
    "initialize",
    "protocolVersion",
    "2026-07-28",
    "name",
    "arguments",
    "content",
    "type",
    "text",
    "isError",
    "tools",
    "_meta",
    "notifications/progress",
    "sampling/createMessage",
    "taskId",
    "tasks/get",
    "serverInfo",
    "ping",
    "structuredContent",
    "resultType",
    "message/send",
    "message/stream",
    "SendMessage",
    "parts",
    "role",
    "agent",
    "user",
    "kind",
    "task",
    "status",
    "state",
    "completed",
    "final",
    "artifacts",
    "artifact",
    "contextId",
    "statusUpdate",
    "file",
    "uri",
    "bytes",
    "data",
    "traceparent",
    "clientInfo",
    "uri",
    "ref",
];

fuzz_target!(|data: &[u8]| {
    let at = data.first().map_or(0, |first| usize::from(*first)) % PATHS.len();
    exchange::fold(PATHS.get(at).copied().unwrap_or_default(), WORDS, data);
});
