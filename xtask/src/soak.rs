//! `cargo xtask soak`: builds wirespan and puts it under mixed load for a long time.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{build, clients, exec, paths, setup, ui};

/// How long, and how hard.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Minutes of load
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Seconds of rest between two rounds of processes
    #[arg(long, default_value_t = 0.5)]
    pause: f64,
    /// Print only; leave docs/benchmarks.md alone
    #[arg(long)]
    dry_run: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::kernel_toolchain()?;
    for missing in clients::install(false)? {
        ui::note(&format!("    not available: {missing}"));
    }
    build::kernel()?;
    build::release()?;
    let mut command = exec::cargo();
    command.current_dir(paths::root()?).args([
        "build",
        "--release",
        "--package",
        "wirespan-tests",
        "--bin",
        "wirespan-soak",
    ]);
    exec::run(&mut command)?;
    let mut soak = Command::new(paths::target()?.join("release").join("wirespan-soak"));
    soak.arg("--minutes").arg(options.minutes.to_string()).arg("--pause").arg(options.pause.to_string());
    soak.env("WIRESPAN_BIN", paths::wirespan()?).env("WIRESPAN_CLIENTS", paths::clients()?);
    if !options.dry_run {
        soak.arg("--report").arg(paths::root()?.join("docs").join("benchmarks.md"));
    }
    exec::run(&mut soak)
}
