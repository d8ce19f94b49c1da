//! Client CPU added for each call: without probes, with empty probes at the same places, and under wirespan.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::{median, sites};
use crate::process::{self, Running};
use crate::programs::{self, Program};
use crate::standin::Standin;

/// Rounds of each variant, interleaved, so that drifts of the machine hit all alike.
const ROUNDS: usize = 7;

/// What watches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watcher {
    Nothing,
    EmptyProbes,
    Wirespan,
}

/// What `bench.py` prints.
#[derive(Debug, Deserialize)]
struct Spent {
    cpu: f64,
    calls: u32,
}

/// A kind of traffic.
struct Traffic {
    name: &'static str,
    kind: &'static str,
    wishes: &'static str,
    calls: u32,
}

const TRAFFIC: &[Traffic] = &[
    Traffic { name: "small answers, plain HTTPS client", kind: "plain", wishes: "", calls: 400 },
    Traffic {
        name: "streams of 30 chunks, plain HTTPS client",
        kind: "stream",
        wishes: "chunks=30",
        calls: 150,
    },
    Traffic { name: "small answers, openai SDK", kind: "sdk", wishes: "", calls: 200 },
];

/// Measures and returns the report's section.
///
/// # Errors
/// When something that is needed is missing or fails.
pub fn run(wirespan: &Path) -> Result<String> {
    let python = programs::find(Program::Python)?;
    let library = sites::libssl_of(&python)?;
    let places = sites::addresses(&library)?;
    let script =
        places.iter().map(|at| format!("uprobe:{}:{at:#x} {{ }}\n", library.display())).collect::<String>();
    let mut text = format!(
        "## Client CPU added for each call\n\n`cargo xtask bench capture`: user and system time of the client process for each call, \
         median of {ROUNDS} interleaved rounds. Empty probes: bpftrace with empty actions at the same {} places of `{}`.\n\n\
         | traffic | no probes | empty probes | wirespan | added, empty | added, wirespan | ratio |\n|---|---:|---:|---:|---:|---:|---:|\n",
        places.len(),
        library.file_name().unwrap_or_default().display()
    );
    for traffic in TRAFFIC {
        let mut costs: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (cost, watcher) in
                costs.iter_mut().zip([Watcher::Nothing, Watcher::EmptyProbes, Watcher::Wirespan])
            {
                cost.push(one(wirespan, traffic, watcher, &script)?);
            }
        }
        let [nothing, empty, ours] = costs.map(|cost| median(&cost) * 1e6);
        let (added_empty, added_ours) = (empty - nothing, ours - nothing);
        text += &format!(
            "| {} | {nothing:.0} us | {empty:.0} us | {ours:.0} us | {added_empty:.0} us | {added_ours:.0} us | {:.2} |\n",
            traffic.name,
            added_ours / added_empty
        );
    }
    Ok(text)
}

/// Seconds of CPU for each call.
fn one(wirespan: &Path, traffic: &Traffic, watcher: Watcher, script: &str) -> Result<f64> {
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let go = folder.path().join("go");
    let mut command = programs::command(Program::Python, &standin)?;
    command.arg(programs::script("bench.py")).arg(traffic.kind).arg(standin.url(traffic.wishes));
    command.arg(traffic.calls.to_string()).arg(&go);
    let mut client = process::start(&mut command)?;
    client.wait_for("that it is warm", |stdout, _| stdout.contains("warm"))?;
    let watching = watch(wirespan, watcher, script, client.pid())?;
    std::fs::write(&go, "")?;
    let run = client.wait()?.succeeded()?;
    let line = run.stdout.lines().last().unwrap_or_default();
    let spent: Spent =
        serde_json::from_str(line).with_context(|| format!("bench.py said: {}", run.stdout))?;
    if let Some(agent) = watching {
        agent.signal("INT")?;
        let ended = agent.wait()?;
        if watcher == Watcher::Wirespan {
            let captured = ended.stdout.lines().count();
            ensure!(
                captured == traffic.calls as usize,
                "{captured} of {} calls captured: {}",
                traffic.calls,
                ended.stderr
            );
        }
    }
    Ok(spent.cpu / f64::from(spent.calls))
}

fn watch(wirespan: &Path, watcher: Watcher, script: &str, pid: u32) -> Result<Option<Running>> {
    match watcher {
        Watcher::Nothing => Ok(None),
        Watcher::EmptyProbes => {
            let mut command = Command::new("bpftrace");
            command
                .env("BPFTRACE_MAX_PROBES", "4096")
                .arg("-e")
                .arg(format!("BEGIN {{ printf(\"attached\\n\"); }}\n{script}"));
            let mut agent = match process::start(&mut command) {
                Ok(agent) => agent,
                Err(error) => bail!("{error:#}: the empty probes need bpftrace (apt-get install bpftrace)"),
            };
            agent.wait_for("that it is attached", |stdout, _| stdout.contains("attached"))?;
            // BEGIN runs before the probes of the script are in place.
            std::thread::sleep(std::time::Duration::from_secs(1));
            Ok(Some(agent))
        }
        Watcher::Wirespan => {
            let mut command = Command::new(wirespan);
            command.args(["tail", "-o", "jsonl", "--pid", &pid.to_string()]).env("WIRESPAN_LOG", "info");
            let agent = process::start(&mut command)?;
            std::thread::sleep(std::time::Duration::from_secs(2));
            Ok(Some(agent))
        }
    }
}
