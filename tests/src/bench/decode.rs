//! Throughput of decoding against a plain `serde_json` parse of the same bytes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use agent_capture::{CaptureEvent, ConnectionId, Direction, ProcessInfo, StreamChunk};
use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use wirespan::engine::{Bounds, Engine, Settings};

use super::median;

/// Rounds of each side, interleaved.
const ROUNDS: usize = 9;
/// Bytes of a piece as a TLS record carries them.
const PIECE: usize = 16 << 10;

/// One exchange as it crosses the connection, and the JSON texts in it.
struct Sample {
    egress: Vec<u8>,
    ingress: Vec<u8>,
    texts: Vec<Vec<u8>>,
}

/// Bodies of one kind.
struct Set {
    name: String,
    samples: Vec<Sample>,
    /// How often all samples are gone through in a round.
    repeats: u32,
}

/// Measures and returns the report's section.
///
/// # Errors
/// When recordings cannot be read or do not decode.
pub fn run(corpus: Option<&Path>) -> Result<String> {
    let settings = settings();
    let mut sets = vec![
        Set { name: "chat, 300 kB prompt".into(), samples: vec![long_prompt()], repeats: 100 },
        Set { name: "chat, stream of 500 chunks".into(), samples: vec![chat_stream(500)], repeats: 60 },
        Set {
            name: "messages, stream of 500 chunks".into(),
            samples: vec![messages_stream(500)],
            repeats: 60,
        },
        Set {
            name: "embeddings, 64 vectors of 1,536 numbers".into(),
            samples: vec![embeddings()],
            repeats: 15,
        },
    ];
    match corpus {
        Some(folder) => sets.push(recorded(folder, &settings)?),
        None => sets.push(Set {
            name: "recorded exchanges: WIRESPAN_CORPUS is not set".into(),
            samples: Vec::new(),
            repeats: 0,
        }),
    }
    let mut text = format!(
        "## Decoding\n\n`cargo xtask bench decode`: bytes of the connection to Records (engine, content off) against \
         `serde_json::from_slice::<Value>` of the JSON texts in the same bodies; CPU time of one thread, median of {ROUNDS} rounds.\n\n\
         | bodies | body bytes | decode | parse | decode time / parse time |\n|---|---:|---:|---:|---:|\n"
    );
    for set in &sets {
        text += &row(set, &settings)?;
    }
    text += &super::codecs::run()?;
    Ok(text)
}

fn row(set: &Set, settings: &Settings) -> Result<String> {
    let bytes: usize = set.samples.iter().flat_map(|sample| &sample.texts).map(Vec::len).sum();
    if bytes == 0 {
        return Ok(format!("| {} | | | | |\n", set.name));
    }
    let (mut decode, mut parse) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = cpu_seconds()?;
        for _ in 0..set.repeats {
            let found = decode_all(&set.samples, settings)?;
            ensure!(
                found == set.samples.len(),
                "{}: {found} records for {} exchanges",
                set.name,
                set.samples.len()
            );
        }
        decode.push(cpu_seconds()? - begun);
        let begun = cpu_seconds()?;
        for _ in 0..set.repeats {
            for text in set.samples.iter().flat_map(|sample| &sample.texts) {
                let value: Value = serde_json::from_slice(text).with_context(|| set.name.clone())?;
                std::hint::black_box(value);
            }
        }
        parse.push(cpu_seconds()? - begun);
    }
    let (decode, parse) = (median(&decode), median(&parse));
    let all = f64::from(u32::try_from(bytes)?) * f64::from(set.repeats) / 1e6;
    Ok(format!(
        "| {} | {bytes} | {:.0} MB/s | {:.0} MB/s | {:.2} |\n",
        set.name,
        all / decode,
        all / parse,
        decode / parse
    ))
}

/// CPU time of this thread: other programs on the machine do not count.
pub(super) fn cpu_seconds() -> Result<f64> {
    let file = "/proc/thread-self/schedstat";
    // The kernel adds up when a thread leaves the processor, else only at its next tick.
    std::thread::yield_now();
    let text = std::fs::read_to_string(file).with_context(|| format!("could not read {file}"))?;
    let nanoseconds = text.split_whitespace().next().with_context(|| format!("{file} is empty"))?;
    Ok(nanoseconds.parse::<f64>().with_context(|| file.to_owned())? / 1e9)
}

