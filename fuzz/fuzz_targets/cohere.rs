//! Any bytes as an exchange of Cohere: chat in both versions, generate, embeddings, reranking.
#![no_main]

mod exchange;

use libfuzzer_sys::fuzz_target;

const PATHS: &[&str] = &["/v2/chat", "/v1/chat", "/v1/generate", "/v2/embed", "/v2/rerank"];

const WORDS: &[&str] = &[
    "model",
    "message",
    "messages",
    "chat_history",
    "role",
    "content",
    "text",
    "thinking",
    "tool_plan",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "parameters",
    "index",
    "id",
    "type",
    "event_type",
    "message-start",
    "content-start",
    "content-delta",
    "tool-call-start",
    "tool-call-delta",
    "message-end",
    "stream-start",
    "text-generation",
    "stream-end",
    "delta",
    "finish_reason",
    "COMPLETE",
    "ERROR",
    "error",
    "usage",
    "meta",
    "tokens",
    "billed_units",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "search_units",
    "token_count",
    "prompt_tokens",
    "response",
    "is_finished",
    "true",
    "generations",
    "prompt",
    "embeddings",
    "float",
    "binary",
    "texts",
    "inputs",
    "images",
    "query",
    "documents",
    "results",
    "relevance_score",
    "score",
    "data",
    "top_n",
    "outputs",
    "tool_results",
    "preamble",
];

// The first byte chooses the API.
fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    if let Some(path) = PATHS.get(usize::from(*first) % PATHS.len()) {
        exchange::fold(path, WORDS, rest);
    }
});
