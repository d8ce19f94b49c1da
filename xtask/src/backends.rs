//! `cargo xtask backends`: real backends from PyPI take in our spans and are asked what they made of them.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{build, clients, exec, paths, setup, venv};

/// The backends, in an environment of their own: they are large (1.4 GB) and not part of `cargo xtask test`.
const PACKAGES: &[&str] = &["arize-phoenix==20.26.1", "mlflow==3.17.2"];

/// How to run it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print only; leave docs/backends.md alone
    #[arg(long)]
    dry_run: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::kernel_toolchain()?;
    clients::install(false)?;
    let python = venv::python("backends", PACKAGES)?;
    build::kernel()?;
    build::release()?;
    let mut command = exec::cargo();
    command.current_dir(paths::root()?);
    command.args(["build", "--release", "--package", "wirespan-tests", "--bin", "wirespan-backends"]);
    exec::run(&mut command)?;
    let mut backends = Command::new(paths::target()?.join("release").join("wirespan-backends"));
    backends.arg("--python").arg(python);
    backends.env("WIRESPAN_BIN", paths::wirespan()?).env("WIRESPAN_CLIENTS", paths::clients()?);
    if !options.dry_run {
        backends.arg("--report").arg(paths::root()?.join("docs").join("backends.md"));
    }
    exec::run(&mut backends)
}
