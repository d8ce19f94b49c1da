//! `cargo xtask matrix`: builds wirespan, installs every client, and measures each against every way to be captured.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{build, clients, every_client, exec, paths, setup, ui};

/// Which clients.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only clients whose name contains this, whatever the case; docs/matrix.md is then left alone
    only: Vec<String>,
    /// Print only; leave docs/matrix.md alone
    #[arg(long)]
    dry_run: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::kernel_toolchain()?;
    for missing in clients::install(false)?.into_iter().chain(every_client::install(false)?) {
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
        "wirespan-matrix",
    ]);
    exec::run(&mut command)?;
    let mut matrix = Command::new(paths::target()?.join("release").join("wirespan-matrix"));
    matrix.args(&options.only);
    matrix.env("WIRESPAN_BIN", paths::wirespan()?).env("WIRESPAN_CLIENTS", paths::clients()?);
    if !options.dry_run && options.only.is_empty() {
        matrix.arg("--report").arg(paths::root()?.join("docs").join("matrix.md"));
    }
    exec::run(&mut matrix)
}
