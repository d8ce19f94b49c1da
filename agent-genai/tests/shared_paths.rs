//! Whole exchanges on paths that several APIs and ordinary web applications share, and streams that end in ways of their own.

mod sink;

use agent_genai::call::{Api, Operation};
use agent_genai::{Call, Decoder, DecoderOptions};
use agent_wire::{Headers, Limits, RequestHead, ResponseHead, Version, replay};
use sink::Calls;

fn exchange(host: &str, path: &str, request: &str, kind: &str, response: &str) -> Vec<Call> {
    let headers: Headers = [("host", host), ("content-type", "application/json")].into_iter().collect();
    let head =
        RequestHead { method: "POST".to_owned(), target: path.to_owned(), version: Version::Http11, headers };
    let answer = ResponseHead {
        status: 200,
        version: Version::Http11,
        headers: [("content-type", kind)].into_iter().collect(),
    };
    let decoder = Decoder::new(DecoderOptions::default());
    let mut sink = Calls::new(&decoder);
    replay((&head, request.as_bytes()), Some((&answer, response.as_bytes())), Limits::default(), &mut sink);
    sink.calls
}

fn json(path: &str, request: &str, response: &str) -> Vec<Call> {
    exchange("localhost", path, request, "application/json", response)
}

const CHAT: &str = r#"{"id":"c","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;

#[test]
fn one_path_for_chat_completions_and_for_cohere() {
    let chat =
        json("/v1/chat", r#"{"model":"m","messages":[{"role":"user","content":"q"}]}"#, CHAT).remove(0);
    assert_eq!((chat.api, chat.usage.output), (Api::OpenAiChat, Some(2)));
    let cohere = r#"{"response_id":"r","generation_id":"g","text":"a","finish_reason":"COMPLETE","meta":{"tokens":{"input_tokens":3,"output_tokens":4}}}"#;
    let cohere = json("/v1/chat", r#"{"model":"m","message":"q"}"#, cohere).remove(0);
    assert_eq!(
        (cohere.api, cohere.usage.input, cohere.provider.as_str()),
        (Api::CohereChatV1, Some(3), "cohere")
    );
    let second = r#"{"id":"x","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"x"}]}}"#;
    let second =
        json("/v2/chat", r#"{"model":"m","messages":[{"role":"user","content":"q"}]}"#, second).remove(0);
    assert_eq!((second.api, second.response.finish_reasons), (Api::CohereChat, vec!["COMPLETE".to_owned()]));
    assert!(json("/v1/chat", r#"{"text":"q"}"#, r#"{"text":"a"}"#).is_empty());
}

#[test]
fn one_path_for_chat_and_for_embeddings() {
    let path = "/serving-endpoints/my-model/invocations";
    let chat = json(path, r#"{"messages":[{"role":"user","content":"q"}]}"#, CHAT).remove(0);
    assert_eq!((chat.api, chat.request.model.as_deref()), (Api::OpenAiChat, Some("my-model")));
    let vectors =
        r#"{"object":"list","data":[{"embedding":[0.1,0.2]}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let vectors = json(path, r#"{"input":["q"]}"#, vectors).remove(0);
    assert_eq!((vectors.api, vectors.operation), (Api::OpenAiEmbeddings, Operation::Embeddings));
    assert_eq!((vectors.request.model.as_deref(), vectors.usage.input), (Some("my-model"), Some(5)));
    assert!(json(path, r#"{"dataframe_split":{"data":[]}}"#, r#"{"predictions":[1]}"#).is_empty());
}

#[test]
fn web_applications_with_a_chat_of_their_own() {
    let request = r#"{"model":"m","messages":[{"role":"user","content":"q"}]}"#;
    assert!(json("/api/chat", request, r#"{"reply":"a"}"#).is_empty());
    let lines = "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n{\"model\":\"m\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":4}\n";
    let call = exchange("localhost", "/api/chat", request, "application/x-ndjson", lines).remove(0);
    assert_eq!((call.api, call.usage.output, call.provider.as_str()), (Api::OllamaChat, Some(4), "ollama"));
    assert_eq!(call.error, None);
    let loaded =
        r#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}"#;
    assert!(json("/api/chat", r#"{"model":"m","messages":[]}"#, loaded).is_empty());
}

#[test]
fn streams_without_a_last_event() {
    let request = r#"{"model":"m","prompt":"q","stream":true}"#;
    let body = "data: {\"value\":\"a\"}\n\ndata: {\"value\":\"b\"}\n\n";
    let call = exchange("api.writer.com", "/v1/completions", request, "text/event-stream", body).remove(0);
    assert_eq!((call.api, call.error), (Api::Completions, None));
    let snowflake = "data: {\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\n\n";
    let path = "/api/v2/cortex/inference:complete";
    let request = r#"{"model":"m","messages":[{"content":"q"}]}"#;
    let host = "org-me.snowflakecomputing.com";
    let call = exchange(host, path, request, "text/event-stream", snowflake).remove(0);
    assert_eq!((call.provider.as_str(), call.usage.input, call.error), ("snowflake", Some(1), None));
}

#[test]
fn bare_lists_and_unknown_paths() {
    let ranked = json(
        "/rerank",
        r#"{"query":"q","texts":["a","b"]}"#,
        r#"[{"index":1,"score":0.9},{"index":0,"score":0.1}]"#,
    )
    .remove(0);
    let retrieval = ranked.retrieval.unwrap();
    assert_eq!(
        (ranked.operation, retrieval.hits, retrieval.best_score),
        (Operation::Rerank, Some(2), Some(0.9))
    );
    let text = r#"[{"generated_text":"a","details":{"finish_reason":"length","generated_tokens":7}}]"#;
    let call = json("/endpoint", r#"{"inputs":"q","parameters":{"max_new_tokens":7}}"#, text).remove(0);
    assert_eq!((call.api, call.usage.output, call.request.max_tokens), (Api::Tgi, Some(7), Some(7)));
    assert!(json("/endpoint", r#"{"inputs":"q"}"#, r#"[{"label":"POSITIVE","score":0.9}]"#).is_empty());
    // Nothing but remote procedures lives at the root of a host.
    assert!(json("/", r#"{"inputs":"q","parameters":{"max_new_tokens":7}}"#, text).is_empty());
    let text = r#"{"id":"c","object":"text_completion","model":"m","choices":[{"text":"a","index":0,"finish_reason":"stop"}]}"#;
    let call = json("/proxy/llm", r#"{"model":"m","prompt":"q"}"#, text).remove(0);
    assert_eq!((call.api, call.operation), (Api::Completions, Operation::TextCompletion));
}
