//! Calls without TLS, seen at the system calls on sockets.

use std::path::Path;
use std::process::Command;

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use wirespan_tests::capture::{Captured, Exec};
use wirespan_tests::programs::{Program, node_sdk, python_sdk};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, bodies, need, skip_if};

/// Captures what goes to and comes in on this port.
fn exec(port: u16, record: Option<&Path>) -> Exec {
    let arguments = ["--plain-http", "ports", "--plain-port", &port.to_string()].map(str::to_owned).to_vec();
    Exec { record: record.map(Path::to_owned), arguments, ..Exec::default() }
}

/// Captures the command, which must succeed, and compares facts and bodies with what the stand-in saw.
fn captured_whole(standin: &Standin, command: &Command) -> Result<Captured> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("capture.wspn");
    let captured = exec(standin.port(), Some(&file)).run(command)?;
    ensure!(captured.run.status.success(), "{:?}: {}", captured.run.status, captured.run.stderr);
    let seen = standin.seen();
    agree::all(&captured.records, &seen).with_context(|| captured.run.stderr.clone())?;
    bodies::equal(&file, &seen)?;
    for record in &captured.records {
        is_plain(record, "CLIENT")?;
        ensure!(
            record.attributes.get("network.peer.port").and_then(serde_json::Value::as_u64)
                == Some(u64::from(standin.port())),
            "{record:?}"
        );
    }
    Ok(captured)
}

fn is_plain(record: &Record, kind: &str) -> Result<()> {
    ensure!(record.capture.source == "socket" && record.kind == kind, "{record:?}");
    ensure!(record.capture.complete && record.capture.lost_bytes == 0, "{record:?}");
    Ok(())
}

#[test]
fn streams_and_wholes_of_the_sdks() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python, Program::Node])?);
    for mode in ["sync", "async"] {
        let standin = Standin::start_plain()?;
        captured_whole(&standin, &python_sdk(&standin, "chat", "", &["--calls", "5", "--mode", mode])?)?;
        let standin = Standin::start_plain()?;
        captured_whole(&standin, &python_sdk(&standin, "messages", "split", &["--stream", "--mode", mode])?)?;
    }
    let standin = Standin::start_plain()?;
    captured_whole(&standin, &node_sdk(&standin, "chat", "", &["--stream", "--calls", "3"])?).map(drop)
}
