//! Every recorded exchange through the decoder, against the facts recorded with it.
//!
//! The recordings are read from the folder named by `WIRESPAN_CORPUS`; without it the test says so and ends.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]

mod facts;
mod load;
#[path = "../sink/mod.rs"]
mod sink;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent_genai::{Call, Decoder, DecoderOptions};
use agent_wire::{Limits, replay};
use facts::Tally;
use load::Exchange;
use sink::Calls;

fn decode(exchange: &Exchange, content: bool) -> Option<Call> {
    let decoder = Decoder::new(DecoderOptions { content, ..DecoderOptions::default() });
    let mut sink = Calls::new(&decoder);
    let response = exchange.response.as_ref().map(|(head, body)| (head, body.as_slice()));
    replay((&exchange.request.0, &exchange.request.1), response, Limits::default(), &mut sink);
    assert!(sink.calls.len() <= 1, "one exchange is one call at most");
    sink.calls.pop()
}

/// Embeddings of other shapes than OpenAI's; their codecs come with a later piece of work.
const OTHER_EMBEDDINGS: [&str; 3] = ["cohere.embeddings", "gemini.embeddings", "ollama.embeddings"];

/// Whether every exchange of a file is a call. `WIRESPAN_CORPUS_ONLY` narrows the run to files whose name contains it.
fn is_ours(name: &str) -> bool {
    if let Ok(only) = std::env::var("WIRESPAN_CORPUS_ONLY") {
        return name.contains(&only);
    }
    let api = name.split_once('.').map_or("", |(_, api)| api);
    matches!(api, "chat.completions" | "responses" | "embeddings") && !OTHER_EMBEDDINGS.contains(&name)
        || name == "anthropic.messages"
}

/// Whether a file holds what must never give a call.
fn holds_no_calls(name: &str) -> bool {
    name == "negative" || [".models", ".files", ".cachedContents"].iter().any(|api| name.ends_with(api))
}

/// Calls that files of other APIs truly hold: stored responses being fetched.
fn is_fetch(exchange: &Exchange) -> bool {
    exchange.request.0.method == "GET" && exchange.request.0.path().contains("/responses/")
}

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("WIRESPAN_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: WIRESPAN_CORPUS names no folder of recorded exchanges");
    }
    folder
}

fn files(folder: &Path) -> BTreeMap<String, Vec<Exchange>> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
    let mut files = BTreeMap::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".jsonl").filter(|name| *name != "realtime-ws") {
            files.insert(name.to_owned(), load::file(&path));
        }
    }
    assert!(!files.is_empty(), "no recordings in {}", folder.display());
    files
}

#[test]
fn recorded_calls_give_the_recorded_facts() {
    let Some(folder) = corpus() else { return };
    let mut disagreements = Vec::new();
    let mut sum = (0, 0, 0, 0);
    eprintln!("{:42} {:>9} {:>7} {:>7} {:>8}", "file", "exchanges", "decoded", "facts", "agreeing");
    for (name, exchanges) in files(&folder).iter().filter(|(name, _)| is_ours(name)) {
        let mut tally = Tally::default();
        let mut decoded = 0;
        for exchange in exchanges {
            let place = format!("{name} {}", exchange.id);
            let (Some(bare), Some(full)) = (decode(exchange, false), decode(exchange, true)) else {
                tally.disagree(&place, "no call");
                continue;
            };
            decoded += 1;
            // What does not depend on content must not depend on keeping it.
            let plain = |call: &Call| {
                format!(
                    "{:?} {:?} {:?} {:?}",
                    call.usage, call.error, call.response.finish_reasons, call.response.id
                )
            };
            tally.same(&place, "facts with and without content", &plain(&bare), &plain(&full));
            facts::check(&place, exchange, &bare, &full, &mut tally);
        }
        eprintln!("{name:42} {:>9} {decoded:>7} {:>7} {:>8}", exchanges.len(), tally.checked, tally.agreed);
        sum = (sum.0 + exchanges.len(), sum.1 + decoded, sum.2 + tally.checked, sum.3 + tally.agreed);
        disagreements.extend(tally.disagreements);
    }
    eprintln!("{:42} {:>9} {:>7} {:>7} {:>8}", "all", sum.0, sum.1, sum.2, sum.3);
    eprintln!("left out, other shapes: {}", OTHER_EMBEDDINGS.join(", "));
    assert!(disagreements.is_empty(), "{} disagreements:\n{}", disagreements.len(), disagreements.join("\n"));
}

#[test]
fn other_traffic_gives_no_calls() {
    let Some(folder) = corpus() else { return };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, exchanges) in files(&folder).iter().filter(|(name, _)| holds_no_calls(name)) {
        for exchange in exchanges {
            seen += 1;
            let call = decode(exchange, false);
            if call.is_some() != is_fetch(exchange) {
                let head = &exchange.request.0;
                wrong.push(format!(
                    "{name} {} {} {}: {:?}",
                    exchange.id,
                    head.method,
                    head.target,
                    call.map(|call| call.api)
                ));
            }
        }
    }
    eprintln!("{seen} exchanges that are no calls");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
