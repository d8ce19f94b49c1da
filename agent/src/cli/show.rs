//! `wirespan show`: one call whole, from the daemon or from a file of Records.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use agent_genai::Record;
use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{args::SocketArgs, common};
use crate::{
    console::{self, ColorChoice, Style},
    daemon::{Client, store},
    output::{Exit, Output},
};

/// Longest line of a file of Records, in bytes.
const MAX_LINE: u64 = 1 << 30;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Span id, or its beginning
    id: String,
    /// Look in this file of Records (from `-o jsonl`; `-` is standard input) instead of asking the daemon
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
    /// How the call is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ShowFormat,
    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ShowFormat {
    /// For people
    Text,
    /// The Record
    #[value(alias = "jsonl")]
    Json,
}

pub(super) fn show(args: &ShowArgs) -> anyhow::Result<Exit> {
    let record: Record = match &args.input {
        Some(path) => from_file(path, &args.id)?,
        None => common::runtime()?.block_on(Client::new(&args.socket.socket).call(&args.id))?,
    };
    let mut output = Output::stdout();
    match args.output {
        ShowFormat::Text => output.text(&console::show(&record, Style::for_stdout(args.color)))?,
        ShowFormat::Json => output.line(&serde_json::to_string(&record)?)?,
    }
    output.flush()?;
    Ok(Exit::Ok)
}

fn from_file(path: &Path, id: &str) -> anyhow::Result<Record> {
    let name = path.display();
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).with_context(|| format!("cannot open {name}"))?))
    };
    // Only what may be meant is kept.
    let wanted = id.trim().to_ascii_lowercase();
    let mut found: Vec<Record> = Vec::new();
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        if (&mut input)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("cannot read {name}"))?
            == 0
        {
            break;
        }
        number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record: Record = serde_json::from_slice(&line)
            .with_context(|| format!("{name}:{number}: not a Record of wirespan"))?;
        if record.span_id.starts_with(&wanted) && found.len() < 1_000 {
            found.push(record);
        }
    }
    let position =
        store::find(found.iter().enumerate().map(|(at, record)| (record.span_id.as_str(), at)), id)?;
    Ok(found.swap_remove(position))
}
