//! The engine on hand-made events: calls, verdicts, losses, exits, budgets, idleness, and the same Records every time.

use std::path::PathBuf;

use agent_capture::Direction as Way;
use agent_genai::{Compat, PriceTable};
use serde_json::{Value, json};

use super::*;
use crate::config::{ContentRule, ContentSection};

const OFFSET: i64 = 1_000_000_000_000;

fn settings() -> Settings {
    Settings {
        content: ContentSection::default(),
        max_body: 1 << 20,
        hosts: Vec::new(),
        compat: Compat::default(),
        prices: PriceTable::embedded(),
        source: "uprobe",
    }
}

fn engine_with(settings: Settings, bounds: Bounds) -> Engine {
    let resources = |process: &ProcessInfo| -> Attributes {
        [("service.name".to_owned(), Value::from(process.command.clone()))].into()
    };
    Engine::new(settings, bounds, Box::new(resources), "boot".to_owned(), OFFSET)
}

fn engine() -> Engine {
    engine_with(settings(), Bounds::default())
}

fn connection(handle: u64) -> ConnectionId {
    ConnectionId { tgid: 7, start_time: 70, handle, generation: 1 }
}

fn process(command: &str) -> CaptureEvent {
    CaptureEvent::Process(Box::new(ProcessInfo {
        pid: 7,
        start_time: 70,
        command: command.into(),
        executable: PathBuf::from("/bin/app"),
        ..ProcessInfo::default()
    }))
}

/// Feeds pieces of both directions, with offsets of their own.
struct Line {
    id: ConnectionId,
    offsets: [u64; 2],
    ktime: u64,
}

impl Line {
    fn new(handle: u64) -> Self {
        Self { id: connection(handle), offsets: [0, 0], ktime: 1_000 }
    }

    fn chunk(&mut self, way: Way, bytes: &[u8]) -> CaptureEvent {
        let offset = &mut self.offsets[usize::from(way == Way::Ingress)];
        let event = CaptureEvent::Chunk(StreamChunk {
            connection: self.id,
            direction: way,
            offset: *offset,
            ktime: self.ktime,
            bytes: bytes.to_vec(),
        });
        *offset += bytes.len() as u64;
        self.ktime += 1_000_000;
        event
    }

    fn lose(&mut self, way: Way, count: u64) {
        self.offsets[usize::from(way == Way::Ingress)] += count;
    }

    fn closed(&self) -> CaptureEvent {
        let [egress_end, ingress_end] = self.offsets;
        CaptureEvent::Closed { connection: self.id, egress_end, ingress_end, ktime: self.ktime }
    }
}

fn request(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-secret\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

fn response(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

fn chat_request(text: &str) -> Vec<u8> {
    request(
        "/v1/chat/completions",
        &json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}),
    )
}

fn chat_response(text: &str) -> Vec<u8> {
    response(&json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    }))
}

fn run(engine: &mut Engine, events: impl IntoIterator<Item = CaptureEvent>) -> Vec<EngineOutput> {
    events.into_iter().for_each(|event| engine.event(event));
    engine.outputs().collect()
}

#[test]
fn a_call_becomes_a_record_of_its_process() {
    let mut engine = engine();
    let mut line = Line::new(1);
    let events = [
        process("shop"),
        line.chunk(Way::Egress, &chat_request("hi")),
        line.chunk(Way::Ingress, &chat_response("hello")),
        line.closed(),
    ];
    let outputs = run(&mut engine, events);
    let record = &outputs.first().expect("one call").record;
    assert_eq!(outputs.len(), 1);
    assert_eq!(record.name, "chat gpt-4o-mini");
    assert_eq!(record.resource["service.name"], "shop");
    assert_eq!(record.attributes["gen_ai.usage.input_tokens"], 11);
    assert_eq!(record.attributes["gen_ai.response.finish_reasons"], json!(["stop"]));
    assert_eq!(record.start, "1970-01-01T00:16:40.000001000Z", "kernel time plus the offset of the clocks");
    assert_eq!(record.capture.source, "uprobe");
    assert!(record.capture.complete);
    let text = serde_json::to_string(record).expect("JSON");
    assert!(
        !text.contains("sk-secret") && !text.contains("hello"),
        "no credentials, and no content unless asked for"
    );
    assert_eq!(engine.stats().calls, 1);
    assert_eq!((engine.stats().connections, engine.stats().held_bytes), (0, 0));
    assert_eq!(engine.verdicts().count(), 0);
}