/// The defaults of the command, with the embedded prices.
fn settings() -> Settings {
    Settings {
        content: wirespan::config::ContentSection::default(),
        max_body: 32 << 20,
        hosts: Vec::new(),
        compat: agent_genai::Compat::default(),
        prices: agent_genai::PriceTable::embedded(),
        source: "recording",
    }
}

/// Runs every sample through an engine, each on a connection of its own; returns the number of Records.
fn decode_all(samples: &[Sample], settings: &Settings) -> Result<usize> {
    let resources = |_: &ProcessInfo| BTreeMap::new();
    let mut engine = Engine::new(settings.clone(), Bounds::default(), Box::new(resources), "bench".into(), 0);
    let mut records = 0;
    for (number, sample) in samples.iter().enumerate() {
        let connection = ConnectionId { tgid: 1, start_time: 1, handle: number as u64 + 1, generation: 1 };
        for (direction, bytes) in [(Direction::Egress, &sample.egress), (Direction::Ingress, &sample.ingress)]
        {
            for (at, piece) in bytes.chunks(PIECE).enumerate() {
                let offset = (at * PIECE) as u64;
                let chunk = StreamChunk {
                    connection,
                    direction,
                    offset,
                    ktime: number as u64 + 1,
                    bytes: piece.to_vec(),
                };
                engine.event(CaptureEvent::Chunk(chunk));
            }
        }
        let (egress_end, ingress_end) = (sample.egress.len() as u64, sample.ingress.len() as u64);
        engine.event(CaptureEvent::Closed { connection, egress_end, ingress_end, ktime: number as u64 + 1 });
        records += engine.outputs().map(std::hint::black_box).count();
    }
    Ok(records)
}

fn sample(path: &str, request: Vec<u8>, content_type: &str, response: &[u8], texts: Vec<Vec<u8>>) -> Sample {
    with_heads(
        &format!("POST {path} HTTP/1.1\r\nhost: api.example.com\r\ncontent-type: application/json\r\n"),
        request,
        200,
        content_type,
        response,
        texts,
    )
}

fn with_heads(
    head: &str,
    request: Vec<u8>,
    status: u16,
    content_type: &str,
    response: &[u8],
    mut texts: Vec<Vec<u8>>,
) -> Sample {
    let mut egress = format!("{head}content-length: {}\r\n\r\n", request.len()).into_bytes();
    egress.extend_from_slice(&request);
    let mut ingress = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        response.len()
    )
    .into_bytes();
    ingress.extend_from_slice(response);
    texts.push(request);
    texts.retain(|text| !text.is_empty());
    Sample { egress, ingress, texts }
}

