//! Go's crypto/tls in real programs, whole and stripped: net/http over HTTP/1.1 and HTTP/2, as the client and as the server.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use wirespan_tests::capture::{self, Exec};
use wirespan_tests::process::{self, Running};
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::{Seen, Standin};
use wirespan_tests::{agree, bodies, need, skip_if};

/// The client that the matrix runs.
const PROGRAMS: [Program; 2] = [Program::GoClient, Program::GoStripped];
/// HTTP/1.1, HTTP/2.
const PROTOCOLS: [u8; 2] = [1, 2];

/// Calls of the client.
struct Calls {
    protocol: u8,
    calls: usize,
    concurrent: usize,
    size: usize,
    wishes: &'static str,
}

impl Calls {
    fn server(&self) -> Result<Standin> {
        if self.protocol == 2 { Standin::start_http2() } else { Standin::start() }
    }

    fn command(&self, program: Program, standin: &Standin) -> Result<Command> {
        let url = format!("{}/v1/chat/completions", standin.url(self.wishes));
        let mut command = programs::command(program, standin)?;
        command.args([self.protocol.to_string(), url, self.calls.to_string()]);
        command.args([self.concurrent.to_string(), self.size.to_string()]);
        Ok(command)
    }

    /// Captured from the start: every call is there, with its facts and its bodies to the last byte.
    fn are_captured(&self, program: Program, deep: bool) -> Result<()> {
        let standin = self.server()?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("capture");
        let exec = Exec { record: Some(file.clone()), ..Exec::default() };
        let mut command = self.command(program, &standin)?;
        if deep {
            command.env("WIRESPAN_DEEP", "1");
        }
        let captured = exec.run(&command)?;
        ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
        let seen = standin.seen();
        ensure!(seen.len() == self.calls, "the server saw {} of {} calls", seen.len(), self.calls);
        agree::all(&captured.records, &seen).context(captured.run.stderr)?;
        bodies::equal(&file, &seen)
    }
}

fn named(program: Program, calls: &Calls) -> String {
    format!("{program:?}, HTTP/{}, {:?}", calls.protocol, calls.wishes)
}

#[test]
fn two_hundred_calls_of_fifty_goroutines() -> Result<()> {
    skip_if!(need::kernel_and(&PROGRAMS)?);
    for program in PROGRAMS {
        for protocol in PROTOCOLS {
            let calls = Calls { protocol, calls: 200, concurrent: 50, size: 500, wishes: "" };
            calls.are_captured(program, false).with_context(|| named(program, &calls))?;
        }
    }
    Ok(())
}

#[test]
fn streams_and_answers_in_pieces() -> Result<()> {
    skip_if!(need::kernel_and(&PROGRAMS)?);
    for protocol in PROTOCOLS {
        for wishes in ["gap=5/chunks=40", "piece=100", "split", "gzip"] {
            let calls = Calls { protocol, calls: 6, concurrent: 3, size: 20_000, wishes };
            calls.are_captured(Program::GoStripped, false).with_context(|| named(PROGRAMS[1], &calls))?;
        }
    }
    Ok(())
}

#[test]
fn eight_megabytes_each_way() -> Result<()> {
    skip_if!(need::kernel_and(&PROGRAMS)?);
    for protocol in PROTOCOLS {
        let calls = Calls { protocol, calls: 2, concurrent: 1, size: 8 << 20, wishes: "size=8388608" };
        calls.are_captured(Program::GoStripped, false).with_context(|| named(PROGRAMS[1], &calls))?;
    }
    Ok(())
}

/// The stack that a read began on is copied to another place, and grows, before it returns.
#[test]
fn stacks_that_grow_during_a_call() -> Result<()> {
    skip_if!(need::kernel_and(&PROGRAMS)?);
    for protocol in PROTOCOLS {
        let calls = Calls { protocol, calls: 60, concurrent: 20, size: 3_000, wishes: "piece=500" };
        calls.are_captured(Program::GoStripped, true).with_context(|| named(PROGRAMS[1], &calls))?;
    }
    Ok(())
}

