//! Any bytes as an exchange of Bedrock Converse, whole or as an AWS event stream, with content or without.
#![no_main]

mod exchange;

use libfuzzer_sys::fuzz_target;

const KINDS: &[&str] = &[
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
];

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

fuzz_target!(|data: &[u8]| exchange::fold_messages("/model/m/converse-stream", WORDS, KINDS, data));
