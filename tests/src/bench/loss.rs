//! Loss: bursts at full loopback speed, and what of them does not fit into the ring. Captured plus counted as lost is what was moved, exactly.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::bodies::{self, Account};
use crate::capture::Exec;
use crate::programs::{self, Program};
use crate::standin::Standin;

/// One burst.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// Bytes of each write and each read.
    pub size: usize,
    /// Connections at the same time.
    pub connections: usize,
    /// Bytes of all bodies in one direction, about.
    pub volume: usize,
}

/// What `bursts.py` prints.
#[derive(Debug, Deserialize)]
struct Moved {
    sent: u64,
    received: u64,
}

impl Burst {
    /// Bytes of one body: many writes of the small sizes, one of the largest.
    fn body(&self) -> usize {
        self.size.max(64 << 10)
    }

    /// Runs it under wirespan with this configuration, and checks that the account is exact.
    ///
    /// # Errors
    /// When a byte is unaccounted for.
    pub fn run(&self, config: &str) -> Result<Account> {
        let standin = Standin::start()?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("wirespan.yaml");
        std::fs::write(&file, config)?;
        let capture = folder.path().join("capture.wspn");
        let exec = Exec { record: Some(capture.clone()), config: Some(file), ..Exec::default() };
        let calls = (self.volume / self.body() / self.connections).max(1);
        let mut command = programs::command(Program::Python, &standin)?;
        command.arg(programs::script("bursts.py")).args(["localhost", &standin.port().to_string()]);
        command.args([self.size, self.body(), self.connections, calls].map(|number| number.to_string()));
        let run = exec.run(&command)?.run;
        let said = &run.stderr;
        ensure!(run.status.success(), "{self:?}: {said}");
        let line =
            said.lines().find(|line| line.starts_with("{\"sent\"")).context("bursts.py said nothing")?;
        let moved: Moved = serde_json::from_str(line)?;
        let account = bodies::account(&capture)?;
        let all = moved.sent + moved.received;
        ensure!(
            account.captured + account.lost == all,
            "{self:?}: {account:?}, {moved:?}, {all} in all\n{said}"
        );
        // Where the event of a connection's end was lost, its last bytes may be in the counters only.
        ensure!(account.moved <= all, "{self:?}: {account:?}, {moved:?}: ends that never were\n{said}");
        Ok(account)
    }
}

/// Sizes of writes and reads in the curve.
const SIZES: &[(&str, usize)] =
    &[("100 B", 100), ("1 KiB", 1 << 10), ("16 KiB", 16 << 10), ("128 KiB", 128 << 10), ("1 MiB", 1 << 20)];
/// Rings in the curve; the last is the default.
const RINGS: &[&str] = &["256KiB", "1MiB", "4MiB", "16MiB", "32MiB"];

/// Measures the curve and returns the report's section. `volume`: bytes of each burst, in one direction.
///
/// # Errors
/// When something that is needed is missing, or a byte is unaccounted for.
pub fn run(wirespan: &Path, volume: usize) -> Result<String> {
    ensure!(crate::need::wirespan()? == wirespan, "set WIRESPAN_BIN to {}", wirespan.display());
    let mut text = format!(
        "## Loss\n\n`cargo xtask bench loss`: bursts at full loopback speed, {} MB or more each way (a tenth of it in writes and reads of 100 B), drained every \
         10 ms; bytes lost of bytes moved. In each run captured + counted as lost = moved, to the byte: the measurement fails otherwise. The ring's \
         default is 32 MiB.\n\n| writes and reads of | connections |",
        volume >> 20
    );
    for ring in RINGS {
        text += &format!(" {ring} |");
    }
    text += &format!("\n|---|---:|{}\n", "---:|".repeat(RINGS.len()));
    for (name, size) in SIZES {
        for connections in [1, 64] {
            text += &format!("| {name} | {connections} |");
            let volume = if *size == 100 { volume / 10 } else { volume };
            for ring in RINGS {
                let burst = Burst { size: *size, connections, volume };
                let account =
                    burst.run(&format!("capture:\n  ring_size: {ring}\n  drain_interval: 10ms\n"))?;
                let share = account.lost as f64 * 100.0 / (account.captured + account.lost) as f64;
                text += &if account.lost == 0 { " 0 |".to_owned() } else { format!(" {share:.2} % |") };
            }
            text.push('\n');
        }
    }
    Ok(text)
}
