//! The daemon and its socket: `run`, `tail`, `show`, `status`.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::capture::records;
use wirespan_tests::daemon::Daemon;
use wirespan_tests::programs::{Program, find, python_sdk};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, need, process, skip_if};

/// Held by tests that run Python: the daemon of one must not see the programs of another.
static ALONE: Mutex<()> = Mutex::new(());

/// Scope: nothing but the Python of the tests, by its executable.
fn config() -> Result<String> {
    let python = find(Program::Python)?.canonicalize()?;
    Ok(format!("capture:\n  scope:\n    executables: [\"{}\"]\n", python.display()))
}

#[test]
fn run_captures_and_tail_and_show_ask_it() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let daemon = Daemon::start(&config()?)?;
    let mut tail = process::start(daemon.ask("tail")?.args(["-o", "jsonl"]))?;
    let standin = Standin::start()?;
    process::run(&mut python_sdk(
        &standin,
        "messages",
        "",
        &["--stream", "--calls", "20", "--concurrency", "4"],
    )?)?
    .succeeded()?;
    tail.wait_for("twenty calls", |stdout, _| stdout.lines().count() >= 20)?;
    tail.signal("INT")?;
    let tailed = tail.wait()?;
    let calls = records(&tailed.stdout)?;
    agree::all(&calls, &standin.seen())?;

    // Whole, by the beginning of its id, as text and as JSON.
    let call = calls.first().context("no call")?;
    let shown = process::run(daemon.ask("show")?.arg(&call.span_id))?.succeeded()?.stdout;
    for part in ["chat claude-haiku-4-5", call.trace_id.as_str(), "input", "output"] {
        ensure!(shown.contains(part), "`{part}` is missing:\n{shown}");
    }
    let json = process::run(daemon.ask("show")?.args([&call.span_id, "-o", "json"]))?.succeeded()?.stdout;
    ensure!(serde_json::from_str::<agent_genai::Record>(&json)? == *call, "{json}");
    let unknown = process::run(daemon.ask("show")?.arg("ffffffffffffffff"))?;
    ensure!(!unknown.status.success() && unknown.stderr.contains("ffffffffffffffff"), "{}", unknown.stderr);

    let status = process::run(daemon.ask("status")?.arg("--json"))?.succeeded()?.stdout;
    let status: Value = serde_json::from_str(&status)?;
    ensure!(status.pointer("/engine/calls").and_then(Value::as_u64) == Some(20), "{status}");

    // It ends when told to, and takes its socket along.
    let socket = daemon.socket();
    daemon.process.signal("TERM")?;
    let Daemon { process, .. } = daemon;
    let ended = process.wait()?.succeeded()?;
    ensure!(!socket.exists(), "the socket is still there\n{}", ended.stderr);
    Ok(())
}

#[test]
fn the_table_names_model_tokens_cost_and_finish() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let standin = Standin::start()?;
    let command = python_sdk(&standin, "chat", "", &["--calls", "3"])?;
    let mut exec = std::process::Command::new(need::wirespan()?);
    exec.args(["exec", "--"]).arg(command.get_program()).args(command.get_args());
    exec.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = process::run(&mut exec)?.succeeded()?;
    let rows = run.stdout.lines().filter(|line| line.contains("gpt-4o-mini")).count();
    ensure!(rows == 3, "{rows} rows:\n{}", run.stdout);
    for seen in standin.seen() {
        let facts = seen.facts.context("no call")?;
        let tokens = facts.output.context("no tokens")?.to_string();
        ensure!(run.stdout.contains(&tokens), "{tokens} output tokens are missing:\n{}", run.stdout);
    }
    ensure!(run.stdout.contains("stop") && run.stdout.contains('$'), "{}", run.stdout);
    ensure!(!run.stdout.contains('\u{1b}'), "colours on what is no terminal");
    Ok(())
}

#[test]
fn exec_ends_with_the_status_of_its_command() -> Result<()> {
    skip_if!(need::kernel()?);
    let run = |script: &str| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]);
        wirespan_tests::capture::Exec::default().run(&command)
    };
    let failed = run("echo on stdout; echo on stderr >&2; exit 7")?;
    ensure!(failed.run.status.code() == Some(7), "{:?}", failed.run.status);
    ensure!(failed.run.stdout.is_empty(), "stdout is for records: {}", failed.run.stdout);
    ensure!(
        failed.run.stderr.contains("on stdout") && failed.run.stderr.contains("on stderr"),
        "{}",
        failed.run.stderr
    );
    let killed = run("kill -TERM $$")?;
    ensure!(killed.run.status.code() == Some(143), "{:?}", killed.run.status);
    Ok(())
}
