//! `plain.py`: a server and its clients in one tree of processes.

use std::net::TcpListener;
use std::process::Command;

use agent_genai::Record;
use anyhow::{Context, Result};
use serde_json::Value;

use crate::programs::{self, Program};

/// A port that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("a free port")?;
    Ok(listener.local_addr()?.port())
}

/// The command, on this port.
///
/// # Errors
/// When Python is not installed for the tests.
pub fn command(port: u16, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(programs::find(Program::Python)?);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(programs::script("plain.py"));
    command.arg("--port").arg(port.to_string()).args(arguments);
    Ok(command)
}

/// Spans of one kind.
#[must_use]
pub fn of_kind<'a>(records: &'a [Record], kind: &str) -> Vec<&'a Record> {
    records.iter().filter(|record| record.kind == kind).collect()
}

/// Address and port of the peer that a span names.
#[must_use]
pub fn peer(record: &Record) -> Option<(&str, u64)> {
    let address = record.attributes.get("network.peer.address").and_then(Value::as_str)?;
    Some((address, record.attributes.get("network.peer.port").and_then(Value::as_u64)?))
}
