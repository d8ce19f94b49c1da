//! The stand-in provider as a program: serves until interrupted, or runs the demo.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use wirespan_tests::demo;
use wirespan_tests::standin::Standin;

/// A stand-in LLM provider on loopback, over TLS.
#[derive(Debug, Parser)]
#[command(name = "wirespan-standin")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serve until interrupted; prints the address and the authority's certificate as one JSON line
    Serve {
        /// Port on 127.0.0.1; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Capture unmodified clients that call the stand-in, and show their calls
    Demo {
        /// The `wirespan` binary
        #[arg(long)]
        wirespan: PathBuf,
        /// Show message content too
        #[arg(long)]
        content: bool,
    },
}

fn main() -> Result<()> {
    match Cli::parse().what {
        What::Serve { port } => serve(port),
        What::Demo { wirespan, content } => demo::run(&wirespan, content),
    }
}

fn serve(port: u16) -> Result<()> {
    let standin = Standin::start_on(port)?;
    let line = serde_json::json!({"url": standin.url(""), "authority": standin.authority()});
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("could not print the address")?;
    drop(out);
    loop {
        std::thread::park();
    }
}
