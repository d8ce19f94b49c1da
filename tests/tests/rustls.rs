//! rustls in real programs: reqwest over each cryptography provider, from the first byte and joined in the middle.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use wirespan_tests::capture::{self, Exec};
use wirespan_tests::process;
use wirespan_tests::programs::{self, Program, Rust};
use wirespan_tests::standin::{Seen, Standin};
use wirespan_tests::{agree, bodies, need, skip_if};

/// Calls at the same time: over HTTP/1.1 on as many connections, over HTTP/2 on one.
const MANY: usize = 64;

fn client(
    program: Program,
    standin: &Standin,
    wishes: &str,
    calls: usize,
    options: &[&str],
) -> Result<Command> {
    let mut command = programs::command(program, standin)?;
    command.arg(standin.url(wishes)).arg(standin.authority()).arg(calls.to_string()).args(options);
    Ok(command)
}

/// Captured from its start: every call with its facts, and over HTTP/1.1 every body byte for byte.
fn captured_whole(standin: &Standin, command: &Command, calls: usize, http1: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("capture");
    let exec = Exec { record: Some(file.clone()), ..Exec::default() };
    let captured = exec.run(command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let seen = standin.seen();
    ensure!(seen.len() == calls, "the server saw {} of {calls} calls", seen.len());
    agree::all(&captured.records, &seen).with_context(|| captured.run.stderr.clone())?;
    if http1 { bodies::equal(&file, &seen) } else { Ok(()) }
}

/// Many at the same time, then a body of 8 MB each way.
fn both_protocols(program: Program) -> Result<()> {
    let standin = Standin::start()?;
    let rounds = client(program, &standin, "", MANY, &["http1", "rounds=2"])?;
    captured_whole(&standin, &rounds, 2 * MANY, true).context("HTTP/1.1")?;
    let standin = Standin::start_http2()?;
    let rounds = client(program, &standin, "", MANY, &["http2", "rounds=2"])?;
    captured_whole(&standin, &rounds, 2 * MANY, false).context("HTTP/2")?;
    let standin = Standin::start()?;
    let large = client(program, &standin, "size=8000000", 2, &["http1", "size=8000000"])?;
    captured_whole(&standin, &large, 2, true).context("8 MB over HTTP/1.1")?;
    let standin = Standin::start_http2()?;
    let large = client(program, &standin, "size=8000000", 2, &["http2", "size=8000000"])?;
    captured_whole(&standin, &large, 2, false).context("8 MB over HTTP/2")
}

/// Attached to while it makes calls, on connections that are open already.
fn joined_in_the_middle(program: Program, standin: &Standin, protocol: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let go = folder.path().join("go");
    let wait = format!("wait={}", go.display());
    let mut client = process::start(&mut client(program, standin, "", MANY, &[protocol, &wait])?)?;
    client.wait_for("its first calls", |stdout, _| stdout.contains("call 3"))?;
    let records = tail_until(client.pid(), &go, MANY)?;
    client.wait()?.succeeded()?;
    let captured: BTreeSet<&str> =
        records.iter().map(|record| agree::text(record, "gen_ai.response.id")).collect();
    let is_captured =
        |seen: &Seen| seen.facts.as_ref().is_some_and(|facts| captured.contains(facts.id.as_str()));
    let seen = standin.seen();
    let missed = seen.iter().rev().take(MANY).filter(|seen| !is_captured(seen)).count();
    ensure!(missed == 0, "{missed} of the last {MANY} calls are missing");
    let seen: Vec<Seen> = seen.into_iter().filter(is_captured).collect();
    agree::all(&records, &seen)
}

/// The whole calls of a process, from some time before `go` is made until so many came after it.
fn tail_until(pid: u32, go: &Path, calls: usize) -> Result<Vec<Record>> {
    let mut tail = Command::new(need::wirespan()?);
    tail.args(["tail", "-o", "jsonl", "--pid", &pid.to_string()]);
    let mut tail = process::start(&mut tail)?;
    tail.wait_for("a captured call", |stdout, _| stdout.contains('\n'))?;
    std::fs::write(go, "")?;
    tail.wait_for("every call", |stdout, _| stdout.lines().count() > calls)?;
    drop(tail.signal("INT"));
    let mut records = capture::captured(tail.wait()?)?.records;
    // The call that was under way at the attach is not whole, and says so: as one record, or as one for each half.
    let before = records.len();
    records.retain(|record| record.capture.complete);
    ensure!(before - records.len() <= 2, "{} records are not whole", before - records.len());
    Ok(records)
}

#[test]
fn rustls_over_ring() -> Result<()> {
    let program = Program::Rust(Rust::Ring);
    skip_if!(need::kernel_and(&[program])?);
    both_protocols(program)
}

#[test]
fn rustls_over_ring_joined_in_the_middle() -> Result<()> {
    let program = Program::Rust(Rust::Ring);
    skip_if!(need::kernel_and(&[program])?);
    joined_in_the_middle(program, &Standin::start()?, "http1").context("HTTP/1.1")?;
    joined_in_the_middle(program, &Standin::start_http2()?, "http2").context("HTTP/2")
}

#[test]
fn stripped_rustls_over_ring() -> Result<()> {
    let program = Program::StrippedRust(Rust::Ring);
    skip_if!(need::kernel_and(&[program])?);
    both_protocols(program)?;
    joined_in_the_middle(program, &Standin::start_http2()?, "http2").context("joined")
}

#[test]
fn stripped_rustls_over_aws_lc() -> Result<()> {
    let program = Program::StrippedRust(Rust::AwsLc);
    skip_if!(need::kernel_and_extra(&[program])?);
    both_protocols(program)?;
    joined_in_the_middle(program, &Standin::start()?, "http1").context("joined")
}

#[test]
fn fetch_of_deno() -> Result<()> {
    skip_if!(need::kernel_and_extra(&[Program::Deno])?);
    for (standin, http1) in [(Standin::start()?, true), (Standin::start_http2()?, false)] {
        let mut deno = programs::command(Program::Deno, &standin)?;
        deno.args(["run", "--quiet", "-A", "--cert"]).arg(standin.authority());
        deno.arg(programs::script("matrix/client.mjs")).arg("fetch");
        deno.arg(format!("{}/v1/chat/completions", standin.url("")));
        deno.args([MANY.to_string(), MANY.to_string(), "20000".to_owned()]);
        captured_whole(&standin, &deno, MANY, http1).with_context(|| format!("HTTP/1.1: {http1}"))?;
    }
    Ok(())
}

#[test]
fn rustls_over_aws_lc() -> Result<()> {
    let program = Program::Rust(Rust::AwsLc);
    skip_if!(need::kernel_and_extra(&[program])?);
    both_protocols(program)
}

#[test]
fn openssl_under_native_tls() -> Result<()> {
    let program = Program::Rust(Rust::Native);
    skip_if!(need::kernel_and_extra(&[program])?);
    both_protocols(program)
}
