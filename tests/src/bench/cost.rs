//! What capturing costs the watched program, side by side: nothing, empty probes, bpftrace, wirespan; with calls of a model and with other
//! HTTPS traffic; clients in Python, Node and Go.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::capture::EmptyProbes;
use super::{median, sites, tracer};
use crate::process;
use crate::programs::{self, Program};
use crate::standin::Standin;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rounds of each variant, interleaved, so that drifts of the machine hit all alike.
    pub rounds: usize,
    /// Calls of a round.
    pub calls: usize,
}

/// What watches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watcher {
    Nothing,
    EmptyProbes,
    Bpftrace,
    Wirespan,
}

/// Where calls go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traffic {
    Model,
    Other,
}

/// Every variant: what watches, and where calls go.
const VARIANTS: &[(Traffic, Watcher, &str)] = &[
    (Traffic::Model, Watcher::Nothing, "LLM calls, no agent"),
    (Traffic::Model, Watcher::EmptyProbes, "LLM calls, empty probes"),
    (Traffic::Model, Watcher::Bpftrace, "LLM calls, bpftrace"),
    (Traffic::Model, Watcher::Wirespan, "LLM calls, wirespan"),
    (Traffic::Other, Watcher::Nothing, "other HTTPS, no agent"),
    (Traffic::Other, Watcher::EmptyProbes, "other HTTPS, empty probes"),
    (Traffic::Other, Watcher::Wirespan, "other HTTPS, wirespan"),
];

/// What a client prints.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Spent {
    cpu: f64,
    calls: f64,
    p50: f64,
    p99: f64,
}

/// A client, and where its TLS is.
struct Client {
    name: &'static str,
    program: Program,
    arguments: Vec<PathBuf>,
    file: PathBuf,
    offsets: Vec<u64>,
    script: String,
}

fn clients() -> Result<Vec<Client>> {
    let library = sites::libssl_of(&programs::find(Program::Python)?)?;
    let node = programs::find(Program::Node)?;
    let go = programs::find(Program::GoBench)?;
    let of_go = sites::find(&go, &["crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write"], &[])?;
    Ok(vec![
        Client {
            name: "Python",
            program: Program::Python,
            arguments: vec![programs::script("bench.py"), "path".into()],
            offsets: sites::openssl(&library)?,
            script: tracer::openssl(&library),
            file: library,
        },
        Client {
            name: "Node",
            program: Program::Node,
            arguments: vec![programs::script("bench.mjs")],
            offsets: sites::openssl(&node)?,
            script: tracer::openssl(&node),
            file: node,
        },
        Client {
            name: "Go",
            program: Program::GoBench,
            arguments: Vec::new(),
            script: tracer::go(&go),
            offsets: of_go,
            file: go,
        },
    ])
}

/// Measures and returns the report's section.
///
/// # Errors
/// When something that is needed is missing or fails.
pub fn run(wirespan: &Path, object: &Path, plan: &Plan) -> Result<String> {
    let object = std::fs::read(object).with_context(|| format!("could not read {}", object.display()))?;
    let mut text = format!(
        "## Cost, side by side\n\n`cargo xtask bench cost`: small calls one after the other on one connection; user and system time of the client process \
         for each call, and latency as the client sees it; medians of {} interleaved rounds of {} calls. Empty probes: a kernel program that returns at once, at \
         entry and every RET of the functions that wirespan probes, attached one by one by perf event. bpftrace prints the first {} bytes of each buffer (its \
         most) at the same functions; it probes OpenSSL's returns by uretprobe, and of Go's reads the entry only. *Added*: against no agent.\n\n\
         | client | traffic and watcher | CPU a call | added | p50 | added | p99 | added |\n|---|---|---:|---:|---:|---:|---:|---:|\n",
        plan.rounds,
        plan.calls,
        tracer::MOST
    );
    for client in clients()? {
        let mut all: Vec<Vec<Option<Spent>>> = vec![Vec::new(); VARIANTS.len()];
        for _ in 0..plan.rounds {
            for ((traffic, watcher, name), spent) in VARIANTS.iter().zip(&mut all) {
                let one = one(wirespan, &object, &client, *traffic, *watcher, plan.calls);
                spent.push(one.with_context(|| format!("{}: {name}", client.name))?);
            }
        }
        let mut base = [0.0; 3];
        for ((_, watcher, name), spent) in VARIANTS.iter().zip(&all) {
            text += &format!("| {} | {name} |", client.name);
            let spent: Option<Vec<Spent>> = spent.iter().copied().collect();
            let Some(spent) = spent else {
                text += " not captured | | | | | |\n";
                continue;
            };
            let middle = |of: fn(&Spent) -> f64| median(&spent.iter().map(of).collect::<Vec<_>>()) * 1e6;
            let found = [
                middle(|spent| spent.cpu / spent.calls),
                middle(|spent| spent.p50),
                middle(|spent| spent.p99),
            ];
            if *watcher == Watcher::Nothing {
                base = found;
            }
            for (value, base) in found.iter().zip(base) {
                let added = if *watcher == Watcher::Nothing {
                    String::new()
                } else {
                    format!("{:+.0} us", value - base)
                };
                text += &format!(" {value:.0} us | {added} |");
            }
            text.push('\n');
        }
    }
    Ok(text)
}

/// One round; `None` when wirespan did not see this client's calls at all.
fn one(
    wirespan: &Path,
    object: &[u8],
    client: &Client,
    traffic: Traffic,
    watcher: Watcher,
    calls: usize,
) -> Result<Option<Spent>> {
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let go = folder.path().join("go");
    let path = match traffic {
        Traffic::Model => "/v1/chat/completions",
        Traffic::Other => "/v1/orders",
    };
    let mut command = programs::command(client.program, &standin)?;
    command.args(&client.arguments).arg(standin.url("") + path).arg(calls.to_string()).arg(&go);
    let mut running = process::start(&mut command)?;
    running.wait_for("that it is warm", |stdout, _| stdout.contains("warm"))?;
    let mut probes = None;
    let mut tool = None;
    match watcher {
        Watcher::Nothing => {}
        Watcher::EmptyProbes => probes = Some(EmptyProbes::attach(object, &client.file, &client.offsets)?),
        Watcher::Bpftrace => tool = Some(tracer::start(&client.script, running.pid())?),
        Watcher::Wirespan => {
            let mut tail = Command::new(wirespan);
            tail.args(["tail", "-o", "jsonl", "--pid", &running.pid().to_string()]);
            let mut tail = process::start(&mut tail)?;
            tail.wait_for_rest()?;
            tool = Some(tail);
        }
    }
    std::fs::write(&go, "")?;
    let run = running.wait()?.succeeded()?;
    drop(probes);
    let line = run.stdout.lines().last().unwrap_or_default();
    let spent: Spent =
        serde_json::from_str(line).with_context(|| format!("the client said: {}", run.stdout))?;
    match (watcher, tool) {
        (Watcher::Bpftrace, Some(tool)) => tracer::end(tool, calls)?,
        (Watcher::Wirespan, Some(tool)) => {
            // It may have ended with the process.
            drop(tool.signal("INT"));
            let ended = tool.wait()?;
            let captured = ended.stdout.lines().count();
            if traffic == Traffic::Model && captured == 0 {
                return Ok(None);
            }
            let wanted = if traffic == Traffic::Model { calls } else { 0 };
            ensure!(captured == wanted, "{captured} of {wanted} calls captured: {}", ended.stderr);
        }
        _ => {}
    }
    Ok(Some(spent))
}
