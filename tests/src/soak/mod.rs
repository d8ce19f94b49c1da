//! The soak: hours of mixed load with processes that start and die all the time. Nothing of the agent may grow, and no call may be missing
//! without a count.

mod sample;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agent_genai::Record;
use anyhow::{Context, Result, bail, ensure};

use crate::agree;
use crate::daemon::Daemon;
use crate::process;
use crate::programs::{self, Program};
use crate::standin::Standin;

pub use sample::Sample;

/// How to soak.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How long the load goes on.
    pub minutes: u64,
    /// Seconds of rest between two rounds of processes.
    pub pause: f64,
}

/// Rows of the table.
const ROWS: u64 = 12;

/// Soaks, and returns the report's section. `each` is told of each sample when it is taken.
///
/// # Errors
/// When something that is needed is missing, or something grew, or a call is missing without a count. The text so far is in the error.
pub fn run(plan: &Plan, mut each: impl FnMut(&Sample)) -> Result<String> {
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let start = folder.path().join("start");
    let mut load = process::start(&mut load(&standin, plan, &start)?)?;
    // A small store, so that it is full, and flat, soon.
    let daemon = Daemon::start(&format!(
        "capture:\n  scope:\n    pids: [{}]\n    follow_children: true\nstore:\n  max_records: 500\n",
        load.pid()
    ))?;
    let printed = folder.path().join("records.jsonl");
    let mut tail = daemon.ask("tail")?;
    // It says at its end what it missed itself.
    let words = folder.path().join("tail.txt");
    tail.args(["-o", "jsonl", "--last", "0"]).stdin(Stdio::null()).stderr(File::create(&words)?);
    let mut tail = tail.stdout(File::create(&printed)?).spawn().context("wirespan tail")?;
    std::thread::sleep(Duration::from_secs(3));
    std::fs::write(&start, "")?;

    let begun = Instant::now();
    let (length, step) =
        (Duration::from_secs(plan.minutes * 60), Duration::from_secs(plan.minutes * 60 / 240));
    let mut samples = Vec::new();
    let patience = length + process::PATIENCE;
    while !load.has_ended()? {
        let sample = Sample::take(&daemon, begun.elapsed())?;
        each(&sample);
        samples.push(sample);
        ensure!(begun.elapsed() < patience, "the load never ended");
        std::thread::sleep(step.max(Duration::from_secs(1)));
    }
    let said = load.wait()?.succeeded().context("the load")?.stdout;
    // What was under way ends, what died is swept.
    std::thread::sleep(Duration::from_secs(15));
    let last = Sample::take(&daemon, begun.elapsed())?;
    drop(Command::new("kill").arg("-INT").arg(tail.id().to_string()).status());
    tail.wait()?;
    let missing = missing(&printed, &standin)?;
    let text = report(plan, &samples, &last, &said, &missing);
    let words = std::fs::read_to_string(&words)?;
    judge(&samples, &last, &said, &missing).with_context(|| {
        format!("{text}\nThe answers without a record: {}\n{words}", missing.which.join(", "))
    })?;
    Ok(text)
}

fn load(standin: &Standin, plan: &Plan, start: &Path) -> Result<Command> {
    let mut command = Command::new("/bin/sh");
    programs::trusting(&mut command, standin);
    programs::with_node_modules(&mut command);
    command.arg(programs::script("soak.sh")).arg(start).arg(standin.url(""));
    command.arg((plan.minutes * 60).to_string()).arg(plan.pause.to_string());
    command
        .arg(programs::script(""))
        .arg(programs::find(Program::Python)?)
        .arg(programs::find(Program::Node)?);
    command.args(programs::find(Program::GoClient).ok());
    Ok(command)
}

/// What the server answered, and what of it has no record.
#[derive(Debug, Default)]
struct Missing {
    answered: usize,
    records: usize,
    incomplete: usize,
    missing: usize,
    /// Which they are: the number of the request at the server, and its path.
    which: Vec<String>,
}

