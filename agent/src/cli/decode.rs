//! `wirespan decode`: recorded exchanges to Records.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use agent_genai::Record;
use clap::Args;
use jiff::tz::TimeZone;

use super::{
    args::{Format, OutputArgs},
    common,
};
use crate::{
    config::Config,
    console::Drops,
    decode::{self, Receiver, Replay, Replayer},
    engine::Bounds,
    output::{Exit, diagnose},
};

#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// Recordings: JSONL of exchanges, raw-wire JSONL, HAR 1.2, or a capture file of `--record`; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    /// A file whose prices win over the built-in table
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Configuration file: provider hosts, prices and compatibility names are taken from it
    #[arg(long, value_name = "FILE", env = "WIRESPAN_CONFIG")]
    config: Option<PathBuf>,
}

pub(super) fn decode(args: &DecodeArgs) -> anyhow::Result<Exit> {
    let mut config = args.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
    if let Some(prices) = &args.prices {
        config.prices.override_file = Some(prices.clone());
    }
    config.content.enabled |= args.output.content;
    let settings = common::settings(&config, "recording")?;
    let replayer = Replayer::new(
        config.content.enabled,
        settings.hosts.clone(),
        settings.compat,
        settings.prices.clone(),
    );
    let replay = Replay { settings, bounds: Bounds::default(), service_names: config.service_name.clone() };
    let format = args.output.output.unwrap_or(Format::Jsonl);
    // Times of recordings are shown as they are, wherever this runs.
    let mut printer = common::Printer::new(format, &args.output, TimeZone::UTC);
    let mut sink = Sink { printer: &mut printer };
    let mut errors = 0;
    for path in &args.files {
        let name = path.display().to_string();
        let outcome =
            open(path).and_then(|input| decode::decode(&name, input, &replayer, &replay, &mut sink));
        match outcome {
            Ok(outcome) => errors += outcome.errors,
            Err(error) => {
                errors += 1;
                diagnose(&format!("{name}: {error}"));
            }
        }
        if sink.printer.is_closed() {
            return Ok(Exit::Ok);
        }
    }
    printer.flush()?;
    if format != Format::Jsonl {
        diagnose(&printer.summary().line(&Drops::default()));
    }
    Ok(if errors > 0 { Exit::Error } else { Exit::Ok })
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") { Ok(Box::new(io::stdin().lock())) } else { Ok(Box::new(File::open(path)?)) }
}

struct Sink<'a> {
    printer: &'a mut common::Printer,
}

impl Receiver for Sink<'_> {
    fn record(&mut self, record: Record) -> io::Result<()> {
        self.printer.print(&record)
    }

    fn problem(&mut self, message: &str) {
        diagnose(message);
    }
}
