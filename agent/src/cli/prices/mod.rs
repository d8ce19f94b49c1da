//! `wirespan prices`: what models cost, why, and how a newer table is taken over.

mod explain;
mod list;
mod update;

use std::path::PathBuf;

use agent_genai::PriceTable;
use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::common;
use crate::output::{Exit, Output};

#[derive(Debug, Args)]
pub(super) struct PricesArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say which tables are used
    Version {
        #[command(flatten)]
        tables: TableArgs,
    },
    /// List models and their prices
    List(list::ListArgs),
    /// Say what a model costs, and which rule says so
    Explain(explain::ExplainArgs),
    /// Take over a newer price table
    Update(update::UpdateArgs),
}

/// Which tables are looked into.
#[derive(Debug, Args)]
struct TableArgs {
    /// A table to use in place of the built-in one (what `wirespan prices update` has written)
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// A file whose prices win over the table
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl TableArgs {
    fn load(&self) -> anyhow::Result<PriceTable> {
        common::prices(self.table.as_deref(), self.prices.as_deref())
    }
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// One JSON object a line
    Json,
}

pub(super) fn prices(args: &PricesArgs) -> anyhow::Result<Exit> {
    let mut output = Output::stdout();
    match &args.action {
        Action::Version { tables } => output.line(&tables.load()?.version())?,
        Action::List(args) => list::list(args, &mut output)?,
        Action::Explain(args) => explain::explain(args, &mut output)?,
        Action::Update(args) => update::update(args, &mut output)?,
    }
    output.flush()?;
    Ok(Exit::Ok)
}

/// Nanoseconds since 1970 of that time, or of now.
fn nanos(at: Option<Timestamp>) -> anyhow::Result<u64> {
    let at = at.unwrap_or_else(Timestamp::now);
    u64::try_from(at.as_nanosecond()).context("a time before 1970 has no prices")
}

/// A day of a table, as a date.
fn date(day: i64) -> Option<String> {
    let start = Timestamp::from_second(day.checked_mul(86_400)?).ok()?;
    Some(start.strftime("%F").to_string())
}
