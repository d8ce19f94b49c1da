//! `cargo xtask bench`: builds what is measured and runs the measurements of the tests crate.

use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{apt, build, clients, exec, paths, setup};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which measurement; all of them when left out
    what: Option<What>,
    /// Print only; leave docs/benchmarks.md alone
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Client CPU added for each call, and memory per connection
    Capture,
    /// Throughput of decoding against a plain JSON parse
    Decode,
    /// What bursts lose, by the size of the ring
    Loss,
    /// CPU and latency added for each call, beside empty probes and bpftrace; clients in Python, Node and Go
    Cost,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::kernel_toolchain()?;
    clients::install(false)?;
    if matches!(options.what, None | Some(What::Cost)) {
        apt::install(&["bpftrace"])?;
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
        "wirespan-bench",
    ]);
    exec::run(&mut command)?;
    let mut bench = Command::new(paths::target()?.join("release").join("wirespan-bench"));
    match options.what {
        Some(What::Capture) => bench.arg("capture"),
        Some(What::Decode) => bench.arg("decode"),
        Some(What::Loss) => bench.arg("loss"),
        Some(What::Cost) => bench.arg("cost"),
        None => bench.arg("all"),
    };
    bench
        .arg("--wirespan")
        .arg(paths::wirespan()?)
        .arg("--object")
        .arg(paths::kernel_object(std::env::consts::ARCH)?);
    bench.env("WIRESPAN_CLIENTS", paths::clients()?).env("WIRESPAN_BIN", paths::wirespan()?);
    if let Some(corpus) = paths::corpus()? {
        bench.env(paths::CORPUS, corpus);
    }
    if !options.dry_run {
        bench.arg("--report").arg(paths::root()?.join("docs").join("benchmarks.md"));
    }
    exec::run(&mut bench)
}
