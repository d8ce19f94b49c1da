//! `wirespan prices explain`: one model's prices, whose they are, and what changes them.

use agent_genai::prices::{Circumstances, Explanation, ItemPrice};
use clap::Args;
use jiff::Timestamp;

use super::{TableArgs, date, nanos};
use crate::output::Output;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Provider, as in `gen_ai.provider.name`, or the host of its API
    provider: String,
    /// Model, as in the request
    model: String,
    /// For calls served in this tier, as `flex`, `priority`, `batch`, `fast`
    #[arg(long, value_name = "TIER")]
    tier: Option<String>,
    /// For calls served there, as `us`, `eu-west-1`, `regional`
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// For calls that searched so much: `low`, `medium`, `high`
    #[arg(long, value_name = "SIZE")]
    search_context: Option<String>,
    /// At this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    tables: TableArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn explain(args: &ExplainArgs, output: &mut Output) -> anyhow::Result<()> {
    let table = args.tables.load()?;
    let said = Circumstances {
        tier: args.tier.clone(),
        region: args.region.clone(),
        search_context: args.search_context.clone(),
    };
    let (provider, model) = (&args.provider, &args.model);
    let Some(found) = table.explain_as(provider, model, nanos(args.at)?, &said) else {
        anyhow::bail!(
            "no price is known for `{model}` of `{provider}`: {}. Calls show their quantities and no cost. Give prices of your \
             own with `prices.override`",
            table.why_unknown(provider, model)
        );
    };
    if args.json {
        output.line(&serde_json::to_string(&found)?)?;
    } else {
        output.text(&page(&found, &said))?;
    }
    Ok(())
}

fn page(found: &Explanation, said: &Circumstances) -> String {
    let mut lines = vec![format!("{} {} ({})", found.provider, found.model, found.source)];
    if !found.table.is_empty() {
        lines.push(format!("  table    {}", found.table));
    }
    if let Some(table) = &found.completed_by {
        lines.push(format!("  and      {table}, for what that lacks"));
    }
    if let Some(from) = &found.from {
        lines.push(format!("  from     {from}"));
    }
    lines.push(format!("  matched  {}", found.matched));
    if let Some(since) = found.since_day.and_then(date) {
        lines.push(format!("  since    {since}"));
    }
    match &said.tier {
        Some(tier) if found.prices.is_empty() => {
            lines.push(format!(
                "  no price is known for the tier {tier}: such calls show their quantities and no cost"
            ));
        }
        _ => {}
    }
    for price in &found.prices {
        lines.push(format!("  {:<24}{:>12} {}", price.item, price.usd.to_string(), price.unit));
        for (above, usd) in &price.tiers {
            lines.push(format!("  {:<24}{:>12} above {above} input tokens", "", usd.to_string()));
        }
    }
    for way in &found.ways {
        let since = way.since_day.and_then(date).map(|day| format!(" since {day}")).unwrap_or_default();
        let change = match way.times {
            Some(factor) => format!("tokens cost {} times as much", factor.normalize()),
            None => way.prices.iter().map(short).collect::<Vec<_>>().join(", "),
        };
        lines.push(format!("  when {}{since}: {change}", way.when));
    }
    for also in &found.also {
        lines.push(format!("  also billed, not counted here: {also}"));
    }
    lines.join("\n") + "\n"
}

/// An item and its price, with a plus sign when long inputs cost more.
pub(super) fn short(price: &ItemPrice) -> String {
    let more = if price.tiers.is_empty() { "" } else { "+" };
    format!("{} {}{more}", price.item, price.usd)
}
