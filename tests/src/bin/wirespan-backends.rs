//! The read-back from real backends as a program: `cargo xtask backends` builds and runs it.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use wirespan_tests::backends;

/// Sends spans to real backends and reads them back.
#[derive(Debug, Parser)]
#[command(name = "wirespan-backends")]
struct Cli {
    /// Python of the environment that the backends are installed in
    #[arg(long)]
    python: PathBuf,
    /// Report to write
    #[arg(long)]
    report: Option<PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let text = backends::run(&cli.python)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("could not print")?;
    match &cli.report {
        Some(file) => {
            std::fs::write(file, text).with_context(|| format!("could not write {}", file.display()))
        }
        None => Ok(()),
    }
}
