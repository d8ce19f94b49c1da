//! What wirespan may cost: it goes quiet when it is stopped, gives up connections at its ceilings, and says to the byte what it left out.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wirespan_tests::capture::{self, Captured, Exec};
use wirespan_tests::process::{PATIENCE, Running};
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::Standin;
use wirespan_tests::{bodies, need, skip_if};

/// What `steady.py` prints at its end.
#[derive(Debug, Deserialize)]
struct Moved {
    sent: u64,
    received: u64,
}

/// A run of `steady.py` under `wirespan exec`.
struct Steady {
    standin: Standin,
    folder: tempfile::TempDir,
    exec: Exec,
    agent: Running,
}

impl Steady {
    fn start(path: &str, connections: u32, config: &str) -> Result<Self> {
        let standin = Standin::start()?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("wirespan.yaml");
        std::fs::write(&file, config)?;
        let record = Some(folder.path().join("capture.wspn"));
        let exec = Exec { record, config: Some(file), ..Exec::default() };
        let mut command: Command = programs::command(Program::Python, &standin)?;
        command.arg(programs::script("steady.py")).args(["localhost", &standin.port().to_string()]);
        command.args([path, &connections.to_string()]).arg(stop_file(folder.path()));
        let mut agent = exec.start(&command)?;
        agent.wait_for("an answer on each connection", |_, stderr| stderr.contains("working\n"))?;
        Ok(Self { standin, folder, exec, agent })
    }

    /// Waits until that many more calls were answered.
    fn go_on(&self, calls: usize) -> Result<()> {
        let wanted = self.standin.seen().len() + calls;
        let deadline = Instant::now() + PATIENCE;
        while self.standin.seen().len() < wanted {
            ensure!(Instant::now() < deadline, "the client stalls");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends the client, and gives what was captured, counted, and moved.
    fn finish(self) -> Result<(Captured, bodies::Account, Moved)> {
        std::fs::write(stop_file(self.folder.path()), "")?;
        let captured = capture::captured(self.agent.wait()?.succeeded()?)?;
        let said = &captured.run.stderr;
        let line =
            said.lines().find(|line| line.starts_with("{\"sent\"")).context("steady.py said nothing")?;
        let moved = serde_json::from_str(line)?;
        let account = bodies::account(self.exec.record.as_deref().context("no file")?)?;
        Ok((captured, account, moved))
    }
}

fn stop_file(folder: &Path) -> std::path::PathBuf {
    folder.join("stop")
}

#[test]
fn a_stopped_agent_is_quiet_and_goes_on_when_it_is_continued() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let config = "capture:\n  ring_size: 256KiB\nlimits:\n  watchdog: 300ms\n";
    let mut steady = Steady::start("/gap=10/chunks=50/v1/chat/completions", 2, config)?;
    steady.agent.signal("STOP")?;
    // Answers are streamed, so that one is under way whenever the patience ends. The first part of this falls into the
    // patience of the kernel programs, and goes on to the part of the ring that may fill; the rest is left out.
    std::thread::sleep(Duration::from_millis(600));
    steady.go_on(20)?;
    steady.agent.signal("CONT")?;
    steady.agent.wait_for("word of the stall", |_, stderr| stderr.contains("nothing was captured"))?;
    steady.go_on(6)?;
    let (captured, account, Moved { sent, received }) = steady.finish()?;
    let said = &captured.run.stderr;
    ensure!(account.captured + account.lost == sent + received, "{account:?}, {sent} + {received}\n{said}");
    ensure!(account.moved == sent + received, "{account:?}, {sent} + {received}\n{said}");
    ensure!(account.lost > 0, "nothing was left out: {account:?}\n{said}");
    ensure!(said.contains(&format!("{} bytes lost in capture", account.lost)), "{said}");
    let (whole, damaged): (Vec<_>, Vec<_>) =
        captured.records.iter().partition(|record| record.capture.complete);
    ensure!(
        damaged.iter().any(|record| record.capture.lost_bytes > 0),
        "no span says that it lost bytes: {said}"
    );
    // Each connection has whole calls again after the stall.
    ensure!(whole.len() >= 4, "{} whole calls\n{said}", whole.len());
    Ok(())
}

#[test]
fn above_the_memory_ceiling_no_connection_is_taken_on_and_each_is_counted() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    // Less than wirespan takes by itself, so it is above from its start.
    let steady = Steady::start("/v1/chat/completions", 3, "limits:\n  memory: 1MiB\n")?;
    steady.go_on(12)?;
    let (captured, account, Moved { sent, received }) = steady.finish()?;
    let said = &captured.run.stderr;
    ensure!(captured.records.is_empty(), "{} calls\n{said}", captured.records.len());
    ensure!(
        account.captured == 0 && account.lost == sent + received,
        "{account:?}, {sent} + {received}\n{said}"
    );
    ensure!(said.contains("at a ceiling of `limits`"), "{said}");
    ensure!(said.contains("3 connections given up at a ceiling"), "{said}");
    ensure!(said.contains(&format!("{} bytes of them", sent + received)), "{said}");
    Ok(())
}

#[test]
fn above_the_cpu_ceiling_connections_are_given_up_and_below_it_they_are_taken_on_again() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let config = "limits:\n  cpu: 0.04\n  window: 1s\n";
    let mut steady = Steady::start("/gap=0/chunks=1000/v1/chat/completions", 4, config)?;
    steady
        .agent
        .wait_for("the ceiling", |_, stderr| stderr.contains("connections are given up until below"))?;
    steady.agent.wait_for("the end of that", |_, stderr| stderr.contains("connections are taken on"))?;
    let before = steady.agent.stdout()?.lines().count();
    steady
        .agent
        .wait_for("calls of the same connections", |stdout, _| stdout.lines().count() > before + 1)?;
    let (captured, account, Moved { sent, received }) = steady.finish()?;
    let said = &captured.run.stderr;
    ensure!(account.captured + account.lost == sent + received, "{account:?}, {sent} + {received}\n{said}");
    ensure!(said.contains("given up at a ceiling"), "{said}");
    // What was in flight on a connection that was given up says so.
    ensure!(captured.records.iter().any(|record| !record.capture.complete), "every call is whole\n{said}");
    Ok(())
}