#[test]
fn content_is_kept_for_the_workloads_that_the_rules_name() {
    let mut settings = settings();
    settings.content.rules =
        vec![ContentRule { service: Some("shop".into()), executable: None, command: None, enabled: true }];
    for (command, kept) in [("shop", true), ("bank", false)] {
        let mut engine = engine_with(settings.clone(), Bounds::default());
        let mut line = Line::new(1);
        let outputs = run(
            &mut engine,
            [
                process(command),
                line.chunk(Way::Egress, &chat_request("question")),
                line.chunk(Way::Ingress, &chat_response("answer")),
            ],
        );
        let text = serde_json::to_string(&outputs.first().expect("one call").record).expect("JSON");
        assert_eq!(text.contains("question") && text.contains("answer"), kept, "{command}");
    }
}

#[test]
fn other_http_goes_to_heads_only_once_an_exchange_and_the_next_call_is_seen() {
    let mut engine = engine();
    let mut line = Line::new(1);
    let other = b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";
    let out = line.chunk(Way::Egress, other);
    assert!(run(&mut engine, [process("a"), out]).is_empty());
    let verdicts: Vec<_> = engine.verdicts().collect();
    assert_eq!(
        verdicts,
        [VerdictChange { connection: line.id, verdict: Verdict::HeadsOnly, seen: other.len() as u64 }]
    );
    // The kernel copies nothing of the answer; then the next request begins.
    line.lose(Way::Ingress, 5_000);
    let outputs = run(
        &mut engine,
        [
            line.chunk(Way::Egress, &chat_request("hi")),
            line.chunk(Way::Ingress, &chat_response("hello")),
            line.closed(),
        ],
    );
    let record = &outputs.first().expect("the call after it").record;
    assert_eq!(outputs.len(), 1);
    assert_eq!(record.attributes["gen_ai.usage.output_tokens"], 3);
    assert!(record.capture.complete, "what was skipped on purpose is no loss: {:?}", record.capture);
    assert_eq!(engine.stats().other_exchanges, 1);
    assert_eq!(engine.verdicts().count(), 0);
}

