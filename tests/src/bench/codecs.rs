//! Throughput of each codec and each framing, what one open stream holds, and how both grow with the size of a message.

use std::collections::BTreeMap;

use agent_genai::call::{Api, Message, Operation, Part, Request, ToolCall, Usage};
use agent_genai::encode::{self, Form};
use agent_genai::{Call, Decoder, DecoderOptions, Fold};
use agent_wire::{
    Body, Connection, Direction, ExchangeEnd, ExchangeId, Interest, Limits, MessageEnd, Nanos, RequestHead,
    ResponseHead, Role, Sink,
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::decode::cpu_seconds;
use super::{frames, median};

/// Rounds of each row.
const ROUNDS: usize = 7;
/// Bytes that one round goes through at least.
const VOLUME: usize = 6 << 20;
/// Bytes of a piece as a TLS record carries them.
const PIECE: usize = 16 << 10;

/// One connection's bytes.
pub(super) struct Traffic {
    pub(super) egress: Vec<u8>,
    pub(super) ingress: Vec<u8>,
    /// Calls in it.
    pub(super) calls: usize,
}

/// What a run of one connection came to.
#[derive(Default)]
struct Ran {
    calls: usize,
    items: usize,
    /// Most bytes held by the folds and the connection at once.
    peak: usize,
}

/// Measures and returns the report's sections.
///
/// # Errors
/// When what was made does not decode.
pub fn run() -> Result<String> {
    let mut text = format!(
        "\n### Codecs\n\nAnswers of about 20 kB made by the project's own encoders and writers, over HTTP/1.1: bytes of the connection to canonical calls on one \
         core, content off; CPU time, median of {ROUNDS} rounds. *Held*: most bytes that the open exchange holds, wire and fold together.\n\n\
         | codec | bytes a call | MB/s | calls/s | held |\n|---|---:|---:|---:|---:|\n"
    );
    for (name, traffic) in codecs() {
        text += &row(name, &traffic, true)?;
    }
    text += "\n### Framings\n\nThe same bytes with a sink that takes everything and does nothing: the wire crate alone.\n\n\
         | framing | bytes a connection | MB/s | connections/s | held |\n|---|---:|---:|---:|---:|\n";
    for (name, traffic) in framings() {
        text += &row(name, &traffic, false)?;
    }
    text += "\n### Growth\n\nA streamed and a whole answer of growing size. *ns a byte* stays level when the work is linear in the bytes; *held* stays level when \
         memory does not follow the message. With content on, what is kept of one stream is capped (1 MB here).\n\n\
         | answer | content | size | ns a byte | held |\n|---|---|---:|---:|---:|\n";
    for (name, streamed, content) in
        [("stream", true, false), ("stream", true, true), ("whole", false, false), ("whole", false, true)]
    {
        for size in [10 << 10, 100 << 10, 1 << 20, 10 << 20] {
            text += &growth(name, streamed, content, size)?;
        }
    }
    Ok(text)
}

fn row(name: &str, traffic: &Traffic, folds: bool) -> Result<String> {
    let bytes = traffic.egress.len() + traffic.ingress.len();
    let repeats = (VOLUME / bytes).max(1);
    let options = DecoderOptions::default();
    let mut peak = 0;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = cpu_seconds()?;
        for _ in 0..repeats {
            let ran = if folds { fold(traffic, &options) } else { frame(traffic) };
            ensure!(!folds || ran.calls == traffic.calls, "{name}: {} calls of {}", ran.calls, traffic.calls);
            ensure!(folds || ran.items > 0, "{name}: nothing was framed");
            peak = ran.peak.max(peak);
        }
        rounds.push((cpu_seconds()? - begun) / f64::from(u32::try_from(repeats)?));
    }
    let seconds = median(&rounds);
    let size = f64::from(u32::try_from(bytes)?);
    let calls = if folds { f64::from(u32::try_from(traffic.calls)?) } else { 1.0 };
    Ok(format!(
        "| {name} | {:.0} | {:.0} | {:.0} | {} |\n",
        size / calls,
        size / seconds / 1e6,
        calls / seconds,
        amount(peak)
    ))
}

