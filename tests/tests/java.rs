//! Java's own TLS (JSSE), through the agent that wirespan loads into a virtual machine when it is asked to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use wirespan_tests::capture::{self, Exec};
use wirespan_tests::daemon::Daemon;
use wirespan_tests::process;
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, need, skip_if};

const CALLS: usize = 12;

/// Why it cannot be tested here. A JDK is no part of the set-up: it is tested where there is one.
fn obstacle() -> Result<Option<String>> {
    if let Some(reason) = need::kernel()? {
        return Ok(Some(reason));
    }
    Ok(programs::find(Program::Jdk).err().map(|error| format!("{error:#}")))
}

/// Every virtual machine that can run here.
fn machines() -> Result<Vec<PathBuf>> {
    let mut machines = vec![std::fs::canonicalize(programs::find(Program::Jdk)?)?];
    for entry in std::fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten() {
        let Ok(java) = std::fs::canonicalize(entry.path().join("bin/java")) else { continue };
        // One that can compile its own program.
        if java.with_file_name("javac").exists() && !machines.contains(&java) {
            machines.push(java);
        }
    }
    Ok(machines)
}

fn client(java: &Path, standin: &Standin, kind: &str, wait: Option<&Path>) -> Command {
    let mut command = Command::new(java);
    programs::trusting(&mut command, standin);
    command.arg("-Xmx256m").arg(programs::script("java/Https.java")).arg(kind);
    command.arg(format!("{}/v1/chat/completions", standin.url(""))).arg(CALLS.to_string()).args(wait);
    command
}

/// From the start, by `exec`.
fn from_the_start(kind: &str) -> Result<()> {
    skip_if!(obstacle()?);
    for java in machines()? {
        let standin = Standin::start()?;
        let exec = Exec { java: true, ..Exec::default() };
        let captured = exec.run(&client(&java, &standin, kind, None))?;
        ensure!(captured.run.status.success(), "{}: {}", java.display(), captured.run.stderr);
        let seen = standin.seen();
        ensure!(seen.len() == CALLS, "the server saw {} calls of {}", seen.len(), java.display());
        agree::all(&captured.records, &seen)?;
    }
    Ok(())
}

#[test]
fn engine_http1() -> Result<()> {
    from_the_start("http1")
}

#[test]
fn engine_http2() -> Result<()> {
    from_the_start("http2")
}

#[test]
fn socket() -> Result<()> {
    from_the_start("connection")
}

#[test]
fn a_running_machine_gets_the_agent() -> Result<()> {
    skip_if!(obstacle()?);
    for java in machines()? {
        let standin = Standin::start()?;
        let folder = tempfile::tempdir()?;
        let go = folder.path().join("go");
        let mut client = process::start(&mut client(&java, &standin, "http1", Some(&go)))?;
        client.wait_for("its start", |stdout, _| stdout.contains("waiting"))?;
        let mut tail = Command::new(need::wirespan()?);
        tail.args(["tail", "-o", "jsonl", "--java", "--pid", &client.pid().to_string()])
            .env("WIRESPAN_LOG", "info");
        let mut tail = process::start(&mut tail)?;
        tail.wait_for("the agent", |_, stderr| stderr.contains("was loaded into a Java process"))?;
        std::fs::write(&go, "")?;
        client.wait_for("the end", |stdout, _| stdout.contains("ok "))?;
        tail.wait_for("every call", |stdout, _| stdout.lines().count() >= CALLS)?;
        drop(tail.signal("INT"));
        let captured = capture::captured(tail.wait()?)?;
        agree::all(&captured.records, &standin.seen())?;
    }
    Ok(())
}

/// Waits until it holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + process::PATIENCE;
    while !holds()? {
        ensure!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The daemon has given up its rights and forbidden itself most system calls by then.
#[test]
fn the_daemon_loads_it_into_what_comes_later() -> Result<()> {
    skip_if!(obstacle()?);
    let java = programs::find(Program::Jdk)?.canonicalize()?;
    let mut daemon = Daemon::start(&format!(
        "capture:\n  java: true\n  scope:\n    executables: [\"{}\"]\n",
        java.display()
    ))?;
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let go = folder.path().join("go");
    let mut client = process::start(&mut client(&java, &standin, "http1", Some(&go)))?;
    client.wait_for("its start", |stdout, _| stdout.contains("waiting"))?;
    wait_until("the agent", || Ok(daemon.process.stderr()?.contains("was loaded into a Java process")))?;
    std::fs::write(&go, "")?;
    client.wait_for("the end", |stdout, _| stdout.contains("ok "))?;
    wait_until("every call", || {
        let status = process::run(daemon.ask("status")?.arg("--json"))?.succeeded()?.stdout;
        let status: Value = serde_json::from_str(&status)?;
        Ok(status.pointer("/engine/calls").and_then(Value::as_u64) == Some(CALLS as u64))
    })
}

#[test]
fn without_being_asked_nothing_is_loaded() -> Result<()> {
    skip_if!(obstacle()?);
    let standin = Standin::start()?;
    let java = programs::find(Program::Jdk)?;
    let captured = Exec::default().run(&client(&java, &standin, "http1", None))?;
    ensure!(captured.run.status.success(), "{}", captured.run.stderr);
    ensure!(
        captured.records.is_empty() && !captured.run.stderr.contains("JAVA_TOOL_OPTIONS"),
        "{}",
        captured.run.stderr
    );
    Ok(())
}
