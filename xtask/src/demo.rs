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
    ui::step("building wirespan and the stand-in provider");
    let mut build = exec::cargo();
    build.current_dir(paths::root()?).args(["build", "--release"]);
    build.args([
        "--package",
        "agent",
        "--package",
        "wirespan-tests",
        "--bin",
        "wirespan",
        "--bin",
        "wirespan-standin",
    ]);
    exec::run(&mut build)?;
    let mut demo = Command::new(paths::target()?.join("release").join("wirespan-standin"));
    demo.arg("demo").arg("--wirespan").arg(paths::wirespan()?).env("WIRESPAN_CLIENTS", paths::clients()?);
    if options.content {
        demo.arg("--content");
    }
    exec::run(&mut demo)
}
