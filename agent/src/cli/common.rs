//! What several commands need: logging, settings from the configuration, and the printer of calls.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use agent_capture::CaptureError;
use agent_genai::{Compat, HostRule, PriceTable, Record};
use anyhow::Context;
use jiff::tz::TimeZone;
use tracing_subscriber::EnvFilter;

use super::args::{Format, OutputArgs};
use crate::{
    config::{CompatName, Config, ProviderRule},
    console::{Row, Style, Summary, Table, Width},
    engine::Settings,
    output::{Exit, Output},
};

/// Sends diagnostics to standard error, as much as `WIRESPAN_LOG` asks for; warnings by default.
pub(super) fn log_to_stderr() -> Result<(), String> {
    let filter = match std::env::var("WIRESPAN_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text)
            .map_err(|error| format!("wirespan: WIRESPAN_LOG is `{text}`: {error}"))?,
        _ => EnvFilter::new("warn"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init()
        .map_err(|error| format!("wirespan: cannot log: {error}"))
}

/// A runtime for what talks to sockets.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")
}

/// The exit status that an error stands for.
pub(super) fn exit_of(error: &anyhow::Error) -> Exit {
    if error.downcast_ref::<CaptureError>().is_some() { Exit::Preflight } else { Exit::Error }
}

/// A whole file of at most so many bytes.
pub(super) fn limited(path: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    anyhow::ensure!(bytes.len() <= most, "{name} is larger than {most} bytes");
    Ok(bytes)
}

/// Most bytes of a price table; the built-in one has 400 kB.
pub(super) const MAX_TABLE: usize = 16 << 20;

/// The price table (the built-in one, or that of a file), with the user's prices before it.
pub(super) fn prices(table: Option<&Path>, file: Option<&Path>) -> anyhow::Result<PriceTable> {
    let table = match table {
        None => PriceTable::embedded(),
        Some(path) => {
            let bytes = limited(path, MAX_TABLE)?;
            let table = PriceTable::from_table(&bytes)
                .with_context(|| format!("the price table {} cannot be used", path.display()))?;
            let built_in = PriceTable::embedded();
            if table.date() < built_in.date() {
                tracing::warn!(
                    "the price table {} is of {}, older than the built-in one ({})",
                    path.display(),
                    table.date(),
                    built_in.date()
                );
            }
            table
        }
    };
    let Some(file) = file else { return Ok(table) };
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the prices in {name}"))?;
    // JSON is YAML, too.
    let value: serde_json::Value = serde_saphyr::from_str(&text)
        .with_context(|| format!("the prices in {name} are neither YAML nor JSON"))?;
    table.with_override_value(&value).with_context(|| format!("the prices in {name} cannot be used"))
}

/// The engine's settings from the configuration.
pub(super) fn settings(config: &Config, source: &'static str) -> anyhow::Result<Settings> {
    let has = |name| config.semconv.compat.contains(&name);
    Ok(Settings {
        content: config.content.clone(),
        max_body: config.capture.max_body.as_usize(),
        hosts: config
            .providers
            .iter()
            .map(|ProviderRule { host, provider }| HostRule {
                host: host.clone(),
                provider: provider.clone(),
            })
            .collect(),
        compat: Compat {
            cache_creation_alias: has(CompatName::CacheCreationAlias),
            legacy_metrics: has(CompatName::LegacyMetrics),
            finish_reason_in_messages: has(CompatName::FinishReasonInMessages),
            workflow_name: has(CompatName::WorkflowName),
        },
        prices: prices(config.prices.table.as_deref(), config.prices.override_file.as_deref())?,
        source,
    })
}

/// Attributes that hold message content.
const CONTENT: &[&str] = &[
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
];

/// Prints calls to standard output and sums them up.
pub(super) struct Printer {
    output: Output,
    format: Format,
    content: bool,
    table: Table,
    header: bool,
    summary: Summary,
}

impl Printer {
    pub(super) fn new(format: Format, args: &OutputArgs, zone: TimeZone) -> Self {
        let width = if format == Format::Wide { Width::Wide } else { Width::Compact };
        let style = Style::for_stdout(args.color);
        Self {
            output: Output::stdout(),
            format,
            content: args.content,
            table: Table::new(width, style, zone),
            header: format != Format::Jsonl,
            summary: Summary::default(),
        }
    }

    /// Prints a call. Content is left out unless it was asked for.
    pub(super) fn print(&mut self, record: &Record) -> io::Result<()> {
        self.summary.add(record);
        if self.format == Format::Jsonl {
            let line = if self.content || !CONTENT.iter().any(|name| record.attributes.contains_key(*name)) {
                serde_json::to_string(record)
            } else {
                let mut record = record.clone();
                record.attributes.retain(|name, _| !CONTENT.contains(&name.as_str()));
                serde_json::to_string(&record)
            };
            return self.output.line(&line.map_err(io::Error::from)?);
        }
        if std::mem::take(&mut self.header) {
            self.output.line(&self.table.header())?;
        }
        self.output.line(&self.table.line(&Row::new(record)))
    }

    /// As [`Printer::print`], seen at once.
    pub(super) fn print_now(&mut self, record: &Record) -> io::Result<()> {
        self.print(record)?;
        self.output.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// Whether the reader went away.
    pub(super) fn is_closed(&self) -> bool {
        self.output.is_closed()
    }

    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }
}
