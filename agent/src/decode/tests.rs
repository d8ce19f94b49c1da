//! Every kind of input, on hand-written recordings: the same call gives the same facts whichever way it was recorded.

use agent_capture::{CaptureEvent, ConnectionId, Direction, StreamChunk};
use agent_genai::{Compat, PriceTable};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{
    capture_file::{Frame, Header, Recorder},
    config::ContentSection,
    engine::{Bounds, Settings},
};

#[derive(Default)]
struct Got {
    records: Vec<Record>,
    problems: Vec<String>,
}

impl Receiver for Got {
    fn record(&mut self, record: Record) -> io::Result<()> {
        self.records.push(record);
        Ok(())
    }

    fn problem(&mut self, message: &str) {
        self.problems.push(message.to_owned());
    }
}

/// Gives one byte at a time, as a slow pipe might.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
        buffer[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

fn run(input: impl Read, content: bool) -> (Got, Outcome) {
    let settings = Settings {
        content: ContentSection { enabled: content, ..ContentSection::default() },
        max_body: 1 << 20,
        hosts: Vec::new(),
        compat: Compat::default(),
        prices: PriceTable::embedded(),
        source: "recording",
    };
    let replayer = Replayer::new(content, Vec::new(), Compat::default(), PriceTable::embedded());
    let replay = Replay { settings, bounds: Bounds::default(), service_names: Vec::new() };
    let mut got = Got::default();
    let outcome = decode("in", input, &replayer, &replay, &mut got).expect("reads");
    (got, outcome)
}

const ASK: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"question"}]}"#;
const ANSWER: &str = r#"{"id":"c1","object":"chat.completion","model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"answer"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}"#;
const DATE: &str = "Thu, 06 Nov 2025 08:49:37 GMT";

fn b64(text: &str) -> String {
    STANDARD.encode(text)
}

fn corpus_line(id: &str, url: &str) -> String {
    json!({
        "id": id, "content_encoding_state": "already-removed",
        "request": {"method": "POST", "url": url, "headers": {"content-type": ["application/json"], "host": "api.openai.com"},
            "body_b64": b64(ASK)},
        "response": {"status": 200, "headers": {"Content-Type": ["application/json"], "Content-Encoding": ["gzip"],
            "Transfer-Encoding": ["chunked"]}, "body_b64": b64(ANSWER)}
    })
    .to_string()
}

fn har() -> String {
    let entry = |extra: Value, text: &str| {
        let mut entry = json!({
            "startedDateTime": "2026-01-02T03:04:05.000+01:00", "time": 1250.0,
            "timings": {"blocked": -1, "dns": -1, "connect": -1, "send": 50, "wait": 400, "receive": 800},
            "request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "httpVersion": "HTTP/2",
                "headers": [{"name": "content-type", "value": "application/json"}],
                "postData": {"mimeType": "application/json", "text": ASK}},
            "response": {"status": 200, "httpVersion": "HTTP/2", "headers": [
                {"name": "content-type", "value": "application/json"}, {"name": "content-encoding", "value": "br"}],
                "content": {"mimeType": "application/json", "text": text}}
        });
        entry.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        entry
    };
    let mut encoded = entry(json!({"_id": "own"}), &b64(ANSWER));
    encoded["response"]["content"]["encoding"] = json!("base64");
    json!({"log": {"version": "1.2", "creator": {"name": "x"}, "pages": [], "entries": [
        encoded,
        entry(json!({"connection": "443"}), ANSWER),
        {"request": 7},
        entry(json!({"connection": "443"}), ANSWER),
        entry(json!({}), ANSWER),
    ]}})
    .to_string()
}

fn wire() -> (String, String) {
    let ask = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ASK}",
        ASK.len()
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nDate: {DATE}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    (ask, answer)
}

fn check(record: &Record, exchange: &str) {
    assert_eq!(record.exchange.as_deref(), Some(exchange));
    assert_eq!(record.name, "chat gpt-4o-mini");
    assert_eq!(record.attributes["gen_ai.usage.input_tokens"], 11);
    assert_eq!(record.attributes["gen_ai.provider.name"], "openai");
    assert_eq!(record.attributes["server.address"], "api.openai.com");
    assert_eq!(record.capture.source, "recording");
    assert!(record.capture.complete, "{:?}", record.capture);
    assert!(record.cost.usd.is_some());
}

#[test]
fn exchanges_one_a_line() {
    let url = "https://api.openai.com/v1/chat/completions";
    let text =
        format!("\u{feff}{}\n\nnot json\n{{\"x\":1}}\n{}", corpus_line("a", url), corpus_line("b", url));
    for (got, outcome) in [run(text.as_bytes(), false), run(Slow(text.as_bytes()), false)] {
        check(&got.records[0], "a");
        check(&got.records[1], "b");
        assert_eq!((got.records.len(), outcome.errors), (2, 2));
        assert!(got.problems[0].starts_with("in:3: not JSON"), "{:?}", got.problems);
        assert!(got.problems[1].starts_with("in:4: neither"), "{:?}", got.problems);
        assert_eq!(got.records[0].start, "1970-01-01T00:00:00.000000000Z", "nothing is known of the time");
        assert_eq!(got.records[0].start, got.records[0].end);
    }
}

#[test]
fn what_is_no_llm_call_gives_no_line() {
    let text = corpus_line("a", "https://example.com/telemetry")
        .replace(&b64(ASK), &b64("{}"))
        .replace(&b64(ANSWER), "");
    let (got, outcome) = run(text.as_bytes(), false);
    assert!(got.records.is_empty() && got.problems.is_empty());
    assert_eq!((outcome.others, outcome.errors), (1, 0));
}

