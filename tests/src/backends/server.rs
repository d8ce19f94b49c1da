//! A backend's server: started on free loopback ports with a folder of its own, stopped with all its children.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::{self, Running};

/// Which backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Arize Phoenix.
    Phoenix,
    /// MLflow.
    Mlflow,
}

impl Kind {
    /// As `clients/backends/read.py` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Phoenix => "phoenix",
            Self::Mlflow => "mlflow",
        }
    }
}

/// A running server; stopped when dropped.
#[derive(Debug)]
pub(super) struct Server {
    process: Running,
    port: u16,
    grpc_port: u16,
    _folder: TempDir,
}

impl Server {
    /// Starts it from the environment of this Python and waits until it listens.
    pub(super) fn start(kind: Kind, python: &Path) -> Result<Self> {
        let (port, grpc_port) = (free_port()?, free_port()?);
        let folder = TempDir::with_prefix("wirespan-backend-").context("folder of the backend")?;
        let mut command = Command::new(python.with_file_name(kind.name()));
        // Its children are stopped with it; nothing is told to anyone outside.
        command.process_group(0).current_dir(folder.path()).env("DO_NOT_TRACK", "true");
        match kind {
            Kind::Phoenix => command
                .arg("serve")
                .env("PHOENIX_HOST", "127.0.0.1")
                .env("PHOENIX_PORT", port.to_string())
                .env("PHOENIX_GRPC_PORT", grpc_port.to_string())
                .env("PHOENIX_WORKING_DIR", folder.path())
                .env("PHOENIX_TELEMETRY_ENABLED", "false"),
            Kind::Mlflow => command
                .args(["server", "--host", "127.0.0.1", "--workers", "1", "--port"])
                .arg(port.to_string())
                .args(["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "artifacts"])
                .env("MLFLOW_DISABLE_TELEMETRY", "true")
                .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false"),
        };
        let mut server = Self { process: process::start(&mut command)?, port, grpc_port, _folder: folder };
        let deadline = Instant::now() + process::PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if server.process.has_ended()? || Instant::now() > deadline {
                bail!("{} did not come up: {}", kind.name(), server.process.stderr()?);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(server)
    }

    /// `http://127.0.0.1:PORT`
    pub(super) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same for OTLP over gRPC; Phoenix only.
    pub(super) fn grpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc_port)
    }

    /// What it said on stderr.
    pub(super) fn said(&mut self) -> Result<String> {
        self.process.stderr()
    }

    fn signal_group(&self, signal: &str) {
        let group = format!("-{}", self.process.pid());
        // A group that is gone already is as good.
        drop(process::run(Command::new("kill").args([signal, "--", &group])));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal_group("-TERM");
        let deadline = Instant::now() + Duration::from_secs(15);
        while matches!(self.process.has_ended(), Ok(false)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
        }
        self.signal_group("-KILL");
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
