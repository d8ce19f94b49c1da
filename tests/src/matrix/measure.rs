//! One cell of the matrix: a run of the client, and what must hold of what was captured.

use std::process::Command;
use std::time::{Duration, Instant};

use agent_genai::Record;
use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::Column;
use super::client::{Client, Plan};
use super::container::Container;
use crate::capture::{self, Exec};
use crate::process::{self, Finished};
use crate::standin::Seen;
use crate::{agree, bodies, need};

const FEW: Plan = Plan { calls: 4, concurrent: 1, size: 100, wishes: "", first: None };
const MANY: Plan = Plan { calls: 24, concurrent: 8, ..FEW };
const LARGE: Plan = Plan { calls: 1, size: 8 << 20, wishes: "size=8388608", ..FEW };
const LATER: Plan = Plan { first: Some("gate"), ..FEW };

/// Measures the cell; an error says why it is a no. `few` keeps the run that two columns are about.
pub(super) fn column(client: &Client, column: Column, few: &mut Option<Run>) -> Result<()> {
    if few.is_none() && matches!(column, Column::FirstByte | Column::Bodies) {
        *few = Some(run(client, &FEW, None)?);
    }
    match column {
        Column::FirstByte => few.as_ref().context("no run")?.records_agree(),
        Column::Bodies => few.as_ref().context("no run")?.bodies_agree(),
        Column::Concurrent => run(client, &MANY, None)?.all_agrees(),
        Column::Large => run(client, &LARGE, None)?.all_agrees(),
        Column::Attach => attach(client),
        Column::Container => run(client, &FEW, Some(&Container::start()?))?.all_agrees(),
    }
}

/// What a run left.
pub(super) struct Run {
    records: Vec<Record>,
    seen: Vec<Seen>,
    folder: TempDir,
}

/// The client under `exec`, from its start to its end.
fn run(client: &Client, plan: &Plan, container: Option<&Container>) -> Result<Run> {
    let standin = match container {
        None => client.server()?,
        Some(container) => container.server(|| client.server())?,
    };
    let mut command = client.command(&standin, plan)?;
    if let Some(container) = container {
        command = container.enter(&command);
    }
    let folder = tempfile::tempdir()?;
    let mut exec = Exec { record: Some(folder.path().join("capture.wspn")), ..Exec::default() };
    if let Some(text) = client.configuration(standin.port()) {
        let file = folder.path().join("wirespan.yaml");
        std::fs::write(&file, text)?;
        exec.config = Some(file);
    }
    let captured = exec.run(&command)?;
    worked(&captured.run)?;
    let seen = standin.seen();
    ensure!(!seen.is_empty(), "the client itself failed: no call reached the server");
    Ok(Run { records: captured.records, seen, folder })
}

/// The client, not wirespan, is what this is about.
fn worked(run: &Finished) -> Result<()> {
    let says_ok =
        |text: &str| text.lines().any(|line| line.starts_with("ok ") || line.starts_with("{\"ok\""));
    if run.status.success() && (says_ok(&run.stderr) || says_ok(&run.stdout)) {
        return Ok(());
    }
    let last: Vec<&str> = run.stderr.lines().rev().take(3).collect();
    bail!("the client itself failed: {}", last.into_iter().rev().collect::<Vec<_>>().join(" / "))
}

impl Run {
    fn records_agree(&self) -> Result<()> {
        records_agree(&self.records, &self.seen)
    }

    fn bodies_agree(&self) -> Result<()> {
        let file = self.folder.path().join("capture.wspn");
        ensure!(bodies::account(&file)?.captured > 0, "nothing was captured");
        bodies::equal(&file, &self.seen)
    }

    fn all_agrees(&self) -> Result<()> {
        self.records_agree()?;
        self.bodies_agree()
    }
}

fn records_agree(records: &[Record], seen: &[Seen]) -> Result<()> {
    ensure!(!records.is_empty(), "nothing was captured");
    let calls = seen.iter().filter(|seen| seen.facts.is_some()).count();
    agree::all(records, seen).with_context(|| format!("{} records of {calls} calls", records.len()))
}

/// A call waits at the server's gate; wirespan attaches; the gate opens, and what follows is captured.
fn attach(client: &Client) -> Result<()> {
    let standin = client.server()?;
    let mut running = process::start(&mut client.command(&standin, &LATER)?)?;
    let deadline = Instant::now() + process::PATIENCE;
    while standin.came_to_the_gate() == 0 {
        if running.has_ended()? || Instant::now() > deadline {
            bail!("the client itself failed: {}", running.stderr()?.lines().last().unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = standin.received();
    let folder = tempfile::tempdir()?;
    let mut tail = Command::new(need::wirespan()?);
    tail.args(["tail", "-o", "jsonl", "--pid", &running.pid().to_string()]);
    if let Some(text) = client.configuration(standin.port()) {
        let file = folder.path().join("wirespan.yaml");
        std::fs::write(&file, text)?;
        tail.arg("--config").arg(file);
    }
    let mut tail = process::start(&mut tail)?;
    tail.wait_for_rest()?;
    standin.open_gate();
    worked(&running.wait()?)?;
    // It ends by itself with the process, or is told to.
    drop(tail.signal("INT"));
    let mut records = capture::captured(tail.wait()?)?.records;
    // What was under way at the attach is not whole, and says so.
    records.retain(|record| !record.capture.attached_mid_stream);
    let seen: Vec<Seen> = standin.seen().into_iter().filter(|seen| seen.number >= before).collect();
    ensure!(seen.iter().any(|seen| seen.facts.is_some()), "the client itself made no call after the first");
    records_agree(&records, &seen)
}
