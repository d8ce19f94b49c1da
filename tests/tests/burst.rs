//! Bursts: bytes captured plus bytes counted as lost equal bytes moved, exactly; with the default settings nothing is lost.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wirespan_tests::bench::loss::Burst;
use wirespan_tests::capture::Exec;
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::Standin;
use wirespan_tests::{bodies, need, skip_if};

/// What `burst.py` prints.
#[derive(Debug, Deserialize)]
struct Moved {
    reads: u64,
    received: u64,
    sent: u64,
}

fn burst(size: usize, read: usize, least_reads: u64, config: Option<&str>) -> Result<()> {
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let mut exec = Exec { record: Some(folder.path().join("capture.wspn")), ..Exec::default() };
    if let Some(text) = config {
        let file = folder.path().join("wirespan.yaml");
        std::fs::write(&file, text)?;
        exec.config = Some(file);
    }
    let mut command = programs::command(Program::Python, &standin)?;
    command.arg(programs::script("burst.py")).args(["localhost", &standin.port().to_string()]);
    command.arg(format!("/size={size}/v1/chat/completions")).arg(read.to_string());
    let captured = exec.run(&command)?;
    let said = &captured.run.stderr;
    ensure!(captured.run.status.success(), "{said}");
    let line = said.lines().find(|line| line.starts_with("{\"reads\"")).context("burst.py said nothing")?;
    let moved: Moved = serde_json::from_str(line)?;
    ensure!(moved.reads >= least_reads, "only {} reads", moved.reads);
    let account = bodies::account(exec.record.as_deref().context("no file")?)?;
    let all = moved.received + moved.sent;
    ensure!(account.captured + account.lost == all, "{account:?}, moved {moved:?}\n{said}");
    ensure!(account.moved == all, "{account:?}, moved {moved:?}\n{said}");
    if config.is_some() {
        // The ring is far too small: the point of this run is that the loss is known.
        ensure!(account.lost > 0, "nothing was lost, so nothing was tested: {account:?}");
        return Ok(());
    }
    ensure!(account.lost == 0, "lost with the default settings: {account:?}\n{said}");
    let [record] = captured.records.as_slice() else {
        anyhow::bail!("{} spans\n{said}", captured.records.len());
    };
    let capture = &record.capture;
    ensure!(capture.lost_bytes == 0 && capture.complete, "{capture:?}\n{said}");
    ensure!(capture.response_bytes == moved.received, "{capture:?}, moved {moved:?}");
    ensure!(capture.request_bytes == moved.sent, "{capture:?}, moved {moved:?}");
    Ok(())
}

#[test]
fn twenty_thousand_reads_of_200_bytes() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    burst(4_000_000, 200, 20_000, None)
}

#[test]
fn four_thousand_reads_of_16_kilobytes() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    burst(4_000 * 16_384, 16_384, 4_000, None)
}

#[test]
fn what_does_not_fit_is_counted() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let config = "capture:\n  ring_size: 64KiB\n  drain_interval: 1s\n";
    burst(4_000 * 16_384, 16_384, 4_000, Some(config))
}

/// Writes and reads of one size on one and on 64 connections, into a ring that is far too small and drained once a second.
/// Gives what was lost.
fn too_much(size: usize, volume: usize) -> Result<u64> {
    let mut lost = 0;
    for connections in [1, 64] {
        let burst = Burst { size, connections, volume };
        let account = burst.run("capture:\n  ring_size: 64KiB\n  drain_interval: 1s\n")?;
        ensure!(account.captured > 0, "{burst:?}: {account:?}");
        lost += account.lost;
    }
    Ok(lost)
}

#[test]
fn bursts_of_100_bytes() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    // Where a probe costs much, the reader keeps up with so small pieces, and nothing is lost.
    too_much(100, 2 << 20).map(drop)
}

#[test]
fn bursts_of_16_kilobytes() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    ensure!(too_much(16 << 10, 32 << 20)? > 0, "nothing was lost, so nothing was tested");
    Ok(())
}

#[test]
fn bursts_of_a_megabyte() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    ensure!(too_much(1 << 20, 64 << 20)? > 0, "nothing was lost, so nothing was tested");
    Ok(())
}
