//! Client CPU added for each call: without probes, with empty probes at the same places, and under wirespan.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use aya::programs::UProbe;
use aya::programs::uprobe::UProbeScope;
use aya::{Ebpf, EbpfLoader};
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

/// Where the client is hit, and with what.
struct Target {
    wirespan: PathBuf,
    object: Vec<u8>,
    library: PathBuf,
    offsets: Vec<u64>,
}

/// What runs beside the client.
enum Watching {
    Empty(EmptyProbes),
    Agent(Running),
}

/// The empty kernel program at every place, for as long as this lives.
pub(super) struct EmptyProbes {
    _programs: Ebpf,
}

impl EmptyProbes {
    pub(super) fn attach(object: &[u8], file: &Path, offsets: &[u64]) -> Result<Self> {
        let mut programs =
            EbpfLoader::new().btf(None).load(object).context("could not load the kernel object")?;
        let program = programs.program_mut("empty").context("the kernel object has no program `empty`")?;
        let probe: &mut UProbe = program.try_into().context("`empty` is no uprobe")?;
        probe.load().context("the kernel refused `empty`")?;
        for offset in offsets {
            probe
                .attach(*offset, file, UProbeScope::AllProcesses)
                .with_context(|| format!("could not probe {} at {offset:#x}", file.display()))?;
        }
        Ok(Self { _programs: programs })
    }
}

/// Measures and returns the report's section.
///
/// # Errors
/// When something that is needed is missing or fails.
pub fn run(wirespan: &Path, object: &Path) -> Result<String> {
    let library = sites::libssl_of(&programs::find(Program::Python)?)?;
    let target = Target {
        wirespan: wirespan.to_owned(),
        object: std::fs::read(object).with_context(|| format!("could not read {}", object.display()))?,
        offsets: sites::openssl(&library)?,
        library,
    };
    let mut text = format!(
        "## Client CPU added for each call\n\n`cargo xtask bench capture`: user and system time of the client process for each call, \
         median of {ROUNDS} interleaved rounds. Empty probes: a kernel program that returns at once, at the same {} places of `{}`.\n\n\
         | traffic | no probes | empty probes | wirespan | added, empty | added, wirespan | ratio |\n|---|---:|---:|---:|---:|---:|---:|\n",
        target.offsets.len(),
        target.library.file_name().unwrap_or_default().display()
    );
    for traffic in TRAFFIC {
        let mut costs: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (cost, watcher) in
                costs.iter_mut().zip([Watcher::Nothing, Watcher::EmptyProbes, Watcher::Wirespan])
            {
                cost.push(one(&target, traffic, watcher)?);
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
fn one(target: &Target, traffic: &Traffic, watcher: Watcher) -> Result<f64> {
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let go = folder.path().join("go");
    let mut command = programs::command(Program::Python, &standin)?;
    command.arg(programs::script("bench.py")).arg(traffic.kind).arg(standin.url(traffic.wishes));
    command.arg(traffic.calls.to_string()).arg(&go);
    let mut client = process::start(&mut command)?;
    client.wait_for("that it is warm", |stdout, _| stdout.contains("warm"))?;
    let watching = watch(target, watcher, client.pid())?;
    std::fs::write(&go, "")?;
    let run = client.wait()?.succeeded()?;
    let line = run.stdout.lines().last().unwrap_or_default();
    let spent: Spent =
        serde_json::from_str(line).with_context(|| format!("bench.py said: {}", run.stdout))?;
    match watching {
        None => {}
        Some(Watching::Empty(probes)) => drop(probes),
        Some(Watching::Agent(agent)) => {
            agent.signal("INT")?;
            let ended = agent.wait()?;
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

fn watch(target: &Target, watcher: Watcher, pid: u32) -> Result<Option<Watching>> {
    match watcher {
        Watcher::Nothing => Ok(None),
        Watcher::EmptyProbes => {
            let probes = EmptyProbes::attach(&target.object, &target.library, &target.offsets)?;
            Ok(Some(Watching::Empty(probes)))
        }
        Watcher::Wirespan => {
            let mut command = Command::new(&target.wirespan);
            command.args(["tail", "-o", "jsonl", "--pid", &pid.to_string()]).env("WIRESPAN_LOG", "info");
            let agent = process::start(&mut command)?;
            std::thread::sleep(std::time::Duration::from_secs(2));
            Ok(Some(Watching::Agent(agent)))
        }
    }
}