fn id(record: &Record) -> &str {
    agree::text(record, "gen_ai.response.id")
}

/// Attached to while it makes calls on a connection that is open already: what follows is captured.
#[test]
fn joined_in_the_middle() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Go])?);
    const CALLS: usize = 50;
    let standin = Standin::start_http2()?;
    let folder = tempfile::tempdir()?;
    let go_on = folder.path().join("go-on");
    let mut command = Command::new(programs::find(Program::Go)?);
    command.arg("call").arg(standin.url("")).arg(standin.authority()).arg(CALLS.to_string()).arg(&go_on);
    let mut client = process::start(&mut command)?;
    client.wait_for("its first calls", |stdout, _| stdout.contains("call 3"))?;
    let mut tail = Command::new(need::wirespan()?);
    tail.args(["tail", "-o", "jsonl", "--pid", &client.pid().to_string()]);
    let mut tail = process::start(&mut tail)?;
    tail.wait_for("a captured call", |stdout, _| stdout.contains('\n'))?;
    std::fs::write(&go_on, "")?;
    client.wait()?.succeeded()?;
    // The process is gone, so it ends by itself; else it is told to.
    drop(tail.signal("INT"));
    let mut records = capture::captured(tail.wait()?)?.records;
    // The call that was under way at the attach is not whole, or has no answer: the read that was waiting for it is not seen.
    let all = records.len();
    records.retain(|record| !record.capture.attached_mid_stream && record.capture.complete);
    ensure!(all - records.len() <= 1, "{} calls are not whole", all - records.len());
    let captured: BTreeSet<&str> = records.iter().map(id).collect();
    let is_captured =
        |seen: &Seen| seen.facts.as_ref().is_some_and(|facts| captured.contains(facts.id.as_str()));
    let seen = standin.seen();
    let missed = seen.iter().rev().take(CALLS).filter(|seen| !is_captured(seen)).count();
    ensure!(missed == 0, "{missed} of the last {CALLS} calls are missing");
    agree::all(&records, &seen.into_iter().filter(is_captured).collect::<Vec<_>>())
}

/// The port that a server of `http2.go` says.
fn port(server: &mut Running) -> Result<u16> {
    let port_of = |text: &str| text.lines().find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok());
    server.wait_for("its port", |stdout, stderr| port_of(stdout).or_else(|| port_of(stderr)).is_some())?;
    port_of(&server.stdout()?).or(port_of(&server.stderr()?)).context("a port")
}

/// A Go program that serves is seen from its own side, while one that calls it is not captured.
#[test]
fn a_server() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Go])?);
    const CALLS: usize = 50;
    let standin = Standin::start()?;
    let (certificate, key): (_, _) = standin.identity();
    let go = programs::find(Program::Go)?;
    let mut command = Command::new(&go);
    command.arg("serve").arg::<&Path>(certificate.as_ref()).arg::<&Path>(key.as_ref());
    let mut server = process::start(&mut Exec::default().command(&command)?)?;
    let port = port(&mut server)?;
    let mut client = Command::new(&go);
    client
        .arg("call")
        .arg(format!("https://localhost:{port}"))
        .arg(standin.authority())
        .arg(CALLS.to_string());
    process::run(&mut client)?.succeeded()?;
    server.signal("INT")?;
    let run = server.wait()?;
    let lines: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with('{')).collect();
    let records = capture::records(&lines.join("\n"))?;
    let ids: BTreeSet<&str> = records.iter().map(id).collect();
    ensure!(ids.len() == CALLS && records.len() == CALLS, "{} records\n{}", records.len(), run.stderr);
    for record in &records {
        ensure!(record.kind == "SERVER" && id(record).starts_with("chatcmpl-go-"), "{record:?}");
        ensure!(record.capture.complete, "{:?}", record.capture);
        let tokens = record.attributes.get("gen_ai.usage.output_tokens");
        ensure!(tokens == Some(&json!(7)), "{tokens:?}");
    }
    Ok(())
}
