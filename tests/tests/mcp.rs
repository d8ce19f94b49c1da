//! The official MCP SDK, client and server in two processes over TLS: each request is a span of the one that began it and a span of the one
//! that answered, in every era of the protocol.

use std::collections::BTreeMap;
use std::process::Command;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::capture::Exec;
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::Standin;
use wirespan_tests::{need, skip_if};

/// Runs a session; gives the spans, and what the client says that it did.
fn session(mode: &str) -> Result<(Vec<Record>, Vec<Value>)> {
    let standin = Standin::start()?;
    let (certificate, key) = standin.identity();
    let folder = tempfile::tempdir()?;
    let told = folder.path().join("told.jsonl");
    let mut command = Command::new(programs::find(Program::Mcp)?);
    programs::with_node_modules(&mut command);
    command.arg(programs::script("mcp_session.py")).arg(mode);
    for (name, file) in [
        ("--certificate", &certificate),
        ("--key", &key),
        ("--authority", &standin.authority()),
        ("--told", &told),
    ] {
        command.arg(name).arg(file);
    }
    let captured = Exec { content: true, ..Exec::default() }.run(&command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let told = std::fs::read_to_string(&told)?;
    let told = told.lines().map(|line| serde_json::from_str(line).context("what the client told"));
    Ok((captured.records, told.collect::<Result<_>>()?))
}

fn text<'a>(record: &'a Record, key: &str) -> Option<&'a str> {
    record.attributes.get(key).and_then(Value::as_str)
}

fn compare(mode: &str) -> Result<()> {
    let (records, told) = session(mode)?;
    let mut expected = BTreeMap::<(&str, &str), usize>::new();
    for name in told.iter().filter_map(|fact| fact["name"].as_str()) {
        for kind in ["CLIENT", "SERVER"] {
            *expected.entry((name, kind)).or_default() += 1;
        }
    }
    let mut found = BTreeMap::<(&str, &str), usize>::new();
    for record in &records {
        *found.entry((&record.name, &record.kind)).or_default() += 1;
    }
    ensure!(found == expected, "{mode}: found {found:?}\nexpected {expected:?}");
    for fact in &told {
        let name = fact["name"].as_str().unwrap_or_default();
        for record in records.iter().filter(|record| record.name == name) {
            let place = format!("{mode} {name} {}", record.kind);
            ensure!(record.capture.complete, "{place}: {:?}", record.capture);
            ensure!(text(record, "error.type") == fact["error"].as_str(), "{place}: {:?}", record.attributes);
            ensure!(text(record, "network.protocol.name") == Some("http"), "{place}");
            let operation = name.starts_with("tools/call").then_some("execute_tool");
            ensure!(text(record, "gen_ai.operation.name") == operation, "{place}");
            if let Some(said) = fact["said"].as_str() {
                let result = record.attributes.get("gen_ai.tool.call.result");
                let found = result.and_then(|result| result.pointer("/content/0/text")?.as_str());
                ensure!(found == Some(said), "{place}: {result:?}");
            }
            if let Some(tools) = fact.get("tools") {
                ensure!(record.attributes.get("wirespan.mcp.tools") == Some(tools), "{place}");
            }
        }
    }
    let version = if mode == "modern" { "2026-07-28" } else { "2025-" };
    let versions = records.iter().filter_map(|record| text(record, "mcp.protocol.version"));
    for found in versions {
        ensure!(found.starts_with(version), "{mode}: protocol version {found}");
    }
    Ok(())
}

#[test]
fn every_request_of_the_new_era() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Mcp])?);
    compare("modern")
}

#[test]
fn every_request_of_a_session_and_the_servers_question() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Mcp])?);
    compare("legacy")
}

#[test]
fn answers_on_a_standing_stream() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Mcp])?);
    compare("sse")
}
