//! The soak as a program: `cargo xtask soak` builds and runs it.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use wirespan_tests::bench::report;
use wirespan_tests::{need, soak};

/// Hours of mixed load under one agent.
#[derive(Debug, Parser)]
#[command(name = "wirespan-soak")]
struct Cli {
    /// How long
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Seconds of rest between two rounds of processes
    #[arg(long, default_value_t = 0.5)]
    pause: f64,
    /// Report whose section is replaced
    #[arg(long)]
    report: Option<PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(reason) = need::kernel()? {
        bail!("{reason}");
    }
    let text = soak::run(&soak::Plan { minutes: cli.minutes, pause: cli.pause }, |sample| {
        // A closed stderr is no reason to stop.
        drop(write!(std::io::stderr().lock(), "{}", sample.row()));
    })?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("could not print")?;
    match &cli.report {
        Some(file) => report::write(file, "soak", &text),
        None => Ok(()),
    }
}