#[test]
fn other_protocols_are_ignored() {
    let mut engine = engine();
    let mut odd = Line::new(2);
    let noise: Vec<u8> = (0..2_000_u32).map(|n| (n * 7 % 31) as u8).collect();
    let noise = odd.chunk(Way::Egress, &noise);
    run(&mut engine, [noise]);
    let more: Vec<CaptureEvent> = (0..40).map(|_| odd.chunk(Way::Egress, &[7; 2_000])).collect();
    run(&mut engine, more);
    let verdicts: Vec<_> =
        engine.verdicts().map(|change| (change.connection.handle, change.verdict)).collect();
    assert_eq!(verdicts, [(2, Verdict::Ignore)], "said once");
    assert_eq!(engine.stats().not_http_connections, 1);
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A HEADERS frame of literal fields.
fn headers(stream: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for text in fields {
        block.push(0);
        for text in [text.0, text.1] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    frame(1, 4, stream, &block)
}

fn http2_head(stream: u8, path: &str) -> Vec<u8> {
    headers(
        stream,
        &[
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api.openai.com"),
            (":path", path),
            ("content-type", "application/json"),
            ("authorization", "Bearer sk-secret"),
        ],
    )
}

fn body_of(message: &[u8]) -> &[u8] {
    let at = message.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    &message[at + 4..]
}

#[test]
fn calls_over_http2_are_calls() {
    let mut engine = engine();
    let mut line = Line::new(1);
    let ask = chat_request("hi");
    let answer = chat_response("hello");
    let start = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat();
    let path = "/v1/chat/completions";
    let asks = [
        http2_head(1, path),
        http2_head(3, path),
        frame(0, 1, 3, body_of(&ask)),
        frame(0, 1, 1, body_of(&ask)),
    ];
    let head = [(":status", "200"), ("content-type", "application/json")];
    let answers = [frame(4, 0, 0, &[]), headers(3, &head), headers(1, &head)];
    let bodies = [frame(0, 1, 1, body_of(&answer)), frame(0, 1, 3, body_of(&answer))];
    let events = [
        process("shop"),
        line.chunk(Way::Egress, &start),
        line.chunk(Way::Egress, &asks.concat()),
        line.chunk(Way::Ingress, &answers.concat()),
        line.chunk(Way::Ingress, &bodies.concat()),
        line.closed(),
    ];
    let outputs = run(&mut engine, events);
    assert_eq!(outputs.len(), 2, "two streams");
    for output in &outputs {
        let record = &output.record;
        assert_eq!(record.kind, "CLIENT");
        assert_eq!(record.attributes["server.address"], "api.openai.com");
        assert_eq!(record.attributes["gen_ai.usage.input_tokens"], 11);
        assert!(record.capture.complete, "{:?}", record.capture);
        assert!(!serde_json::to_string(record).expect("JSON").contains("sk-secret"));
    }
    assert_ne!(outputs[0].record.span_id, outputs[1].record.span_id);
    assert_eq!((engine.stats().http2_connections, engine.stats().held_bytes), (1, 0));
    assert_eq!(engine.verdicts().count(), 0);
}

#[test]
fn an_http2_connection_in_progress_says_which_end_the_process_is() {
    let mut engine = engine();
    let mut line = Line::new(1);
    let (ask, answer) = (chat_request("hi"), chat_response("hello"));
    // The process is the server. The path and whatever else was sent before are known to the peers alone.
    let asks = [frame(1, 4, 7, &[0x83, 0x87, 0xc5, 0xc4]), frame(0, 1, 7, body_of(&ask))];
    let answers = [frame(1, 4, 7, &[0x88, 0xc0]), frame(0, 1, 7, body_of(&answer))];
    let outputs = run(
        &mut engine,
        [
            process("llm"),
            line.chunk(Way::Egress, &frame(6, 1, 0, &[0; 8])),
            line.chunk(Way::Ingress, &asks.concat()),
            line.chunk(Way::Egress, &answers.concat()),
        ],
    );
    let record = &outputs.first().expect("a call by the shape of its bodies").record;
    assert_eq!(record.kind, "SERVER");
    assert_eq!(record.attributes["gen_ai.request.model"], "gpt-4o-mini");
    assert_eq!(record.attributes["gen_ai.usage.output_tokens"], 3);
}

#[test]
fn a_websocket_session_that_is_none_of_ours_is_ignored() {
    let mut engine = engine();
    let mut line = Line::new(1);
    let ask = b"GET /news HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n";
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    run(&mut engine, [line.chunk(Way::Egress, ask), line.chunk(Way::Ingress, switch)]);
    // Its path says nothing: some messages are looked at.
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut messages = 0;
    while verdicts.is_empty() && messages < 100 {
        messages += 1;
        assert!(
            run(&mut engine, [line.chunk(Way::Ingress, &message(&json!({"news": messages})))]).is_empty()
        );
        verdicts.extend(engine.verdicts().map(|change| change.verdict));
    }
    assert_eq!(verdicts, [Verdict::Ignore], "after {messages} messages");
    let outputs = run(&mut engine, [line.chunk(Way::Ingress, &message(&json!({}))), line.closed()]);
    assert!(outputs.is_empty() && engine.verdicts().next().is_none());
    assert_eq!((engine.stats().other_exchanges, engine.stats().calls), (1, 0));
}

/// A text message of a WebSocket session.
fn message(value: &Value) -> Vec<u8> {
    let text = value.to_string();
    let length = u16::try_from(text.len()).expect("a short message");
    [&[0x81, 126], &length.to_be_bytes()[..], text.as_bytes()].concat()
}

#[test]
fn a_websocket_session_of_calls_is_followed_to_its_end() {
    let mut engine = engine();
    let mut line = Line::new(1);
    let ask = b"GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nUpgrade: websocket\r\n\r\n";
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    run(&mut engine, [process("a"), line.chunk(Way::Egress, ask), line.chunk(Way::Ingress, switch)]);
    for turn in 1..=2 {
        let create = json!({"type": "response.create", "model": "gpt-5-mini", "input": "hi"});
        let completed = json!({"type": "response.completed", "sequence_number": 1, "response": {
            "object": "response", "id": format!("resp_{turn}"), "model": "gpt-5-mini", "status": "completed", "output": [],
            "usage": {"input_tokens": 5, "output_tokens": turn, "total_tokens": 5 + turn}}});
        let outputs = run(
            &mut engine,
            [line.chunk(Way::Egress, &message(&create)), line.chunk(Way::Ingress, &message(&completed))],
        );
        assert_eq!(outputs.len(), 1, "a call ends with its last message, not with the session");
        let attributes = &outputs.first().expect("one call").record.attributes;
        assert_eq!(attributes["gen_ai.response.id"], format!("resp_{turn}"));
        assert_eq!(attributes["gen_ai.usage.output_tokens"], turn);
    }
    assert_eq!(engine.verdicts().count(), 0, "the kernel goes on copying");
    let outputs = run(&mut engine, [line.chunk(Way::Egress, b"\x88\0"), line.chunk(Way::Ingress, b"\x88\0")]);
    assert!(outputs.is_empty());
    assert_eq!(engine.verdicts().map(|change| change.verdict).collect::<Vec<_>>(), [Verdict::Ignore]);
    assert_eq!((engine.stats().calls, engine.stats().not_http_connections), (2, 0));
}

#[test]
fn lost_bytes_show_on_the_call() {
    let mut engine = engine();
    let mut line = Line::new(1);
    let mut answer = chat_response(&"x".repeat(4_000));
    let tail = answer.split_off(answer.len() - 500);
    let events = [line.chunk(Way::Egress, &chat_request("hi")), line.chunk(Way::Ingress, &answer[..300])];
    run(&mut engine, events);
    line.lose(Way::Ingress, answer.len() as u64 - 300);
    let outputs = run(&mut engine, [line.chunk(Way::Ingress, &tail), line.closed()]);
    let record = &outputs.first().expect("the call is not lost").record;
    assert_eq!(record.capture.lost_bytes, answer.len() as u64 - 300);
    assert!(!record.capture.complete);
    assert_eq!(engine.stats().incomplete_calls, 1);
}

#[test]
fn calls_of_a_process_that_exits_end_after_the_grace() {
    let mut engine = engine();
    let mut line = Line::new(1);
    let ask = line.chunk(Way::Egress, &chat_request("hi"));
    let exit = CaptureEvent::Exited { pid: 7, ktime: line.ktime };
    assert!(run(&mut engine, [process("a"), ask, exit]).is_empty(), "its last bytes may still come");
    engine.tick(line.ktime + EXIT_GRACE);
    let outputs: Vec<_> = engine.outputs().collect();
    let record = &outputs.first().expect("a call without an answer").record;
    assert_eq!(record.resource["service.name"], "a");
    assert!(!record.capture.complete);
    assert_eq!((engine.stats().connections, engine.stats().processes), (0, 0));
}

#[test]
fn past_the_memory_the_largest_exchange_ends_truncated() {
    let mut settings = settings();
    settings.content.enabled = true;
    let mut engine = engine_with(settings, Bounds { memory: 300_000, ..Bounds::default() });
    let (mut small, mut large) = (Line::new(1), Line::new(2));
    let ask = small.chunk(Way::Egress, &chat_request("small"));
    let long = request(
        "/v1/chat/completions",
        &json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "y".repeat(600_000)}]}),
    );
    let mut outputs = run(&mut engine, [ask]);
    for piece in long.chunks(16_384) {
        let event = large.chunk(Way::Egress, piece);
        outputs.extend(run(&mut engine, [event]));
        assert!(engine.stats().held_bytes <= 300_000, "{}", engine.stats().held_bytes);
    }
    assert_eq!(engine.stats().memory_exchanges, 1);
    outputs.extend(run(
        &mut engine,
        [small.chunk(Way::Ingress, &chat_response("ok")), small.closed(), large.closed()],
    ));
    let whole: Vec<_> =
        outputs.iter().map(|output| (output.connection.handle, output.record.capture.truncated)).collect();
    assert!(whole.contains(&(1, false)), "the small one is untouched: {whole:?}");
    assert!(!whole.contains(&(2, false)), "{whole:?}");
}