fn missing(printed: &Path, standin: &Standin) -> Result<Missing> {
    let mut found = Missing::default();
    let (mut ids, mut nameless) = (HashSet::new(), 0_usize);
    for line in BufReader::new(File::open(printed)?).lines() {
        let line = line?;
        let record: Record = serde_json::from_str(&line).with_context(|| format!("not a Record: {line}"))?;
        found.records += 1;
        let id = agree::text(&record, "gen_ai.response.id");
        if record.capture.complete && id.is_empty() {
            nameless += 1;
        }
        if !id.is_empty() {
            found.incomplete += usize::from(!record.capture.complete);
            ids.insert(id.to_owned());
        }
    }
    let mut without_id = 0_usize;
    for seen in standin.seen() {
        let Some(facts) = &seen.facts else { continue };
        found.answered += 1;
        if facts.id.is_empty() {
            without_id += 1;
        } else if !ids.contains(&facts.id) {
            found.missing += 1;
            found.which.push(format!("{} {}", seen.number, seen.path));
        }
    }
    found.missing += without_id.saturating_sub(nameless);
    Ok(found)
}

/// Nothing grew, and nothing is missing without a count.
fn judge(samples: &[Sample], last: &Sample, said: &str, missing: &Missing) -> Result<()> {
    if let Some(failed) = said.lines().find(|line| line.starts_with("failed")) {
        bail!("a client failed: {failed}");
    }
    ensure!(missing.answered > 0 && missing.records > 0, "{missing:?}");
    // Each call that is missing has lost a byte at least.
    ensure!(
        missing.missing as u64 <= last.lost,
        "{} calls are missing, {} drops of all kinds were counted",
        missing.missing,
        last.lost
    );
    // The first third is warm-up: caches and the store fill.
    let settled = samples.get(samples.len() / 3..).unwrap_or_default();
    let (early, late) = settled.split_at(settled.len() / 2);
    let most = |part: &[Sample], of: fn(&Sample) -> u64| part.iter().map(of).max().unwrap_or_default();
    let rss = (most(early, |sample| sample.resident_kb), most(late, |sample| sample.resident_kb));
    ensure!(rss.1 <= rss.0 + rss.0 / 20 + 2_048, "resident memory grew from {} to {} kB", rss.0, rss.1);
    for (name, of) in [
        ("open files", (|sample| sample.files) as fn(&Sample) -> u64),
        ("attached places", |sample| sample.probes),
        ("map entries", |sample| sample.map_entries),
    ] {
        let (early, late) = (most(early, of), most(late, of));
        ensure!(late <= early + early / 5 + 8, "{name} grew from {early} to {late}");
    }
    ensure!(last.processes <= 1, "{} processes are left in scope", last.processes);
    Ok(())
}

fn report(plan: &Plan, samples: &[Sample], last: &Sample, said: &str, missing: &Missing) -> String {
    let processes = said.lines().find_map(|line| line.strip_prefix("processes ")).unwrap_or("?");
    let mut text = format!(
        "## Soak\n\n`cargo xtask soak --minutes {}`: {processes} client processes (curl, requests, httpx, Node, Go, one that lives all the time; \
         every fifth is killed in mid-call) under one `wirespan run`. The server answered {} calls; {} have no record, {} have one that says it is not \
         whole; {} records in all (those of killed calls included).\n\n{}",
        plan.minutes,
        missing.answered,
        missing.missing,
        missing.incomplete,
        missing.records,
        Sample::HEAD
    );
    let step = (samples.len() as u64 / ROWS).max(1);
    for (at, sample) in samples.iter().enumerate() {
        if (at as u64).is_multiple_of(step) {
            text += &sample.row();
        }
    }
    text += &last.row();
    text += "\nThe last row: 15 s after the end of the load. Map entries: processes, connections and calls under way. LRU entries: what the kernel lets go of, \
             the oldest first, when such a map is full. CPU: of one core, since the start.\n";
    text
}