fn long_prompt() -> Sample {
    let prompt = "The quick brown fox jumps over the lazy dog. \"Quoted\", naïve, 日本語.\n".repeat(3_900);
    let request = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}]})
        .to_string()
        .into_bytes();
    let response = json!({"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 60_000, "completion_tokens": 2, "total_tokens": 60_002}});
    let response = response.to_string().into_bytes();
    let texts = vec![response.clone()];
    sample("/v1/chat/completions", request, "application/json", &response, texts)
}

/// An event stream and the texts in it.
fn stream(events: &[(Option<&str>, Value)]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut body = Vec::new();
    let mut texts = Vec::new();
    for (name, data) in events {
        let data = data.to_string();
        if let Some(name) = name {
            body.extend_from_slice(format!("event: {name}\n").as_bytes());
        }
        body.extend_from_slice(format!("data: {data}\n\n").as_bytes());
        texts.push(data.into_bytes());
    }
    (body, texts)
}

fn chat_stream(chunks: usize) -> Sample {
    let frame = |choices: Value, usage: Value| {
        (
            None,
            json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "gpt-4o-mini",
            "service_tier": "default", "system_fingerprint": "fp_1", "choices": choices, "usage": usage}),
        )
    };
    let mut events: Vec<_> = (0..chunks)
        .map(|at| frame(json!([{"index": 0, "delta": {"content": format!(" word{at}")}, "logprobs": null, "finish_reason": null}]), Value::Null))
        .collect();
    events.push(frame(
        json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}]),
        Value::Null,
    ));
    events.push(frame(
        json!([]),
        json!({"prompt_tokens": 10, "completion_tokens": chunks, "total_tokens": chunks + 10}),
    ));
    let (mut body, texts) = stream(&events);
    body.extend_from_slice(b"data: [DONE]\n\n");
    let request =
        json!({"model": "gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "count"}]});
    sample("/v1/chat/completions", request.to_string().into_bytes(), "text/event-stream", &body, texts)
}

fn messages_stream(chunks: usize) -> Sample {
    let mut events = vec![
        (
            Some("message_start"),
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-haiku-4-5", "content": [], "stop_reason": null, "usage": {"input_tokens": 10, "output_tokens": 1}}}),
        ),
        (
            Some("content_block_start"),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
    ];
    events.extend((0..chunks).map(|at| {
        let delta = json!({"type": "text_delta", "text": format!(" word{at}")});
        (Some("content_block_delta"), json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    }));
    events.push((Some("content_block_stop"), json!({"type": "content_block_stop", "index": 0})));
    events.push((Some("message_delta"), json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": chunks}})));
    events.push((Some("message_stop"), json!({"type": "message_stop"})));
    let (body, texts) = stream(&events);
    let request = json!({"model": "claude-haiku-4-5", "max_tokens": 1_000, "stream": true, "messages": [{"role": "user", "content": "count"}]});
    sample("/v1/messages", request.to_string().into_bytes(), "text/event-stream", &body, texts)
}

fn embeddings() -> Sample {
    let vector: Vec<f64> = (0..1_536_u32).map(|at| f64::from(at) * 0.000_123_456_7 - 0.09).collect();
    let data: Vec<Value> =
        (0..64).map(|index| json!({"object": "embedding", "index": index, "embedding": vector})).collect();
    let response = json!({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": {"prompt_tokens": 64, "total_tokens": 64}});
    let response = response.to_string().into_bytes();
    let request =
        json!({"model": "text-embedding-3-small", "input": vec!["text"; 64]}).to_string().into_bytes();
    let texts = vec![response.clone()];
    sample("/v1/embeddings", request, "application/json", &response, texts)
}

/// The recorded exchanges of the four APIs that decode to a call.
fn recorded(folder: &Path, settings: &Settings) -> Result<Set> {
    let mut samples = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("could not list {}", folder.display()))?
        .collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    for path in files.into_iter().map(|entry| entry.path()) {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let api = name.split_once('.').map(|(_, api)| api).unwrap_or_default();
        if !matches!(api, "chat.completions.jsonl" | "responses.jsonl" | "messages.jsonl")
            && name != "openai.embeddings.jsonl"
        {
            continue;
        }
        for line in BufReader::new(File::open(&path)?).lines() {
            if let Some(sample) = exchange(&serde_json::from_str(&line?)?)
                && decode_all(std::slice::from_ref(&sample), settings)? == 1
            {
                samples.push(sample);
            }
        }
    }
    Ok(Set { name: format!("{} recorded exchanges", samples.len()), samples, repeats: 3 })
}

/// A recorded exchange with plain bodies; `None` when a body is not JSON throughout, so that both sides read the same bytes.
fn exchange(line: &Value) -> Option<Sample> {
    let body = |message: &str| STANDARD.decode(line.pointer(&format!("/{message}/body_b64"))?.as_str()?).ok();
    let url = line.pointer("/request/url")?.as_str()?;
    let (host, path) = url.split_once("://")?.1.split_once('/')?;
    let (request, mut response) = (body("request")?, body("response")?);
    if response.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        GzDecoder::new(response.as_slice()).read_to_end(&mut plain).ok()?;
        response = plain;
    }
    let is_json = |text: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    if !request.is_empty() && !is_json(&request) {
        return None;
    }
    let (texts, content_type) = if is_json(&response) {
        (vec![response.clone()], "application/json")
    } else {
        let lines = response.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data:"));
        let texts: Vec<Vec<u8>> = lines
            .map(|text| text.trim_ascii().to_vec())
            .filter(|text| text != b"[DONE]" && !text.is_empty())
            .collect();
        if texts.is_empty() || !texts.iter().all(|text| is_json(text)) {
            return None;
        }
        (texts, "text/event-stream")
    };
    let method = line.pointer("/request/method")?.as_str()?;
    let head = format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n");
    let status = u16::try_from(line.pointer("/response/status")?.as_u64()?).ok()?;
    Some(with_heads(&head, request, status, content_type, &response, texts))
}
