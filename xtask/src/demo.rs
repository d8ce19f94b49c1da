//! `cargo xtask demo`: captures unmodified clients that talk TLS to a local stand-in provider, and shows their calls.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{build, clients, exec, paths, setup, ui};

/// How to show it.
#[derive(Debug, Args, Default)]
pub(crate) struct Options {
    /// Show message content too
    #[arg(long)]
    content: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::kernel_toolchain()?;
    for missing in clients::install(false)? {
        ui::note(&format!("    not available: {missing}"));
    }
    build::kernel()?;
    build::release()?;
    ui::step("building the stand-in provider");
    let mut standin = exec::cargo();
    standin.current_dir(paths::root()?).args([
        "build",
        "--package",
        "wirespan-tests",
        "--bin",
        "wirespan-standin",
    ]);
    exec::run(&mut standin)?;
    let mut demo = Command::new(paths::target()?.join("debug").join("wirespan-standin"));
    demo.arg("demo").arg("--wirespan").arg(paths::wirespan()?).arg("--clients").arg(paths::clients()?);
    if options.content {
        demo.arg("--content");
    }
    exec::run(&mut demo)
}
