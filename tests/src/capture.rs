//! Runs programs under `wirespan exec` and gives back what it printed.

use std::path::{Path, PathBuf};
use std::process::Command;

use agent_genai::Record;
use anyhow::{Context, Result};

use crate::need;
use crate::process::{self, Finished, Running};

/// How to run `wirespan exec`.
#[derive(Debug, Default, Clone)]
pub struct Exec {
    /// Include message content.
    pub content: bool,
    /// Keep the raw capture here.
    pub record: Option<PathBuf>,
    /// Configuration file.
    pub config: Option<PathBuf>,
    /// Load the agent into Java processes.
    pub java: bool,
    /// Further arguments of `wirespan exec`.
    pub arguments: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Captured {
    /// One a call.
    pub records: Vec<Record>,
    /// The run itself: stdout holds the records, stderr what the program and wirespan said.
    pub run: Finished,
}

impl Exec {
    /// The command line that captures this command.
    ///
    /// # Errors
    /// When wirespan is not built.
    pub fn command(&self, inner: &Command) -> Result<Command> {
        let mut command = Command::new(need::wirespan()?);
        command.args(["exec", "-o", "jsonl"]);
        if self.content {
            command.arg("--content");
        }
        if let Some(file) = &self.record {
            command.arg("--record").arg(file);
        }
        if self.java {
            command.arg("--java");
        }
        if let Some(file) = &self.config {
            command.arg("--config").arg(file);
        }
        command.args(&self.arguments).arg("--").arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ok(command)
    }

    /// Captures the command from its first byte to its end.
    ///
    /// # Errors
    /// When wirespan cannot be started, does not end, or prints something that is no Record.
    pub fn run(&self, inner: &Command) -> Result<Captured> {
        captured(process::run(&mut self.command(inner)?)?)
    }

    /// Starts it in the background.
    ///
    /// # Errors
    /// When wirespan cannot be started.
    pub fn start(&self, inner: &Command) -> Result<Running> {
        process::start(&mut self.command(inner)?)
    }
}

/// Parses what a finished run printed.
///
/// # Errors
/// When a line is no Record.
pub fn captured(run: Finished) -> Result<Captured> {
    let records = records(&run.stdout).with_context(|| format!("stderr: {}", run.stderr))?;
    Ok(Captured { records, run })
}

/// One Record a line.
///
/// # Errors
/// When a line is no Record.
pub fn records(text: &str) -> Result<Vec<Record>> {
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not a Record: {line}")))
        .collect()
}

/// Runs `wirespan decode` over a file.
///
/// # Errors
/// When it fails or prints something that is no Record.
pub fn decode(file: &Path) -> Result<Vec<Record>> {
    let run = process::run(Command::new(need::wirespan()?).args(["decode", "-o", "jsonl"]).arg(file))?
        .succeeded()?;
    records(&run.stdout)
}