#[test]
fn the_silent_connection_goes_when_there_are_too_many() {
    let mut engine = engine_with(settings(), Bounds { connections: 3, ..Bounds::default() });
    for handle in 1..=4 {
        let mut line = Line::new(handle);
        line.ktime = handle * 1_000_000;
        let ask = line.chunk(Way::Egress, &chat_request("hi"));
        engine.event(ask);
    }
    let ended: Vec<_> = engine.outputs().map(|output| output.connection.handle).collect();
    assert_eq!(ended, [1]);
    assert_eq!((engine.stats().connections, engine.stats().evicted_connections), (3, 1));
}

#[test]
fn idle_exchanges_end_and_what_comes_later_does_no_harm() {
    let idle = 60_000_000_000;
    let mut engine = engine_with(settings(), Bounds { idle, ..Bounds::default() });
    let mut line = Line::new(1);
    run(&mut engine, [line.chunk(Way::Egress, &chat_request("hi"))]);
    engine.tick(line.ktime + idle + 2_000_000_000);
    let outputs: Vec<_> = engine.outputs().collect();
    assert!(outputs.first().expect("ended").record.capture.truncated);
    assert_eq!(engine.stats().idle_exchanges, 1);
    let late =
        [line.chunk(Way::Ingress, &chat_response("late")), line.chunk(Way::Egress, &chat_request("next"))];
    run(&mut engine, late);
    let outputs = run(&mut engine, [line.chunk(Way::Ingress, &chat_response("now"))]);
    assert_eq!(outputs.len(), 1, "the next call on the connection is whole");
    assert!(outputs.first().is_some_and(|output| output.record.capture.complete));
}