#[test]
fn har_with_times_and_ids() {
    let (got, outcome) = run(har().as_bytes(), false);
    assert_eq!(outcome.errors, 1);
    assert!(got.problems[0].starts_with("in: entry 2: not a HAR entry"), "{:?}", got.problems);
    for (record, id) in got.records.iter().zip(["own", "443", "443#1", "4"]) {
        check(record, id);
        assert_eq!(record.start, "2026-01-02T02:04:05.000000000Z");
        assert_eq!(record.end, "2026-01-02T02:04:06.250000000Z");
    }
    assert_eq!(got.records.len(), 4);
    let (broken, outcome) = run(&br#"{"log": {"entries": [{}"#[..], false);
    assert_eq!(outcome.errors, 2, "{:?}", broken.problems);
}

#[test]
fn raw_connections() {
    let (ask, answer) = wire();
    let line = json!({"conn": 3, "c2s": b64(&[ask.as_str(), &ask].concat()), "s2c": b64(&[answer.as_str(), &answer].concat()),
        "seq": [["c2s", 40], ["c2s", ask.len() - 40], ["s2c", 10], ["s2c", answer.len() - 10], ["c2s", ask.len()]]});
    let (got, outcome) = run(line.to_string().as_bytes(), false);
    assert_eq!((got.records.len(), outcome.errors), (2, 0), "{:?}", got.problems);
    check(&got.records[0], "3#0");
    check(&got.records[1], "3#1");
    assert_eq!(got.records[0].start, "2025-11-06T08:49:37.000000000Z", "the Date of the response");
}

#[test]
fn capture_files() {
    let (ask, answer) = wire();
    let id = ConnectionId { tgid: 7, start_time: 1, handle: 255, generation: 9 };
    let chunk = |direction, bytes: &str, ktime| {
        Frame::Event(CaptureEvent::Chunk(StreamChunk {
            connection: id,
            direction,
            offset: 0,
            ktime,
            bytes: bytes.as_bytes().to_vec(),
        }))
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("c");
    let header = Header { clock_offset: 1_000_000_000, boot_id: "b".into(), ..Header::default() };
    let mut recorder = Recorder::create(&path, &header).expect("creates");
    recorder.frame(&chunk(Direction::Egress, &ask, 5));
    recorder.frame(&chunk(Direction::Ingress, &answer, 6));
    recorder.frame(&Frame::Totals { chunks: 2, bytes: 9, lost_bytes: 4 });
    recorder.flush();
    let bytes = std::fs::read(&path).expect("reads");
    let (got, outcome) = run(bytes.as_slice(), false);
    check(&got.records[0], "7-ff-9#0");
    assert_eq!(got.records[0].start, "1970-01-01T00:00:01.000000005Z");
    assert_eq!((got.records.len(), outcome.errors), (1, 0));
    assert!(got.problems[0].contains("4 bytes were lost"), "{:?}", got.problems);
    let (again, _) = run(Slow(&bytes), false);
    assert_eq!(again.records, got.records, "the same bytes give the same Records");
    let (cut, outcome) = run(&bytes[..bytes.len() - 3], false);
    assert_eq!((cut.records.len(), outcome.errors), (1, 0));
    assert!(cut.problems[0].contains("ends inside"), "{:?}", cut.problems);
}

#[test]
fn content_only_when_asked_for() {
    let text = corpus_line("a", "https://api.openai.com/v1/chat/completions");
    for content in [false, true] {
        let (got, _) = run(text.as_bytes(), content);
        let json = serde_json::to_string(&got.records[0]).expect("JSON");
        assert_eq!(json.contains("question") && json.contains("answer"), content);
    }
}

#[test]
fn nothing_is_no_error_and_noise_is_one_a_line() {
    let (got, outcome) = run(&b""[..], false);
    assert_eq!((got.records.len(), outcome), (0, Outcome::default()));
    let (_, outcome) = run(&b"\x00\xff\n[1,2]\n\"log\"\n"[..], false);
    assert_eq!(outcome.errors, 3);
    let (_, outcome) = run(&b"{\"frames\": []}\n"[..], false);
    assert_eq!((outcome.others, outcome.errors), (1, 0));
}

#[test]
fn a_transcript_of_a_websocket_session() {
    let frames = serde_json::json!({"source": "s", "frames": [
        {"kind": "message", "direction": "received", "data": {"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime"}}},
        {"kind": "message", "direction": "sent", "data": {"type": "response.create"}},
        {"kind": "message", "direction": "received", "data": {"type": "response.created", "response": {"id": "resp_1"}}},
        {"kind": "message", "direction": "received", "data": {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "output": [],
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}}},
        {"kind": "message", "direction": "sent", "data": {"type": "response.create"}},
        {"kind": "message", "direction": "received", "data": {"type": "response.created", "response": {"id": "resp_2"}}},
    ]});
    let (got, outcome) = run(format!("{frames}\n").as_bytes(), false);
    assert_eq!((got.records.len(), outcome.errors), (2, 0));
    let [first, second] = got.records.as_slice() else { panic!("two records") };
    assert_eq!(first.name, "chat gpt-realtime");
    assert_eq!(first.attributes["gen_ai.usage.input_tokens"], 3);
    assert!(second.capture.truncated);
    assert_ne!(first.span_id, second.span_id);
}
