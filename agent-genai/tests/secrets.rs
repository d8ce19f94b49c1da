//! Credentials planted everywhere that they are known to stand: in headers, addresses, bodies and texts. None may be in the span, with
//! content kept.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "sink/mod.rs"]
mod sink;

use agent_genai::record::Attributes;
use agent_genai::{Compat, Decoder, DecoderOptions, PriceTable, RecordOptions, SpanIds, build_record};
use agent_wire::{Limits, RequestHead, ResponseHead, Version, replay};
use serde_json::{Value, json};
use sink::Calls;

/// Stands in every planted credential, so that one search finds any of them.
const PLANTED: &str = "c0ffee5eCr3t";

fn secret(prefix: &str) -> String {
    format!("{prefix}{PLANTED}0123456789abcdefghij0123456789")
}

/// Headers that carry credentials or account ids.
fn headers() -> Vec<(String, String)> {
    let names = [
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "xi-api-key",
        "x-auth-token",
        "cookie",
        "set-cookie",
        "x-amz-security-token",
        "x-amz-signature",
        "ocp-apim-subscription-key",
        "helicone-auth",
        "x-portkey-api-key",
        "cf-aig-authorization",
        "x-chroma-token",
        "x-openai-api-key",
        "x-cohere-api-key",
        "sec-websocket-protocol",
        "x-codex-turn-state",
        "chatgpt-account-id",
    ];
    names.iter().map(|name| ((*name).to_owned(), secret("Bearer "))).collect()
}

/// Texts with keys of the known forms.
fn spoken() -> String {
    let forms = [
        "sk-",
        "sk-ant-",
        "sk-or-v1-",
        "sk-proj-",
        "gsk_",
        "xai-",
        "hf_",
        "pplx-",
        "r8_",
        "ghp_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "ya29.",
    ];
    let mut text: Vec<String> = forms.iter().map(|form| secret(form)).collect();
    text.push(format!("https://user:{PLANTED}@host/x?key=AIza{PLANTED}0123456789abcdefghijklmn&api_key={PLANTED}&X-Amz-Signature={PLANTED}"));
    text.push(format!("-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----"));
    text.join(" and ")
}

/// What the span says of an exchange, as text.
fn told(target: &str, request: &Value, kind: &str, response: &str) -> String {
    let decoder = Decoder::new(DecoderOptions { content: true, ..DecoderOptions::default() });
    let mut sink = Calls::new(&decoder);
    let mut fields = vec![
        ("host".to_owned(), "h.example".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
        ("anthropic-version".to_owned(), "2023-06-01".to_owned()),
    ];
    fields.extend(headers());
    let head = RequestHead {
        method: "POST".to_owned(),
        target: format!("{target}?key={}&access_token={}", secret("AIza"), secret("")),
        version: Version::Http11,
        headers: fields.into_iter().collect(),
    };
    let mut fields = headers();
    fields.push(("content-type".to_owned(), kind.to_owned()));
    let answer =
        ResponseHead { status: 200, version: Version::Http11, headers: fields.into_iter().collect() };
    replay(
        (&head, request.to_string().as_bytes()),
        Some((&answer, response.as_bytes())),
        Limits::default(),
        &mut sink,
    );
    assert!(!sink.calls.is_empty(), "{target} is no call");
    let options = RecordOptions {
        compat: Compat::default(),
        content: true,
        tool_descriptions: true,
        source: "recording",
    };
    let records: Vec<String> = sink
        .calls
        .iter()
        .map(|call| {
            let ids = SpanIds::derive(b"x", None);
            let record =
                build_record(call, &ids, &Attributes::new(), PriceTable::embedded().cost(call), &options);
            serde_json::to_string(&record).unwrap()
        })
        .collect();
    records.join("\n")
}

fn check(target: &str, request: &Value, kind: &str, response: &str) {
    let told = told(target, request, kind, response);
    let at =
        told.find(PLANTED).map(|at| told.get(at.saturating_sub(120)..at + 40).unwrap_or_default().to_owned());
    assert_eq!(at, None, "{target}");
    assert!(told.contains("[redacted]"), "{target}: nothing was redacted, so nothing was shown: {told}");
}

fn whole(target: &str, request: &Value, response: &Value) {
    check(target, request, "application/json", &response.to_string());
}

#[test]
fn chat_completions() {
    let request = json!({"model": "m", "messages": [{"role": "user", "content": spoken()}], "metadata": {"note": spoken()},
        "tools": [{"type": "mcp", "server_label": "s", "authorization": secret(""), "headers": {"Authorization": secret("")}},
            {"type": "function", "function": {"name": "f", "description": spoken(), "parameters": {"api_key": secret("")}}}]});
    let response = json!({"id": "1", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": spoken(), "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f",
            "arguments": json!({"api_key": secret(""), "password": secret(""), "text": spoken()}).to_string()}}]}}]});
    whole("/v1/chat/completions", &request, &response);
}

