//! What the reference instrumentation recorded: the lines that `clients/reference/run.py` writes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// One run.
#[derive(Debug)]
pub(crate) struct Reference {
    /// Python packages that matter, by name.
    pub(crate) versions: BTreeMap<String, String>,
    /// In the order in which they were made.
    pub(crate) calls: Vec<Call>,
}

/// One call and its spans: one, or none where the reference does not see the call.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) call: String,
    pub(crate) spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) status: Status,
    pub(crate) attributes: BTreeMap<String, Value>,
    pub(crate) events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) name: String,
}

#[derive(Deserialize)]
struct Head {
    versions: BTreeMap<String, String>,
}

impl Reference {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next().context("the reference wrote nothing")?)?;
        let calls =
            lines.map(|line| serde_json::from_str(line).with_context(|| format!("not a call: {line}")));
        Ok(Self { versions: head.versions, calls: calls.collect::<Result<_>>()? })
    }
}
