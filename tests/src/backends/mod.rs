//! Real backends take in our OTLP and are asked what they made of it: Arize Phoenix and MLflow, as installed from PyPI.
//!
//! The calls are those of the comparison with the reference instrumentations (`clients/reference`): whole and streamed, with tools,
//! images, embeddings and errors. Every question that a backend answers with something else than what was sent must be known, with
//! its reason, in `known.json`.

mod check;
mod read;
mod report;
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use agent_genai::Record;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::capture::{Captured, Exec};
use crate::programs::{self, Program};
use crate::standin::Standin;
use check::{Answer, Known};
use server::{Kind, Server};

const KNOWN: &str = include_str!("known.json");
/// `clients/reference/*_calls.py`.
const FAMILIES: &[&str] = &["openai", "anthropic", "google", "bedrock"];
const CONFIG: &str = "content:\n  enabled: true\n  tool_descriptions: true\n";
/// Longest that a backend may take to show what it has accepted.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// A way into a backend.
#[derive(Debug, Clone, Copy)]
struct Way {
    kind: Kind,
    /// As in `OTEL_EXPORTER_OTLP_PROTOCOL`.
    protocol: &'static str,
    headers: &'static str,
}

const WAYS: &[Way] = &[
    Way { kind: Kind::Phoenix, protocol: "http/protobuf", headers: "" },
    Way { kind: Kind::Phoenix, protocol: "grpc", headers: "" },
    Way { kind: Kind::Mlflow, protocol: "http/protobuf", headers: "x-mlflow-experiment-id=0" },
];

/// What a way gave.
#[derive(Debug)]
struct Outcome {
    way: Way,
    version: String,
    calls: usize,
    /// Name of the call and what was asked about it.
    answers: Vec<(String, Answer)>,
}

/// A call's name and its span, as it was sent.
type Sent = Vec<(String, Record)>;

/// Runs all of it; returns the report.
///
/// # Errors
/// When a backend does not run, and when it answers other than known.
pub fn run(python: &Path) -> Result<String> {
    let known: Vec<Known> = serde_json::from_str(KNOWN).context("known.json")?;
    let mut outcomes = Vec::new();
    for kind in [Kind::Phoenix, Kind::Mlflow] {
        let mut server = Server::start(kind, python)?;
        for way in WAYS.iter().filter(|way| way.kind == kind) {
            let outcome = one_way(*way, &server, python);
            outcomes.push(outcome.with_context(|| server.said().unwrap_or_default())?);
        }
    }
    let wrong = unexpected(&outcomes, &known);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(report::render(&outcomes, &known))
}

fn one_way(way: Way, server: &Server, python: &Path) -> Result<Outcome> {
    let endpoint =
        if way.protocol == "grpc" { server.grpc() } else { format!("{}/v1/traces", server.base()) };
    let mut sent = Sent::new();
    for family in FAMILIES {
        sent.extend(captured(way, family, &endpoint)?);
    }
    let traces: Vec<&str> = sent.iter().map(|(_, record)| record.trace_id.as_str()).collect();
    let deadline = Instant::now() + SHOWN_WITHIN;
    let (version, spans) = loop {
        let (version, spans) = read::read(way.kind, python, &server.base(), &traces)?;
        if spans.len() >= sent.len() || Instant::now() > deadline {
            break (version, spans);
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    ensure!(spans.len() <= sent.len(), "{} spans of {} read back", spans.len(), sent.len());
    let mut answers = Vec::new();
    for (call, record) in &sent {
        let span = spans.iter().find(|span| span.trace == record.trace_id);
        answers.extend(check::ask(way.kind, record, span).into_iter().map(|answer| (call.clone(), answer)));
    }
    Ok(Outcome { way, version, calls: sent.len(), answers })
}

/// Makes the calls of a family and sends their spans.
fn captured(way: Way, family: &str, endpoint: &str) -> Result<Sent> {
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let (names, config) = (folder.path().join("calls.jsonl"), folder.path().join("wirespan.yaml"));
    std::fs::write(&config, CONFIG).context("configuration")?;
    let mut command = programs::command(Program::Reference, &standin)?;
    command.arg(programs::script("reference/run.py")).arg(family);
    command.arg("--url").arg(standin.url("")).arg("--spans").arg(&names);
    command
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", way.protocol)
        .env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", way.headers)
        .env("OTEL_SERVICE_NAME", "storefront");
    let exec = Exec { content: true, config: Some(config), ..Exec::default() };
    let Captured { mut records, run } = exec.run(&command)?;
    ensure!(run.status.success(), "{:?}: {}", run.status, run.stderr);
    records.sort_by(|a, b| a.start.cmp(&b.start));
    let names = call_names(&std::fs::read_to_string(&names).context("names of the calls")?)?;
    ensure!(names.len() == records.len(), "{} calls, {} records", names.len(), records.len());
    Ok(names.into_iter().zip(records).collect())
}

#[derive(Deserialize)]
struct Called {
    call: String,
}

/// The first line holds versions.
fn call_names(text: &str) -> Result<Vec<String>> {
    let call = |line| -> Result<String> { Ok(serde_json::from_str::<Called>(line)?.call) };
    text.lines().skip(1).map(call).collect()
}

/// Noes that are not known, and known ones that are none any more.
fn unexpected(outcomes: &[Outcome], known: &[Known]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut used = vec![false; known.len()];
    for outcome in outcomes {
        let backend = outcome.way.kind.name();
        for (call, answer) in outcome.answers.iter().filter(|(_, answer)| !answer.is_yes()) {
            let mut is_known = false;
            for (known, used) in known.iter().zip(&mut used) {
                let is = known.is(backend, answer.question, call);
                is_known |= is;
                *used |= is;
            }
            if !is_known {
                wrong.push(format!(
                    "{backend} ({}), `{call}`: {}: sent {}, found {}",
                    outcome.way.protocol, answer.question, answer.sent, answer.found
                ));
            }
        }
    }
    let gone = known.iter().zip(&used).filter(|(_, used)| !**used);
    wrong.extend(gone.map(|(known, _)| {
        format!("{}: {}: known as a no, but no longer one ({})", known.backend, known.question, known.reason)
    }));
    wrong
}
