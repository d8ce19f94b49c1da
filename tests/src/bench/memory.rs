//! Resident memory of wirespan with a thousand idle connections, and with a thousand live streams.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process;
use crate::programs::{self, Program};
use crate::standin::Standin;

const CONNECTIONS: u32 = 1_000;

/// Measures and returns the report's section.
///
/// # Errors
/// When something that is needed is missing or fails.
pub fn run(wirespan: &Path) -> Result<String> {
    let mut text = String::from(
        "## Memory\n\n`cargo xtask bench capture`: resident memory of `wirespan tail` (VmRSS), which captures one client.\n\n\
         | what | resident | per connection |\n|---|---:|---:|\n",
    );
    let base = resident(wirespan, "", 0)?;
    text += &format!("| no connection | {:.1} MB | |\n", mega(base));
    for (name, wishes) in [("idle connections", ""), ("live streams", "gap=500/chunks=240")] {
        let bytes = resident(wirespan, wishes, CONNECTIONS)?;
        let each = bytes.saturating_sub(base) / u64::from(CONNECTIONS);
        text += &format!("| {CONNECTIONS} {name} | {:.1} MB | {each} B |\n", mega(bytes));
    }
    Ok(text)
}

fn mega(bytes: u64) -> f64 {
    // Far below 2^52 bytes.
    u32::try_from(bytes / 1024).map_or(f64::NAN, f64::from) / 1024.0
}

/// Resident bytes while that many connections are open.
fn resident(wirespan: &Path, wishes: &str, connections: u32) -> Result<u64> {
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let go = folder.path().join("go");
    let mut command = programs::command(Program::Python, &standin)?;
    let path = if wishes.is_empty() {
        "/v1/chat/completions".to_owned()
    } else {
        format!("/{wishes}/v1/chat/completions")
    };
    command.arg(programs::script("streams.py")).args(["localhost", &standin.port().to_string(), &path]);
    command.arg(connections.to_string()).arg(&go);
    let mut client = process::start(&mut command)?;
    client.wait_for("that it is ready", |stdout, _| stdout.contains("ready"))?;
    let mut tail = Command::new(wirespan);
    tail.args(["tail", "-o", "jsonl", "--pid", &client.pid().to_string()]);
    let mut agent = process::start(&mut tail)?;
    std::thread::sleep(std::time::Duration::from_secs(2));
    std::fs::write(&go, "")?;
    client.wait_for("that all are open", |stdout, _| stdout.contains("open"))?;
    // A few seconds of the streams, so that what they hold has settled.
    std::thread::sleep(std::time::Duration::from_secs(5));
    ensure!(!agent.has_ended()?, "wirespan ended: {}", agent.stderr()?);
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
    Ok(kilobytes * 1024)
}
