//! The measurements as a program: `cargo xtask bench` builds and runs it.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use wirespan_tests::bench::{capture, decode, memory, report};

/// wirespan's measurements.
#[derive(Debug, Parser)]
#[command(name = "wirespan-bench")]
struct Cli {
    /// What to measure
    what: What,
    /// The `wirespan` binary
    #[arg(long)]
    wirespan: PathBuf,
    /// The compiled kernel programs
    #[arg(long)]
    object: PathBuf,
    /// Report whose sections are replaced
    #[arg(long)]
    report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    All,
    Capture,
    Decode,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let mut sections = Vec::new();
    if cli.what != What::Capture {
        let corpus =
            std::env::var_os("WIRESPAN_CORPUS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        sections.push(("decode", decode::run(corpus.as_deref())?));
    }
    if cli.what != What::Decode {
        sections.push(("memory", memory::run(&cli.wirespan)?));
        sections.push(("capture", capture::run(&cli.wirespan, &cli.object)?));
    }
    for (name, text) in &sections {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).context("could not print")?;
        if let Some(file) = &cli.report {
            report::write(file, name, text)?;
        }
    }
    Ok(())
}
