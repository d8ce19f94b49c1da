//! What a backend made of our spans, as `clients/backends/read.py` reads it back.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::server::Kind;
use crate::{process, programs};

/// A span as the backend has it; what it does not know is absent.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) span: String,
    pub(super) name: String,
    pub(super) kind: Option<String>,
    pub(super) status: String,
    pub(super) status_message: String,
    /// Unix time in nanoseconds.
    pub(super) start: u64,
    /// Unix time in nanoseconds.
    pub(super) end: u64,
    pub(super) model: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) cached_tokens: Option<u64>,
    /// In the backend's own columns and sums.
    pub(super) shown_input_tokens: Option<u64>,
    /// In the backend's own columns and sums.
    pub(super) shown_output_tokens: Option<u64>,
    /// US dollars, by the backend's own prices.
    pub(super) cost: Option<f64>,
    pub(super) system: Option<Value>,
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) tools: Value,
}

#[derive(Deserialize)]
struct Head {
    version: String,
}

/// The backend's version, and its spans of these traces.
pub(super) fn read(kind: Kind, python: &Path, base: &str, traces: &[&str]) -> Result<(String, Vec<Span>)> {
    let mut command = Command::new(python);
    command.arg(programs::script("backends/read.py")).args([kind.name(), base]).args(traces);
    let run = process::run(&mut command)?.succeeded().context("reading back")?;
    let mut lines = run.stdout.lines();
    let head: Head = serde_json::from_str(lines.next().context("the reader said nothing")?)?;
    let spans = lines.map(|line| serde_json::from_str(line).with_context(|| format!("not a span: {line}")));
    Ok((head.version, spans.collect::<Result<_>>()?))
}
