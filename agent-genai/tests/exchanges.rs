//! Whole exchanges as bytes of a connection: recognition, cuts, losses, ends, bounds.

#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod sink;

use agent_genai::call::{Api, Operation};
use agent_genai::record::Attributes;
use agent_genai::{
    Call, Compat, Decoder, DecoderOptions, PriceTable, Record, RecordOptions, SpanIds, build_record,
};
use agent_wire::{Connection, Direction, Limits};
use serde_json::{Value, json};
use sink::Calls;

fn decoder(content: bool) -> Decoder {
    Decoder::new(DecoderOptions { content, ..DecoderOptions::default() })
}

fn post(path: &str, fields: &str, body: &str) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost:8443\r\nContent-Type: application/json\r\n{fields}");
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn answer(status: u16, kind: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// An event stream, one chunk of the transfer coding for each event.
fn events(items: &[(&str, String)]) -> Vec<u8> {
    let mut out =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for (event, data) in items {
        let name = if event.is_empty() { String::new() } else { format!("event: {event}\n") };
        let text = format!("{name}data: {data}\n\n");
        out.extend_from_slice(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

fn chat_request(extra: &str) -> String {
    format!(r#"{{"model":"m-1","messages":[{{"role":"user","content":"grüße 😀"}}]{extra}}}"#)
}

fn chat_stream() -> Vec<u8> {
    let chunk = |rest: Value| {
        let mut chunk =
            json!({"id": "c-1", "object": "chat.completion.chunk", "model": "m-1-2026", "choices": []});
        chunk.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        (String::new(), chunk.to_string())
    };
    let delta = |delta: Value, finish: Value| {
        chunk(json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let items = [
        delta(json!({"role": "assistant", "content": "häl"}), Value::Null),
        delta(json!({"content": "lo 😀"}), Value::Null),
        delta(
            json!({"tool_calls": [{"index": 0, "id": "t-1", "type": "function", "function": {"name": "f", "arguments": "{\"a\""}}]}),
            Value::Null,
        ),
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}), Value::Null),
        delta(json!({}), json!("tool_calls")),
        chunk(json!({"usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}})),
        (String::new(), "[DONE]".to_owned()),
    ];
    events(&items.iter().map(|(event, data)| (event.as_str(), data.clone())).collect::<Vec<_>>())
}

/// One exchange, each direction in pieces of at most so many bytes, the request first.
fn exchange_in(request: &[u8], response: &[u8], size: usize, decoder: &Decoder) -> Vec<Call> {
    let mut sink = Calls::new(decoder);
    let mut connection = Connection::new(Limits::default());
    let mut offset = 0;
    for piece in request.chunks(size) {
        connection.push(Direction::Egress, offset, 0, piece, &mut sink);
        offset += piece.len() as u64;
    }
    let mut offset = 0;
    for piece in response.chunks(size) {
        connection.push(Direction::Ingress, offset, 0, piece, &mut sink);
        offset += piece.len() as u64;
    }
    connection.close(Some((request.len() as u64, response.len() as u64)), 0, &mut sink);
    sink.calls
}

fn exchange(request: &[u8], response: &[u8]) -> Vec<Call> {
    exchange_in(request, response, usize::MAX, &decoder(true))
}

fn record(call: &Call) -> Record {
    let options = RecordOptions {
        compat: Compat::default(),
        content: true,
        tool_descriptions: true,
        source: "recording",
    };
    let ids = SpanIds::derive(b"test", call.request.traceparent.as_deref());
    build_record(call, &ids, &Attributes::new(), PriceTable::embedded().cost(call), &options)
}

fn samples() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let tools = r#","stream":true,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#;
    let whole = json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "ja \u{1F600} \"quoted\" \\ \n"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let claude = [
        (
            "message_start",
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "c",
            "content": [], "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0, "output_tokens": 1}}}),
        ),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "né"}}),
        ),
        (
            "message_delta",
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
        ),
        ("message_stop", json!({"type": "message_stop"})),
    ];
    let claude: Vec<_> = claude.iter().map(|(event, data)| (*event, data.to_string())).collect();
    let vectors = json!({"object": "list", "model": "e", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1e-3, 2]},
        {"object": "embedding", "index": 1, "embedding": [1, 2, 3]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}});
    let done = json!({"type": "response.completed", "sequence_number": 1, "response": {"id": "resp_1", "object": "response", "status": "completed",
        "model": "r", "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}],
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}}});
    vec![
        ("chat stream", post("/v1/chat/completions", "", &chat_request(tools)), chat_stream()),
        (
            "chat",
            post("/v1/chat/completions", "", &chat_request("")),
            answer(200, "application/json", &whole.to_string()),
        ),
        (
            "chat on an unknown path",
            post("/llm", "", &chat_request("")),
            answer(200, "application/json", &whole.to_string()),
        ),
        (
            "messages stream",
            post("/v1/messages", "anthropic-version: 2023-06-01\r\n", &chat_request(r#","max_tokens":5"#)),
            events(&claude),
        ),
        (
            "embeddings",
            post("/v1/embeddings", "", r#"{"model":"e","input":["a","b"]}"#),
            answer(200, "application/json", &vectors.to_string()),
        ),
        (
            "responses stream",
            post("/v1/responses", "", r#"{"model":"r","input":"x","stream":true}"#),
            events(&[("response.completed", done.to_string())]),
        ),
        (
            "error page",
            post("/v1/chat/completions", "", &chat_request("")),
            answer(502, "text/html", "<html><title>502 Bad\nGateway</title></html>"),
        ),
    ]
}

#[test]
fn the_same_bytes_cut_anywhere_give_the_same_record() {
    for (name, request, response) in samples() {
        for content in [true, false] {
            let decoder = decoder(content);
            let whole = exchange_in(&request, &response, usize::MAX, &decoder);
            assert_eq!(whole.len(), 1, "{name}");
            assert!(whole[0].completeness.is_complete(), "{name}: {:?}", whole[0].completeness);
            for size in 1..80 {
                let cut = exchange_in(&request, &response, size, &decoder);
                assert_eq!(record(&cut[0]), record(&whole[0]), "{name} in pieces of {size}");
            }
        }
    }
}

#[test]
fn every_single_boundary_gives_the_same_record() {
    let decoder = decoder(true);
    for (name, request, response) in samples() {
        let whole = record(&exchange_in(&request, &response, usize::MAX, &decoder)[0]);
        for cut in 1..request.len() + response.len() {
            let mut sink = Calls::new(&decoder);
            let mut connection = Connection::new(Limits::default());
            for (direction, bytes, cut) in [
                (Direction::Egress, &request, cut),
                (Direction::Ingress, &response, cut.saturating_sub(request.len())),
            ] {
                let cut = cut.min(bytes.len());
                connection.push(direction, 0, 0, &bytes[..cut], &mut sink);
                connection.push(direction, cut as u64, 0, &bytes[cut..], &mut sink);
            }
            connection.close(None, 0, &mut sink);
            assert_eq!(
                sink.calls.iter().map(record).collect::<Vec<_>>(),
                std::slice::from_ref(&whole),
                "{name} cut at {cut}"
            );
        }
    }
}

#[test]
fn a_streamed_call_is_whole() {
    let (_, request, response) = samples().swap_remove(0);
    let call = exchange(&request, &response).remove(0);
    assert_eq!(
        (call.api, call.operation, call.provider.as_str()),
        (Api::OpenAiChat, Operation::Chat, "openai")
    );
    assert_eq!((call.http.server_address.as_deref(), call.http.server_port), (Some("localhost"), Some(8443)));
    assert_eq!(call.response.finish_reasons, ["tool_calls"]);
    assert_eq!((call.usage.input, call.usage.output), (Some(9), Some(4)));
    let record = record(&call);
    assert_eq!(
        record.attributes["gen_ai.output.messages"],
        json!([{"role": "assistant", "finish_reason": "tool_call", "parts": [
            {"type": "text", "content": "hällo 😀"}, {"type": "tool_call", "id": "t-1", "name": "f", "arguments": {"a": 1}}]}])
    );
}

#[test]
fn nothing_of_the_content_without_content() {
    let (_, request, response) = samples().swap_remove(0);
    let call = exchange_in(&request, &response, 7, &decoder(false)).remove(0);
    let text = format!("{call:?}");
    for said in ["grüße", "häl", "lo 😀", ":1}"] {
        assert!(!text.contains(said), "{said} in {text}");
    }
}

#[test]
fn traffic_of_other_kinds_is_no_call() {
    let request = chat_request("");
    let cohere = json!({"id": "x", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": "x"}]}}).to_string();
    let none: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (post("/proxy/chat", "", &request), answer(200, "application/json", &cohere)),
        (
            post("/v1/messages/batches", "anthropic-version: 1\r\n", &request),
            answer(200, "application/json", r#"{"id":"b"}"#),
        ),
        (
            post("/v1/responses", "", r#"{"survey":1,"answers":[1,2]}"#),
            answer(200, "application/json", r#"{"ok":true}"#),
        ),
        (
            post("/api/responses", "", r#"{"prompt":"question-7","answer":2}"#),
            answer(200, "application/json", r#"{"ok":true}"#),
        ),
        (
            post("/forum/moderations", "", r#"{"input":"post-7"}"#),
            answer(200, "application/json", r#"{"ok":true}"#),
        ),
        (post("/v1/chat", "", r#"{"message":"hi"}"#), answer(200, "application/json", r#"{"reply":"hi"}"#)),
        (
            post("/v1/conversations", "", r#"{"inputs":["u1","u2"]}"#),
            answer(201, "application/json", r#"{"id":7}"#),
        ),
        (
            post("/loans/decisions", "", r#"{"questions":[1]}"#),
            answer(200, "application/json", r#"{"approved":true}"#),
        ),
        (post("/v1/embed", "", r#"{"images":["u"]}"#), answer(200, "application/json", r#"{"html":"x"}"#)),
        (post("/embeddings", "", r#"{"input":"x"}"#), answer(200, "application/json", r#"{"job":1}"#)),
        (
            post("/threads/t1/runs", "", r#"{"assistant_id":"agent","input":{}}"#),
            answer(200, "application/json", r#"{"run_id":"r","thread_id":"t1","status":"pending"}"#),
        ),
        (
            b"GET /threads/t1/runs/r HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            answer(200, "application/json", r#"{"run_id":"r","thread_id":"t1","status":"success"}"#),
        ),
        (
            post("/photos/images/edits", "", r#"{"brightness":3}"#),
            answer(200, "application/json", r#"{"url":"x"}"#),
        ),
        (post("/messages", "", r#"{"text":"hello"}"#), answer(201, "application/json", r#"{"id":7}"#)),
        (
            post("/rpc", "", r#"{"jsonrpc":"2.0","id":1,"method":"sum"}"#),
            answer(200, "application/json", "{}"),
        ),
        (post("/bulk", "", "[1,2,3]"), answer(200, "application/json", "{}")),
        (
            post("/embeddings", "", r#"{"prompt":"x","model":"m"}"#),
            answer(200, "application/json", r#"{"embedding":[1]}"#),
        ),
        (
            b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n".to_vec(),
            answer(200, "application/json", "{}"),
        ),
    ];
    for (request, response) in none {
        let calls = exchange(&request, &response);
        assert!(calls.is_empty(), "{}: {:?}", String::from_utf8_lossy(&request), calls[0].api);
    }
}

#[test]
fn bodies_decide_on_unknown_paths() {
    let claude = json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "c", "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1}}).to_string();
    let call = exchange(
        &post("/llm/proxy", "", &chat_request(r#","max_tokens":1"#)),
        &answer(200, "application/json", &claude),
    )
    .remove(0);
    assert_eq!(
        (call.api, call.provider.as_str(), call.request.max_tokens),
        (Api::AnthropicMessages, "anthropic", Some(1))
    );
    let failed = exchange(
        &post("/llm/proxy", "", &chat_request("")),
        &answer(429, "application/json", r#"{"error":{"code":"rate_limited"}}"#),
    )
    .remove(0);
    assert_eq!(failed.error.unwrap().kind, "rate_limited");
}

#[test]
fn the_answer_confirms_a_request_that_says_little() {
    let vectors = json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.5]}], "model": "e-1",
        "usage": {"prompt_tokens": 3, "total_tokens": 3}})
    .to_string();
    let verdict = json!({"id": "modr-1", "model": "m-1", "results": [{"flagged": false, "categories": {}}]})
        .to_string();
    let response =
        json!({"id": "resp_1", "object": "response", "status": "completed", "model": "r-1", "output": [],
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}})
        .to_string();
    let run = json!({"id": "run_1", "object": "thread.run", "status": "queued", "model": "r-1"}).to_string();
    for (path, body, said, api) in [
        ("/v1/embeddings", r#"{"input":["a"]}"#, vectors, Api::OpenAiEmbeddings),
        ("/v1/moderations", r#"{"input":"a"}"#, verdict, Api::Moderations),
        ("/v1/responses", r#"{"prompt":{"id":"pmpt_1"}}"#, response, Api::OpenAiResponses),
        ("/v1/threads/thread_1/runs", r#"{"assistant_id":"asst_1"}"#, run, Api::Assistants),
    ] {
        let call = exchange(&post(path, "", body), &answer(200, "application/json", &said)).remove(0);
        assert_eq!(call.api, api);
        assert!(call.response.model.is_some(), "{path}");
    }
    let refused = answer(401, "application/json", r#"{"error":{"message":"m","code":"invalid_api_key"}}"#);
    let azure = post("/openai/deployments/d/embeddings?api-version=1", "", r#"{"input":"a"}"#);
    assert_eq!(exchange(&azure, &refused).remove(0).request.model.as_deref(), Some("d"));
}

#[test]
fn completions_that_are_fetched() {
    let body = json!({"id": "chatcmpl-1", "object": "chat.completion", "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
    .to_string();
    for path in ["/v1/chat/completions/chatcmpl-1", "/v1/chat/deferred-completion/r-1"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        let call = exchange(request.as_bytes(), &answer(200, "application/json", &body)).remove(0);
        assert_eq!((call.operation, call.usage.is_reported()), (Operation::FetchResponse, false));
        assert_eq!(call.response.finish_reasons, ["stop"]);
        assert_eq!(call.fetched_usage.and_then(|usage| usage.output), Some(2));
        let other = answer(200, "application/json", r#"{"object":"list","data":[]}"#);
        assert!(exchange(request.as_bytes(), &other).is_empty());
    }
}

#[test]
fn a_fetch_of_a_response_carries_no_usage() {
    let body = json!({"id": "resp_1", "object": "response", "status": "completed", "model": "r", "output": [], "usage": {"input_tokens": 1, "output_tokens": 2}}).to_string();
    let request = b"GET /v1/responses/resp_1 HTTP/1.1\r\nHost: h\r\n\r\n";
    let call = exchange(request, &answer(200, "application/json", &body)).remove(0);
    assert_eq!((call.operation, call.usage.is_reported()), (Operation::FetchResponse, false));
    assert_eq!(call.response.status.as_deref(), Some("completed"));
}

#[test]
fn a_stream_that_breaks_off_is_an_error() {
    let (_, request, response) = samples().swap_remove(0);
    let text = String::from_utf8_lossy(&response).into_owned();
    let early = text.find(":1}").unwrap();
    let call = exchange(&request, &response[..early]).remove(0);
    assert_eq!(call.error.as_ref().unwrap().kind, "stream_truncated");
    assert_eq!(call.response.finish_reasons, ["error"]);
    assert!(call.completeness.truncated && !call.usage.is_reported());
    assert_eq!(call.response.tool_calls[0].name, "f");
    // The reason has come: what is missing is only the end of the transfer.
    let late = text.find("[DONE]").unwrap();
    let call = exchange(&request, &response[..late]).remove(0);
    assert_eq!((call.error, call.response.finish_reasons), (None, vec!["tool_calls".to_owned()]));
}

#[test]
fn no_answer_and_half_an_answer() {
    let request = post("/v1/chat/completions", "", &chat_request(""));
    let call = exchange(&request, b"").remove(0);
    assert_eq!((call.error.unwrap().kind.as_str(), call.http.status), ("no_response", None));
    let (_, _, response) = samples().swap_remove(1);
    let call = exchange(&request, &response[..response.len() - 20]).remove(0);
    assert_eq!(call.error.unwrap().kind, "response_truncated");
    assert_eq!(call.response.finish_reasons, ["stop"]);
}

#[test]
fn bytes_lost_by_the_capture_are_told_and_are_no_failure() {
    let prompt = "x".repeat(5000);
    let request = post(
        "/v1/chat/completions",
        "",
        &format!(r#"{{"model":"m-1","messages":[{{"role":"user","content":"{prompt}"}}]}}"#),
    );
    let (_, _, response) = samples().swap_remove(1);
    let decoder = decoder(true);
    let mut sink = Calls::new(&decoder);
    let mut connection = Connection::new(Limits::default());
    connection.push(Direction::Egress, 0, 0, &request[..1000], &mut sink);
    connection.push(Direction::Egress, 3000, 0, &request[3000..], &mut sink);
    connection.push(Direction::Ingress, 0, 0, &response, &mut sink);
    connection.close(None, 0, &mut sink);
    let call = sink.calls.remove(0);
    assert_eq!((call.completeness.lost_bytes, call.error.clone()), (2000, None));
    assert_eq!(call.request.model.as_deref(), Some("m-1"));
    let record = record(&call);
    assert_eq!((record.capture.lost_bytes, record.capture.complete), (2000, false));
    assert_eq!(record.attributes["wirespan.capture.complete"], false);
}

#[test]
fn an_exchange_joined_in_its_middle_is_recognised_by_its_answer() {
    let (_, _, response) = samples().swap_remove(0);
    let decoder = decoder(true);
    let mut sink = Calls::new(&decoder);
    let mut connection = Connection::new(Limits::default());
    connection.push(Direction::Ingress, 0, 0, &response, &mut sink);
    connection.close(None, 0, &mut sink);
    assert_eq!(sink.calls.len(), 1);
    let call = &sink.calls[0];
    assert!(call.completeness.attached_mid_stream && !call.completeness.is_complete());
    assert_eq!((call.error.clone(), call.usage.input), (None, Some(9)));
}

#[test]
fn a_large_prompt_costs_no_memory_without_content() {
    let prompt = "a \\\"b\\\" ".repeat(2 << 20);
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"{prompt}"}}],"model":"m-1","tools":[{{"type":"function","function":{{"name":"f"}}}}]}}"#
    );
    let request = post("/v1/chat/completions", "", &body);
    let (_, _, response) = samples().swap_remove(1);
    let decoder = decoder(false);
    let mut sink = Calls::new(&decoder);
    let mut connection = Connection::new(Limits::default());
    let mut offset = 0;
    for piece in request.chunks(16 << 10) {
        connection.push(Direction::Egress, offset, 0, piece, &mut sink);
        offset += piece.len() as u64;
    }
    connection.push(Direction::Ingress, 0, 0, &response, &mut sink);
    connection.close(None, 0, &mut sink);
    assert!(sink.peak < 32 << 10, "{} bytes held", sink.peak);
    let call = sink.calls.remove(0);
    assert_eq!((call.request.model.as_deref(), call.request.tools.len()), (Some("m-1"), 1));
    assert!(call.completeness.is_complete());
}

#[test]
fn past_the_cap_the_facts_survive_and_the_call_says_so() {
    let prompt = "a".repeat(300_000);
    let request = post(
        "/v1/chat/completions",
        "",
        &format!(r#"{{"messages":[{{"role":"user","content":"{prompt}"}}],"model":"m-1"}}"#),
    );
    let (_, _, response) = samples().swap_remove(1);
    let decoder = Decoder::new(DecoderOptions { content: true, max_body: 10_000, hosts: Vec::new() });
    let call = exchange_in(&request, &response, 1000, &decoder).remove(0);
    assert!(call.completeness.body_capped);
    assert_eq!(call.request.model.as_deref(), Some("m-1"));
    assert_eq!(record(&call).attributes["wirespan.capture.body_capped"], true);
}

#[test]
fn chunk_times_are_folded() {
    let (_, request, response) = samples().swap_remove(0);
    let decoder = decoder(false);
    let mut sink = Calls::new(&decoder);
    let mut connection = Connection::new(Limits::default());
    connection.push(Direction::Egress, 0, 1_000, &request, &mut sink);
    let mut at = 1_000_000_000;
    let mut from = 0;
    // Each event is one chunk of the transfer coding; they end with an empty line.
    let ends: Vec<usize> = response
        .windows(6)
        .enumerate()
        .filter(|(_, w)| w.starts_with(b"\n\n\r\n"))
        .map(|(at, _)| at + 4)
        .collect();
    for end in ends {
        connection.push(Direction::Ingress, from as u64, at, &response[from..end], &mut sink);
        from = end;
        at += 30_000_000;
    }
    connection.push(Direction::Ingress, from as u64, at, &response[from..], &mut sink);
    connection.close(None, at, &mut sink);
    let timing = &sink.calls[0].timing;
    assert_eq!((timing.start, timing.first_chunk), (1_000, Some(1_000_000_000)));
    assert_eq!((timing.chunk_gaps.count, timing.chunk_gaps.buckets[2]), (5, 5));
    assert!((timing.chunk_gaps.sum - 0.15).abs() < 1e-9);
    assert_eq!(timing.end, at);
}
