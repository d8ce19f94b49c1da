//! The measurements as a program: `cargo xtask bench` builds and runs it.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use wirespan_tests::bench::{capture, cost, decode, loss, memory, report};

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
    /// Megabytes of each burst of `loss`, in one direction
    #[arg(long, default_value_t = 64)]
    volume: usize,
    /// Rounds of each variant of `cost`
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Calls of each round of `cost`
    #[arg(long, default_value_t = 400)]
    calls: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    All,
    Capture,
    Decode,
    Loss,
    Cost,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let wants = |what| cli.what == What::All || cli.what == what;
    let mut sections = Vec::new();
    if wants(What::Decode) {
        let corpus =
            std::env::var_os("WIRESPAN_CORPUS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        sections.push(("decode", decode::run(corpus.as_deref())?));
    }
    if wants(What::Capture) {
        sections.push(("memory", memory::run(&cli.wirespan)?));
        sections.push(("capture", capture::run(&cli.wirespan, &cli.object)?));
    }
    if wants(What::Cost) {
        let plan = cost::Plan { rounds: cli.rounds, calls: cli.calls };
        sections.push(("cost", cost::run(&cli.wirespan, &cli.object, &plan)?));
    }
    if wants(What::Loss) {
        sections.push(("loss", loss::run(&cli.wirespan, cli.volume << 20)?));
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
