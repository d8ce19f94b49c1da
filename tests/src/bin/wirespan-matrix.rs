//! The matrix of clients as a program: `cargo xtask matrix` builds and runs it.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use wirespan_tests::bench::report;
use wirespan_tests::matrix::{self, CLIENTS, Cell, Column};
use wirespan_tests::need;

/// Every client against every way to be captured.
#[derive(Debug, Parser)]
#[command(name = "wirespan-matrix")]
struct Cli {
    /// Only clients whose name contains this, whatever the case
    only: Vec<String>,
    /// Report to write; only a run of every client may
    #[arg(long, conflicts_with = "only")]
    report: Option<PathBuf>,
}

const HEAD: &str = "`cargo xtask matrix`: each cell was measured with the real program against a local stand-in provider that remembers what it saw. \
*From the first byte*: four calls under `wirespan exec`, every one with its record, its facts and no byte missing. *Bodies equal*: request and \
response bodies in the capture file are those that the server saw and sent, byte for byte. *Concurrent calls*: 24 calls, 8 at a time, records and \
bodies. *8 MB bodies*: one call with 8 MiB each way, record and bodies. *Attached while running*: `wirespan tail --pid` begins while a call waits for its \
answer; every later call has its record. *In a container*: mount, pid and network namespaces of its own on an overlay of the root, captured from outside, \
records and bodies. Every second call is streamed.";

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(reason) = need::kernel()? {
        bail!("{reason}");
    }
    let wanted = |name: &str| {
        cli.only.is_empty() || cli.only.iter().any(|part| name.to_lowercase().contains(&part.to_lowercase()))
    };
    let mut rows = Vec::new();
    let mut missing = String::new();
    for client in CLIENTS.iter().filter(|client| wanted(client.name)) {
        let row = matrix::measure(client, &Column::ALL, |column, cell, seconds| {
            note(&match cell {
                Cell::Yes => format!("{}, {}: yes ({seconds} s)", client.name, column.title()),
                Cell::No(why) => format!("{}, {}: NO ({seconds} s): {why}", client.name, column.title()),
                Cell::Inapplicable(why) => format!("{}, {}: - {why}", client.name, column.title()),
            });
        });
        match row {
            Ok(row) => rows.push(row),
            Err(error) => missing += &format!("\nNot measured: {}: {error:#}\n", client.name),
        }
    }
    let text = format!("{HEAD}\n\n{}{missing}", matrix::table(&rows, &Column::ALL));
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("could not print")?;
    match &cli.report {
        Some(file) => write(file, &text),
        None => Ok(()),
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    if !file.exists() {
        std::fs::write(file, "# The matrix of clients\n")
            .with_context(|| format!("could not write {}", file.display()))?;
    }
    report::write(file, "matrix", text)
}

fn note(text: &str) {
    let mut err = std::io::stderr().lock();
    // A closed stderr is no reason to stop.
    drop(writeln!(err, "{text}"));
}