fn growth(name: &str, streamed: bool, content: bool, size: usize) -> Result<String> {
    let traffic = http(Form::OpenAiChat, &call(size), streamed);
    let options = DecoderOptions { content, max_body: 1 << 20, ..DecoderOptions::default() };
    let bytes = traffic.egress.len() + traffic.ingress.len();
    let repeats = (VOLUME / bytes).max(1);
    let (mut rounds, mut peak) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let begun = cpu_seconds()?;
        for _ in 0..repeats {
            let ran = fold(&traffic, &options);
            ensure!(ran.calls == 1, "{name} of {size}: {} calls", ran.calls);
            peak = ran.peak.max(peak);
        }
        rounds.push((cpu_seconds()? - begun) / f64::from(u32::try_from(repeats)?));
    }
    let per_byte = median(&rounds) * 1e9 / f64::from(u32::try_from(bytes)?);
    let content = if content { "on" } else { "off" };
    Ok(format!("| {name} | {content} | {} | {per_byte:.1} | {} |\n", amount(bytes), amount(peak)))
}

fn amount(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// Feeds a connection the bytes of its two directions.
fn feed(traffic: &Traffic, sink: &mut dyn Sink, peak: &mut usize) {
    let mut connection = Connection::new(Limits::default());
    for (direction, bytes) in [(Direction::Egress, &traffic.egress), (Direction::Ingress, &traffic.ingress)] {
        for (number, piece) in bytes.chunks(PIECE).enumerate() {
            connection.push(direction, (number * PIECE) as u64, 0, piece, sink);
            *peak = connection.held_bytes().max(*peak);
        }
    }
    connection.close(None, 0, sink);
}

fn fold(traffic: &Traffic, options: &DecoderOptions) -> Ran {
    let mut sink =
        Folds { decoder: Decoder::new(options.clone()), folds: BTreeMap::new(), ran: Ran::default() };
    let mut wire = 0;
    feed(traffic, &mut sink, &mut wire);
    Ran { peak: sink.ran.peak + wire, ..sink.ran }
}

fn frame(traffic: &Traffic) -> Ran {
    let mut sink = Nothing(0);
    let mut peak = 0;
    feed(traffic, &mut sink, &mut peak);
    Ran { items: sink.0, peak, ..Ran::default() }
}

/// Folds every exchange and forgets the calls.
struct Folds {
    decoder: Decoder,
    folds: BTreeMap<ExchangeId, Fold>,
    ran: Ran,
}

impl Folds {
    fn step(&mut self, id: ExchangeId, step: impl FnOnce(&mut Fold) -> Interest) -> Interest {
        let Some(fold) = self.folds.get_mut(&id) else { return Interest::Skip };
        let interest = step(fold);
        while let Some(call) = fold.take() {
            std::hint::black_box(call);
            self.ran.calls += 1;
        }
        self.ran.peak = self.ran.peak.max(fold.held_bytes());
        interest
    }
}

impl Sink for Folds {
    fn request_head(&mut self, id: ExchangeId, head: RequestHead, at: Nanos) -> Interest {
        match self.decoder.begin(&head, Role::Client, true, at) {
            Some(fold) => {
                self.folds.insert(id, fold);
                Interest::Full
            }
            None => Interest::Skip,
        }
    }
    fn request_body(&mut self, id: ExchangeId, body: Body<'_>, at: Nanos) -> Interest {
        self.step(id, |fold| fold.request_body(body, at))
    }
    fn request_end(&mut self, id: ExchangeId, end: MessageEnd) {
        self.step(id, |fold| fold.request_end(&end));
    }
    fn response_head(&mut self, id: ExchangeId, head: ResponseHead, at: Nanos) -> Interest {
        self.step(id, |fold| fold.response_head(&head, at))
    }
    fn response_body(&mut self, id: ExchangeId, body: Body<'_>, at: Nanos) -> Interest {
        self.step(id, |fold| fold.response_body(body, at))
    }
    fn response_end(&mut self, id: ExchangeId, end: MessageEnd) {
        if let Some(fold) = self.folds.get_mut(&id) {
            fold.response_end(&end);
        }
    }
    fn exchange_end(&mut self, id: ExchangeId, end: ExchangeEnd) {
        if let Some(fold) = self.folds.remove(&id) {
            self.ran.calls += std::hint::black_box(fold.finish(&end)).len();
        }
    }
}

/// Counts items.
struct Nothing(usize);

impl Sink for Nothing {
    fn request_head(&mut self, _: ExchangeId, _: RequestHead, _: Nanos) -> Interest {
        Interest::Full
    }
    fn request_body(&mut self, _: ExchangeId, body: Body<'_>, _: Nanos) -> Interest {
        std::hint::black_box(body);
        self.0 += 1;
        Interest::Full
    }
    fn request_end(&mut self, _: ExchangeId, _: MessageEnd) {}
    fn response_head(&mut self, _: ExchangeId, _: ResponseHead, _: Nanos) -> Interest {
        Interest::Full
    }
    fn response_body(&mut self, _: ExchangeId, body: Body<'_>, _: Nanos) -> Interest {
        std::hint::black_box(body);
        self.0 += 1;
        Interest::Full
    }
    fn response_end(&mut self, _: ExchangeId, _: MessageEnd) {}
    fn exchange_end(&mut self, _: ExchangeId, _: ExchangeEnd) {}
}

/// A call whose answer's text has about `size` bytes.
fn call(size: usize) -> Call {
    let mut call = Call::new(Api::OpenAiChat, Operation::Chat, Role::Client);
    call.request = Request {
        model: Some("model-1".into()),
        max_tokens: Some(4096),
        messages: vec![Message {
            role: "user".into(),
            parts: vec![Part::Text("What do you say?".into())],
            name: None,
            finish_reason: None,
        }],
        ..Request::default()
    };
    let text = "The quick brown fox said \"naïve 日本語\".\n".repeat(size / 46 + 1);
    let tool = ToolCall {
        id: Some("call_1".into()),
        name: "look".into(),
        kind: "function".into(),
        arguments: Some(json!({"place": "Bern"})),
    };
    call.response.id = Some("id-1".into());
    call.response.model = Some("model-1".into());
    call.response.finish_reasons = vec!["tool_calls".into()];
    call.response.messages = vec![Message {
        role: "assistant".into(),
        parts: vec![Part::Text(text), Part::ToolCall(tool)],
        name: None,
        finish_reason: Some("tool_calls".into()),
    }];
    call.usage = Usage { input: Some(100), output: Some(50), ..Usage::default() };
    call
}

/// An exchange of one of the forms that can be written.
fn http(form: Form, call: &Call, streamed: bool) -> Traffic {
    let request = Request { stream: streamed, ..call.request.clone() };
    let request = encode::request(form, &request).value;
    let (kind, body) = if streamed {
        (form.stream_media_type(), encode::stream(form, call).value)
    } else {
        ("application/json", encode::response(form, call).value.to_string().into_bytes())
    };
    exchange(&request.path, &request.body, kind, &body)
}

fn exchange(path: &str, request: &Value, kind: &str, body: &[u8]) -> Traffic {
    let (egress, ingress) = frames::http1(path, request.to_string().as_bytes(), kind, body);
    Traffic { egress, ingress, calls: 1 }
}

/// The pieces of a text.
fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(40).map(|piece| piece.iter().collect()).collect()
}

