//! `wirespan prices`: what a model costs, and why.

use std::path::PathBuf;

use agent_genai::prices::Explanation;
use anyhow::Context;
use clap::{Args, Subcommand};
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
    /// Say which table is built in
    Version,
    /// Say what a model costs, and which rule says so
    Explain {
        /// Provider, as in `gen_ai.provider.name`, or the host of its API
        provider: String,
        /// Model, as in the request
        model: String,
        /// At this time (RFC 3339) instead of now
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
        /// A file whose prices win over the built-in table
        #[arg(long, value_name = "FILE")]
        prices: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn prices(args: &PricesArgs) -> anyhow::Result<Exit> {
    let mut output = Output::stdout();
    match &args.action {
        Action::Version => output.line(&common::prices(None)?.version())?,
        Action::Explain { provider, model, at, prices, json } => {
            let table = common::prices(prices.as_deref())?;
            let at = at.unwrap_or_else(Timestamp::now);
            let nanos = u64::try_from(at.as_nanosecond()).context("a time before 1970 has no prices")?;
            let Some(found) = table.explain(provider, model, nanos) else {
                anyhow::bail!(
                    "no price is known for `{model}` of `{provider}` ({}): calls show their quantities and no cost. \
                     Give prices of your own with `prices.override`",
                    table.version()
                );
            };
            if *json {
                output.line(&serde_json::to_string(&found)?)?;
            } else {
                output.text(&page(&found))?;
            }
        }
    }
    output.flush()?;
    Ok(Exit::Ok)
}

fn page(found: &Explanation) -> String {
    let mut lines = vec![format!("{} {} ({})", found.provider, found.model, found.source)];
    if !found.table.is_empty() {
        lines.push(format!("  table    {}", found.table));
    }
    lines.push(format!("  matched  {}", found.matched));
    let since = found.since_day.and_then(|day| Timestamp::from_second(day.checked_mul(86_400)?).ok());
    if let Some(since) = since {
        lines.push(format!("  since    {}", since.strftime("%F")));
    }
    for price in &found.prices {
        lines.push(format!("  {:<24}{:>12} {}", price.item, price.usd.normalize().to_string(), price.unit));
        for (above, usd) in &price.tiers {
            lines.push(format!("  {:<24}{:>12} above {above} input tokens", "", usd.normalize().to_string()));
        }
    }
    for variant in &found.variants {
        lines.push(format!("  other prices when {variant}"));
    }
    if let Some(from) = &found.from {
        lines.push(format!("  from     {from}"));
    }
    for also in &found.also {
        lines.push(format!("  also billed, not counted here: {also}"));
    }
    lines.join("\n") + "\n"
}
