//! A `wirespan run` of a test's own, with its socket in a temporary folder.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::need;
use crate::process::{self, Running};

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    /// The process.
    pub process: Running,
    folder: TempDir,
}

impl Daemon {
    /// Starts it with this configuration (YAML) and waits until it answers; the socket is added.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(config: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("api.sock");
        let file = folder.path().join("wirespan.yaml");
        let text = format!("{config}\napi:\n  socket: {}\n", socket.display());
        std::fs::write(&file, text).context("configuration")?;
        let process = process::start(
            Command::new(need::wirespan()?)
                .args(["run", "--config"])
                .arg(&file)
                .env("WIRESPAN_LOG", "warn,agent_capture=info"),
        )?;
        let mut daemon = Self { process, folder };
        let deadline = std::time::Instant::now() + process::PATIENCE;
        while !process::run(&mut daemon.ask("status")?)?.status.success() {
            if daemon.process.has_ended()? || std::time::Instant::now() > deadline {
                anyhow::bail!("the daemon did not come up: {}", daemon.process.stderr()?);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Ok(daemon)
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("api.sock")
    }

    /// A `wirespan` command that asks this daemon.
    ///
    /// # Errors
    /// When wirespan is not built.
    pub fn ask(&self, what: &str) -> Result<Command> {
        let mut command = Command::new(need::wirespan()?);
        command.arg(what).arg("--socket").arg(self.socket());
        Ok(command)
    }
}