fn codecs() -> Vec<(&'static str, Traffic)> {
    let call = call(12_000);
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": true});
    let words = pieces(&"The quick brown fox said \"naïve\".\n".repeat(350));
    let lines = |item: &dyn Fn(&str) -> Value, last: Value| -> Vec<u8> {
        let all = words.iter().map(|word| item(word)).chain([last]);
        all.flat_map(|item| format!("{item}\n").into_bytes()).collect()
    };
    let events = |item: &dyn Fn(&str) -> Value, last: Value| -> Vec<u8> {
        let all = words.iter().map(|word| item(word)).chain([last]);
        all.flat_map(|item| format!("data: {item}\n\n").into_bytes()).collect()
    };
    let ollama = lines(
        &|word| json!({"model": "m", "created_at": "x", "message": {"role": "assistant", "content": word}, "done": false}),
        json!({"model": "m", "created_at": "x", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 9}),
    );
    let completions = events(
        &|word| json!({"id": "c", "object": "text_completion", "model": "m", "choices": [{"index": 0, "text": word, "finish_reason": null}]}),
        json!({"id": "c", "object": "text_completion", "model": "m", "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}),
    );
    let cohere = events(
        &|word| json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}}),
        json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 5.0, "output_tokens": 9.0}}}}),
    );
    let vectors: Vec<Value> =
        (0..2).map(|index| json!({"index": index, "embedding": vec![0.123_456_78; 1000]})).collect();
    let embeddings = json!({"object": "list", "model": "m", "data": vectors, "usage": {"prompt_tokens": 4, "total_tokens": 4}});
    let ranked: Vec<Value> = (0..400).map(|index| json!({"index": index, "relevance_score": 0.5})).collect();
    let rerank = json!({"id": "r", "results": ranked, "meta": {"billed_units": {"search_units": 1}}});
    let hits = json!({"ids": [vec!["id"; 300]], "distances": [vec![0.5; 300]], "documents": [vec!["some text of a document"; 300]]});
    let mcp = json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "a result ".repeat(2000)}]}});
    let mut all = vec![
        ("chat completions, whole", http(Form::OpenAiChat, &call, false)),
        ("chat completions, streamed", http(Form::OpenAiChat, &call, true)),
        ("Responses, whole", http(Form::OpenAiResponses, &call, false)),
        ("Responses, streamed", http(Form::OpenAiResponses, &call, true)),
        ("Messages, whole", http(Form::Anthropic, &call, false)),
        ("Messages, streamed", http(Form::Anthropic, &call, true)),
        ("Gemini, whole", http(Form::Gemini, &call, false)),
        ("Gemini, streamed", http(Form::Gemini, &call, true)),
        ("Converse, whole", http(Form::BedrockConverse, &call, false)),
        ("Converse, streamed", http(Form::BedrockConverse, &call, true)),
    ];
    all.extend([
        ("text completions, streamed", exchange("/v1/completions", &json!({"model": "m", "prompt": "x", "stream": true}), "text/event-stream", &completions)),
        ("Ollama, streamed", exchange("/api/chat", &chat, "application/x-ndjson", &ollama)),
        ("Cohere, streamed", exchange("/v2/chat", &chat, "text/event-stream", &cohere)),
        ("embeddings", exchange("/v1/embeddings", &json!({"model": "m", "input": ["a", "b"]}), "application/json", embeddings.to_string().as_bytes())),
        ("rerank", exchange("/v2/rerank", &json!({"model": "m", "query": "q", "documents": vec!["d"; 400]}), "application/json", rerank.to_string().as_bytes())),
        ("Chroma query", exchange("/api/v2/tenants/t/databases/d/collections/c/query", &json!({"query_embeddings": [[0.1, 0.2]], "n_results": 300}), "application/json", hits.to_string().as_bytes())),
        ("MCP tools/call", exchange("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t", "arguments": {}}}), "application/json", mcp.to_string().as_bytes())),
        ("Realtime, 4 responses", frames::realtime(&words, 4)),
    ]);
    all
}

