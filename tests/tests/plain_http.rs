//! Calls without TLS, seen at the system calls on sockets.

use std::path::Path;
use std::process::Command;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use wirespan_tests::capture::{Captured, Exec, records};
use wirespan_tests::plain::{self, of_kind, peer};
use wirespan_tests::programs::{Program, node_sdk, python_sdk};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, bodies, need, process, skip_if};

/// Arguments that make wirespan look at this port.
fn on_port(port: u16) -> Vec<String> {
    ["--plain-http", "ports", "--plain-port", &port.to_string()].map(str::to_owned).to_vec()
}

/// Captures the command, which must succeed, and compares facts and bodies with what the stand-in saw.
fn captured_whole(standin: &Standin, command: &Command, arguments: Vec<String>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("capture.wspn");
    let captured = Exec { record: Some(file.clone()), arguments, ..Exec::default() }.run(command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let seen = standin.seen();
    agree::all(&captured.records, &seen).with_context(|| captured.run.stderr.clone())?;
    bodies::equal(&file, &seen)?;
    for record in &captured.records {
        is_whole(record)?;
        ensure!(record.kind == "CLIENT", "{record:?}");
        ensure!(peer(record).is_some_and(|(_, port)| port == u64::from(standin.port())), "{record:?}");
    }
    Ok(())
}

fn is_whole(record: &Record) -> Result<()> {
    ensure!(record.capture.source == "socket", "{record:?}");
    ensure!(record.capture.complete && record.capture.lost_bytes == 0, "{record:?}");
    Ok(())
}

/// Runs `plain.py` on a port that is looked at, all of whose calls must be whole.
fn run_plain(arguments: &[&str]) -> Result<Captured> {
    let port = plain::free_port()?;
    let captured =
        Exec { arguments: on_port(port), ..Exec::default() }.run(&plain::command(port, arguments)?)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    captured.records.iter().try_for_each(is_whole).with_context(|| captured.run.stderr.clone())?;
    Ok(captured)
}

#[test]
fn streams_and_wholes_of_the_sdks() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python, Program::Node])?);
    let standin = Standin::start_plain()?;
    let command = python_sdk(&standin, "chat", "", &["--calls", "5"])?;
    captured_whole(&standin, &command, on_port(standin.port()))?;
    let standin = Standin::start_plain()?;
    let command = python_sdk(&standin, "messages", "split", &["--stream", "--mode", "async"])?;
    captured_whole(&standin, &command, on_port(standin.port()))?;
    let standin = Standin::start_plain()?;
    let command = node_sdk(&standin, "chat", "", &["--stream", "--calls", "3"])?;
    captured_whole(&standin, &command, on_port(standin.port()))
}

#[test]
fn sixty_four_at_a_time_and_eight_megabytes() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start_plain()?;
    let many = ["--mode", "async", "--calls", "128", "--concurrency", "64", "--stream"];
    captured_whole(&standin, &python_sdk(&standin, "chat", "", &many)?, on_port(standin.port()))?;
    let standin = Standin::start_plain()?;
    let command = python_sdk(&standin, "chat", "", &["--prompt-bytes", "8000000"])?;
    captured_whole(&standin, &command, on_port(standin.port()))
}

#[test]
fn ports_are_learned() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start_plain()?;
    let command = python_sdk(&standin, "chat", "", &["--calls", "3"])?;
    captured_whole(&standin, &command, ["--plain-http", "learn"].map(str::to_owned).to_vec())
}

#[test]
fn both_ends_with_workers_that_inherit_the_listener() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let captured = run_plain(&["--workers", "3", "--connections", "6", "--requests", "3", "--stream"])?;
    let (clients, servers) = (of_kind(&captured.records, "CLIENT"), of_kind(&captured.records, "SERVER"));
    ensure!(clients.len() == 18 && servers.len() == 18, "{} and {}", clients.len(), servers.len());
    ensure!(servers.iter().all(|record| peer(record).is_some_and(|(address, _)| address == "127.0.0.1")));
    ensure!(captured.records.iter().all(|record| {
        record.attributes.get("gen_ai.usage.output_tokens").and_then(serde_json::Value::as_u64) == Some(4)
    }));
    Ok(())
}

#[test]
fn what_is_only_peeked_at_is_not_counted_and_descriptors_are_reused() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let captured = run_plain(&["--connections", "5", "--requests", "2", "--peek", "--ring"])?;
    let clients = of_kind(&captured.records, "CLIENT");
    ensure!(clients.len() == 10, "{}", clients.len());
    let sizes: Vec<u64> = clients.iter().map(|record| record.capture.response_bytes).collect();
    ensure!(sizes.iter().all(|size| Some(size) == sizes.first()), "{sizes:?}");
    // It also sets up io_uring, which is said.
    ensure!(captured.run.stderr.contains("1 process with io_uring"), "{}", captured.run.stderr);
    Ok(())
}

#[test]
fn tls_on_a_port_that_is_looked_at_is_captured_once() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start()?;
    let command = python_sdk(&standin, "chat", "", &["--calls", "4"])?;
    let captured = Exec { arguments: on_port(standin.port()), ..Exec::default() }.run(&command)?;
    agree::all(&captured.records, &standin.seen()).with_context(|| captured.run.stderr.clone())?;
    ensure!(captured.records.iter().all(|record| record.capture.source == "uprobe"));
    Ok(())
}

#[test]
fn connections_that_were_open_before() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let port = plain::free_port()?;
    let folder = tempfile::tempdir()?;
    let go = folder.path().join("go");
    let path = go.to_str().context("a path that is text")?;
    let mut client = process::start(&mut plain::command(port, &["--requests", "4", "--wait", path])?)?;
    client.wait_for("its first call", |stdout, _| stdout.contains("ready"))?;
    let mut command = Command::new(need::wirespan()?);
    command.args(["tail", "-o", "jsonl", "--pid", &client.pid().to_string()]).args(on_port(port));
    let mut agent = process::start(&mut command)?;
    agent.wait_for("captured calls", |stdout, _| stdout.lines().count() >= 20)?;
    touch(&go)?;
    client.wait()?.succeeded()?;
    agent.signal("INT")?;
    let run = agent.wait()?;
    let records = records(&run.stdout)?;
    let whole = |kind| of_kind(&records, kind).iter().filter(|record| record.capture.complete).count();
    // The first may have begun before the attach.
    ensure!(whole("CLIENT") >= 9 && whole("SERVER") >= 9, "{records:?}");
    ensure!(records.iter().filter(|record| !record.capture.complete).count() <= 2, "{records:?}");
    for record in of_kind(&records, "CLIENT") {
        ensure!(peer(record) == Some(("127.0.0.1", u64::from(port))), "{record:?}");
    }
    Ok(())
}

fn touch(path: &Path) -> Result<()> {
    std::fs::write(path, "").context("the file that is waited for")
}
