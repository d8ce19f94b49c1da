//! Sessions over WebSocket, with and without compression: every response becomes one span with the right facts, and the captured messages are the
//! server's, byte for byte.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::agree;
use wirespan_tests::capture::Exec;
use wirespan_tests::programs::{self, Program};
use wirespan_tests::sockets::{self, SocketServer};
use wirespan_tests::standin::Standin;
use wirespan_tests::{need, skip_if};

const SESSIONS: usize = 5;
const TURNS: usize = 6;

/// Captures the client against a server of its own.
fn captured_whole(program: Program, script: &str, args: &[&str], extension: &str) -> Result<()> {
    let standin = Standin::start()?;
    let mut server = SocketServer::start(&standin)?;
    let mut command: Command = programs::command(program, &standin)?;
    command.arg(programs::script(script)).args(args).arg("--url").arg(server.url());
    command.args(["--sessions", &SESSIONS.to_string(), "--turns", &TURNS.to_string()]);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("capture.wspn");
    let captured = Exec { record: Some(file.clone()), ..Exec::default() }.run(&command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let seen = server.sessions()?;
    ensure!(seen.messages.len() == SESSIONS, "the server saw {} sessions", seen.messages.len());
    for agreed in &seen.extensions {
        let right = if extension.is_empty() { agreed.is_empty() } else { agreed.contains(extension) };
        ensure!(right, "{agreed:?} was agreed on");
    }
    sockets::equal(&file, &seen)?;
    ensure!(
        captured.records.len() == SESSIONS * TURNS && seen.facts.len() == SESSIONS * TURNS,
        "{} spans for {} responses\n{}",
        captured.records.len(),
        seen.facts.len(),
        captured.run.stderr
    );
    for facts in &seen.facts {
        let mut same =
            captured.records.iter().filter(|record| agree::text(record, "gen_ai.response.id") == facts.id);
        let record = same.next().with_context(|| format!("no span of {facts:?}"))?;
        ensure!(same.next().is_none(), "two spans of {facts:?}");
        agree::one(record, facts).with_context(|| format!("span of {facts:?}"))?;
        ensure!(record.start < record.end, "it took time");
    }
    let mut starts: Vec<_> = captured.records.iter().map(|record| &record.span_id).collect();
    starts.sort();
    starts.dedup();
    ensure!(starts.len() == SESSIONS * TURNS, "span ids repeat");
    Ok(())
}

fn python(api: &str, args: &[&str], extension: &str) -> Result<()> {
    let args = [&[api], args].concat();
    captured_whole(Program::Python, "websocket/client.py", &args, extension)
        .with_context(|| format!("python {args:?}"))
}

#[test]
fn python_without_compression() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("realtime", &["--compression", "none"], "")?;
    python("responses", &["--compression", "none"], "")
}

#[test]
fn python_with_compression() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("realtime", &[], "permessage-deflate")?;
    python("responses", &[], "permessage-deflate")
}

#[test]
fn python_with_compression_of_each_message_alone() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    python("realtime", &["--compression", "fresh"], "server_no_context_takeover")?;
    python("responses", &["--compression", "small"], "server_max_window_bits=9")
}

#[test]
fn python_openai_sdk() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    // It asks for no compression.
    python("realtime", &["--sdk"], "")
}

#[test]
fn node() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Node])?);
    for (compression, extension) in [("none", ""), ("takeover", "permessage-deflate")] {
        captured_whole(Program::Node, "websocket/client.mjs", &["--compression", compression], extension)
            .with_context(|| format!("node {compression}"))?;
    }
    Ok(())
}