fn framings() -> Vec<(&'static str, Traffic)> {
    let call = call(200_000);
    let sse = encode::stream(Form::OpenAiChat, &call).value;
    let aws = encode::stream(Form::BedrockConverse, &call).value;
    let events: Vec<&[u8]> = sse
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"data: "))
        .filter(|line| line.starts_with(b"{"))
        .collect();
    let ndjson = [events.join(&b'\n'), b"\n".to_vec()].concat();
    let array = [b"[".to_vec(), events.join(&b",\n"[..]), b"]".to_vec()].concat();
    let body = |kind: &str, body: &[u8]| {
        let (egress, ingress) = frames::http1("/x", b"{}", kind, body);
        Traffic { egress, ingress, calls: 1 }
    };
    let texts: Vec<Vec<u8>> = events.iter().map(|event| event.to_vec()).collect();
    vec![
        (
            "one JSON text",
            body(
                "application/json",
                &json!({"text": String::from_utf8_lossy(&sse)}).to_string().into_bytes(),
            ),
        ),
        ("server-sent events", body("text/event-stream", &sse)),
        ("server-sent events, chunked", frames::chunked("text/event-stream", &sse)),
        ("server-sent events, gzip (bytes as compressed)", frames::gzip("text/event-stream", &sse)),
        ("JSON lines", body("application/x-ndjson", &ndjson)),
        ("JSON array", body("application/json", &array)),
        ("AWS event stream", body("application/vnd.amazon.eventstream", &aws)),
        ("HTTP/2, server-sent events", frames::http2("text/event-stream", &sse)),
        ("HTTP/2, gRPC", frames::grpc(&texts)),
        ("WebSocket", frames::websocket(&texts)),
    ]
}