#[test]
fn a_traceparent_wins_and_ids_differ_between_calls_and_boots() {
    let call = |boot: &str, head: &str| {
        let mut engine = Engine::new(
            settings(),
            Bounds::default(),
            Box::new(|_: &ProcessInfo| Attributes::new()),
            boot.into(),
            0,
        );
        let mut line = Line::new(1);
        let ask =
            String::from_utf8(chat_request("hi")).expect("text").replace("Host:", &format!("{head}Host:"));
        let twice = [ask.clone().into_bytes(), ask.into_bytes()].concat();
        let answers = [chat_response("a"), chat_response("b")].concat();
        let outputs = run(&mut engine, [line.chunk(Way::Egress, &twice), line.chunk(Way::Ingress, &answers)]);
        outputs.into_iter().map(|output| output.record).collect::<Vec<_>>()
    };
    let traceparent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    let (one, two, joined) = (call("x", ""), call("y", ""), call("x", traceparent));
    assert_eq!((one.len(), two.len(), joined.len()), (2, 2, 2));
    assert_ne!(one[0].span_id, one[1].span_id);
    assert_ne!(one[0].span_id, two[0].span_id);
    assert_eq!(joined[0].trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(joined[0].parent_span_id.as_deref(), Some("b7ad6b7169203331"));
    assert_eq!(one, call("x", ""), "the same bytes give the same Records");
}

#[test]
fn a_flush_ends_everything_in_the_same_order_each_time() {
    let ended = || {
        let mut engine = engine();
        for handle in [5, 3, 9, 1] {
            let ask = Line::new(handle).chunk(Way::Egress, &chat_request("hi"));
            engine.event(ask);
        }
        engine.flush(9_000_000);
        engine.outputs().map(|output| output.connection.handle).collect::<Vec<_>>()
    };
    assert_eq!(ended(), [1, 3, 5, 9]);
}

#[test]
fn new_settings_apply_to_what_comes() {
    let mut engine = engine();
    let mut line = Line::new(1);
    run(&mut engine, [process("shop")]);
    let mut with_content = settings();
    with_content.content.enabled = true;
    engine.reconfigure(
        with_content,
        Box::new(|_: &ProcessInfo| [("service.name".to_owned(), json!("renamed"))].into()),
    );
    let outputs = run(
        &mut engine,
        [
            line.chunk(Way::Egress, &chat_request("question")),
            line.chunk(Way::Ingress, &chat_response("answer")),
        ],
    );
    let record = &outputs.first().expect("one call").record;
    assert_eq!(record.resource["service.name"], "renamed");
    assert!(serde_json::to_string(record).expect("JSON").contains("question"));
}

/// Asks over one connection, and gives the stream of the session over another, as the first MCP transport does.
fn mcp_session(engine: &mut Engine, answered: bool) -> Vec<EngineOutput> {
    let (mut posts, mut stream) = (Line::new(1), Line::new(2));
    let listen = b"GET /sse HTTP/1.1\r\nHost: tools\r\nAccept: text/event-stream\r\n\r\n";
    let opened = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: endpoint\ndata: /messages/?session_id=s1\n\n";
    let ask = json!({"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": "add"}});
    let taken = b"HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\nAccepted";
    let mut outputs = run(
        engine,
        [
            stream.chunk(Way::Egress, listen),
            stream.chunk(Way::Ingress, opened),
            posts.chunk(Way::Egress, &request("/messages/?session_id=s1", &ask)),
            posts.chunk(Way::Ingress, taken),
            posts.closed(),
        ],
    );
    if answered {
        let answer = json!({"jsonrpc": "2.0", "id": 4, "result": {"content": [], "isError": false}});
        let event = format!("event: message\ndata: {answer}\n\n");
        outputs.extend(run(engine, [stream.chunk(Way::Ingress, event.as_bytes())]));
    }
    outputs
}

