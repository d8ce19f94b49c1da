//! Every recorded exchange through the decoder, against the facts recorded with it.
//!
//! The recordings are read from the folder named by `WIRESPAN_CORPUS`; without it the test says so and ends.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]

mod costs;
mod coverage;
mod facts;
mod kinds;
mod known;
mod load;
#[path = "../sink/mod.rs"]
mod sink;
mod sockets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent_genai::{Call, Decoder, DecoderOptions, PriceTable};
use agent_wire::{Limits, replay};
use coverage::Row;
use facts::Tally;
use kinds::Kind;
use load::Exchange;
use sink::Calls;

fn decode(exchange: &Exchange, content: bool) -> Vec<Call> {
    let decoder = Decoder::new(DecoderOptions { content, ..DecoderOptions::default() });
    let mut sink = Calls::new(&decoder);
    let response = exchange.response.as_ref().map(|(head, body)| (head, body.as_slice()));
    replay((&exchange.request.0, &exchange.request.1), response, Limits::default(), &mut sink);
    sink.calls
}

/// Whether a file is of this run: `WIRESPAN_CORPUS_ONLY` narrows it to names that contain one of its comma-separated parts.
fn is_wanted(name: &str) -> bool {
    std::env::var("WIRESPAN_CORPUS_ONLY").map_or(true, |only| only.split(',').any(|part| name.contains(part)))
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

/// Decodes the exchanges of one file and checks their facts.
fn cover(name: &str, exchanges: &[Exchange], prices: &PriceTable, disagreements: &mut Vec<String>) -> Row {
    let mut row = Row { exchanges: exchanges.len(), ..Row::default() };
    let mut tally = Tally::default();
    for exchange in exchanges {
        let place = format!("{name} {}", exchange.id);
        let (bare, full) = (decode(exchange, false), decode(exchange, true));
        let is_call = match kinds::of(name) {
            Kind::Calls => true,
            Kind::NoCalls => false,
            Kind::Mixed => kinds::is_call(name, exchange),
        };
        tally.same(&place, "calls with and without content", &bare.len(), &full.len());
        let (Some(bare), Some(full)) = (bare.first(), full.first()) else {
            if is_call {
                row.calls += 1;
                tally.disagree(&place, "no call");
            }
            continue;
        };
        if !is_call && kinds::of(name) == Kind::NoCalls {
            tally.disagree(&place, &format!("a call of {:?} where there is none", bare.api));
            continue;
        }
        row.calls += 1;
        row.decoded += 1;
        row.price(prices, bare);
        // What does not depend on content must not depend on keeping it.
        let plain = |call: &Call| {
            format!(
                "{:?} {:?} {:?} {:?}",
                call.usage, call.error, call.response.finish_reasons, call.response.id
            )
        };
        tally.same(&place, "facts with and without content", &plain(bare), &plain(full));
        facts::check(&place, exchange, bare, full, &mut tally);
    }
    row.facts = tally.checked;
    row.agreed = tally.agreed;
    disagreements.extend(tally.disagreements);
    row
}

#[test]
fn recorded_calls_give_the_recorded_facts() {
    let Some(folder) = corpus() else { return };
    let prices = PriceTable::embedded();
    let mut disagreements = Vec::new();
    let mut rows = Vec::new();
    for (name, exchanges) in files(&folder).iter().filter(|(name, _)| is_wanted(name)) {
        rows.push((name.clone(), cover(name, exchanges, &prices, &mut disagreements)));
    }
    eprintln!("{}", coverage::table(&rows));
    let unknown: Vec<&String> = disagreements
        .iter()
        .filter(|words| !known::KNOWN.iter().any(|(part, _)| words.contains(part)))
        .collect();
    if std::env::var_os("WIRESPAN_CORPUS_ONLY").is_none() {
        keep(&rows);
        let gone = |known: &&(&str, &str)| !disagreements.iter().any(|words| words.contains(known.0));
        let gone: Vec<_> = known::KNOWN.iter().filter(gone).collect();
        assert!(gone.is_empty(), "known disagreements that no longer occur: {gone:?}");
    }
    let list: Vec<&str> = unknown.iter().map(|words| words.as_str()).collect();
    assert!(list.is_empty(), "{} disagreements:\n{}", list.len(), list.join("\n"));
}

/// Compares the page with what was found, or writes it. Another set of recordings says nothing about the page.
fn keep(rows: &[(String, Row)]) {
    let page = coverage::page(rows, known::KNOWN);
    if std::env::var_os("WIRESPAN_BLESS").is_some() {
        std::fs::write(coverage::path(), page).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(coverage::path()).unwrap_or_default();
    let first_columns = |page: &str| -> Vec<String> {
        let rows = page.lines().filter(|line| line.starts_with("| "));
        rows.map(|line| line.split('|').take(3).collect::<Vec<_>>().join("|")).collect()
    };
    if first_columns(&kept) != first_columns(&page) {
        eprintln!("docs/coverage.md speaks of other recordings than these; it was not compared");
        return;
    }
    assert!(kept == page, "docs/coverage.md no longer holds: run this test with WIRESPAN_BLESS=1");
}