#[test]
fn responses() {
    let request = json!({"model": "m", "instructions": spoken(), "input": [{"type": "reasoning", "encrypted_content": secret(""), "summary": []},
            {"role": "user", "content": spoken()}],
        "tools": [{"type": "mcp", "server_label": "s", "server_url": "https://x", "authorization": secret(""), "headers": {"X-Api-Key": secret("")}}]});
    let response = json!({"id": "resp_1", "object": "response", "status": "completed", "model": "m",
        "output": [{"type": "reasoning", "encrypted_content": secret(""), "summary": [{"type": "summary_text", "text": spoken()}]},
            {"type": "mcp_call", "id": "x", "name": "n", "server_label": "s", "arguments": json!({"client_secret": secret("")}).to_string(), "output": spoken()}]});
    whole("/v1/responses", &request, &response);
}

#[test]
fn messages() {
    let request = json!({"model": "m", "max_tokens": 9, "system": spoken(), "mcp_servers": [{"name": "s", "url": "https://x", "authorization_token": secret("")}],
        "messages": [{"role": "user", "content": spoken()}, {"role": "assistant", "content": [{"type": "thinking", "thinking": spoken(), "signature": secret("")},
            {"type": "redacted_thinking", "data": secret("")}]}]});
    let response = json!({"type": "message", "id": "msg_1", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "thinking", "thinking": "x", "signature": secret("")}, {"type": "redacted_thinking", "data": secret("")},
            {"type": "text", "text": spoken()}, {"type": "tool_use", "id": "t", "name": "n", "input": {"secret": secret("")}}]});
    whole("/v1/messages", &request, &response);
}

#[test]
fn gemini_and_converse() {
    let request = json!({"contents": [{"role": "user", "parts": [{"text": spoken(), "thoughtSignature": secret("")}]}], "systemInstruction": {"parts": [{"text": spoken()}]}});
    let response = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": spoken(), "thoughtSignature": secret("")},
        {"functionCall": {"name": "f", "args": {"access_token": secret("")}}, "thoughtSignature": secret("")}]}, "finishReason": "STOP"}]});
    whole("/v1beta/models/m:generateContent", &request, &response);
    let request = json!({"messages": [{"role": "user", "content": [{"text": spoken()}]}], "requestMetadata": {"note": spoken()}});
    let response = json!({"output": {"message": {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": spoken(), "signature": secret("")}}},
        {"reasoningContent": {"redactedContent": secret("")}}, {"toolUse": {"toolUseId": "t", "name": "n", "input": {"password": secret("")}}}]}}, "stopReason": "end_turn"});
    whole("/model/m/converse", &request, &response);
}

#[test]
fn others() {
    let request = json!({"model": "m", "prompt": spoken()});
    whole(
        "/v1/completions",
        &request,
        &json!({"id": "1", "object": "text_completion", "model": "m", "choices": [{"index": 0, "text": spoken(), "finish_reason": "stop"}]}),
    );
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": spoken()}], "stream": false});
    whole(
        "/api/chat",
        &chat,
        &json!({"model": "m", "created_at": "x", "message": {"role": "assistant", "content": spoken()}, "done": true, "done_reason": "stop"}),
    );
    whole(
        "/v2/chat",
        &chat,
        &json!({"id": "1", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": spoken()}]}}),
    );
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t", "arguments": {"api_key": secret(""), "text": spoken()}}});
    whole(
        "/mcp",
        &call,
        &json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": spoken()}]}}),
    );
    let query = json!({"query_texts": [spoken()], "query_embeddings": [[0.1]], "n_results": 1});
    let hits = json!({"ids": [["a"]], "distances": [[0.1]], "documents": [[spoken()]]});
    whole("/api/v2/tenants/t/databases/d/collections/c/query", &query, &hits);
}

#[test]
fn errors() {
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    let response = json!({"error": {"message": format!("Incorrect API key provided: {}", secret("sk-proj-")), "type": "invalid_request_error", "code": "invalid_api_key"}});
    let told = told("/v1/chat/completions", &request, "application/json", &response.to_string());
    assert!(!told.contains(PLANTED) && told.contains("invalid_api_key"), "{told}");
}