#[test]
fn an_answer_on_another_connection_finds_its_request() {
    let mut engine = engine();
    let outputs = mcp_session(&mut engine, true);
    let [output] = outputs.as_slice() else { panic!("{} calls", outputs.len()) };
    assert_eq!((output.connection, output.exchange), (connection(1), ExchangeId(0)));
    assert_eq!(output.record.name, "tools/call add");
    assert_eq!(output.record.attributes["mcp.session.id"], "s1");
    assert!(output.record.capture.complete && output.call.error.is_none());
    engine.flush(0);
    assert_eq!(engine.outputs().count(), 0);
}

#[test]
fn a_request_that_nobody_answers_ends_with_its_process() {
    let mut engine = engine();
    assert!(mcp_session(&mut engine, false).is_empty());
    engine.event(process("app"));
    engine.event(CaptureEvent::Exited { pid: 7, ktime: 10_000_000 });
    engine.tick(2_000_000_000);
    let outputs: Vec<_> = engine.outputs().collect();
    let [output] = outputs.as_slice() else { panic!("{} calls", outputs.len()) };
    assert_eq!(output.record.attributes["error.type"], "no_response");
    assert_eq!(engine.stats().held_bytes, 0);
}

#[test]
fn the_busiest_connection_is_given_up_whole_and_comes_back_when_shedding_ends() {
    let mut engine = engine();
    let (mut busy, mut quiet) = (Line::new(1), Line::new(2));
    let long = "x".repeat(10_000);
    let asked =
        [busy.chunk(Way::Egress, &chat_request(&long)), quiet.chunk(Way::Egress, &chat_request("hi"))];
    assert!(run(&mut engine, [process("shop")].into_iter().chain(asked)).is_empty());
    engine.shed(0.5, 0);
    let cut: Vec<EngineOutput> = engine.outputs().collect();
    assert_eq!(cut.len(), 1);
    assert!(cut[0].connection == busy.id && !cut[0].record.capture.complete);
    let told: Vec<VerdictChange> = engine.verdicts().collect();
    assert_eq!(told, [VerdictChange { connection: busy.id, verdict: Verdict::Shed, seen: u64::MAX }]);
    // What was on its way is dropped and counted; the other connection goes on.
    let late = busy.chunk(Way::Ingress, &chat_response("late"));
    assert!(run(&mut engine, [late]).is_empty());
    assert_eq!(engine.stats().shed_connections, 1);
    assert_eq!(engine.stats().shed_bytes, chat_response("late").len() as u64);
    assert_eq!(run(&mut engine, [quiet.chunk(Way::Ingress, &chat_response("hello"))]).len(), 1);
    // The kernel side begins another connection with the next request.
    busy = Line::new(1);
    busy.id.generation = 2;
    let again =
        [busy.chunk(Way::Egress, &chat_request("again")), busy.chunk(Way::Ingress, &chat_response("yes"))];
    let outputs = run(&mut engine, again);
    assert!(outputs.len() == 1 && outputs[0].record.capture.complete, "{outputs:?}");
}

#[test]
fn the_connection_that_holds_most_is_given_up_for_memory() {
    let mut engine = engine();
    let (mut large, mut small) = (Line::new(1), Line::new(2));
    run(&mut engine, [large.chunk(Way::Egress, &chat_request(&"x ".repeat(50_000)))]);
    run(&mut engine, [small.chunk(Way::Egress, &chat_request("hi"))]);
    assert!(engine.stats().held_bytes > 0);
    engine.shed(0.0, 1);
    assert_eq!(engine.verdicts().map(|change| change.connection).collect::<Vec<_>>(), [large.id]);
    engine.shed(0.0, u64::MAX);
    assert_eq!((engine.stats().shed_connections, engine.stats().held_bytes), (2, 0));
}
