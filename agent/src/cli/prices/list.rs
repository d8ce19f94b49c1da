//! `wirespan prices list`: every entry of the tables, or those asked for.

use agent_genai::prices::Explanation;
use clap::Args;
use jiff::Timestamp;

use super::{Form, TableArgs, explain::short, nanos};
use crate::output::Output;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only models of this provider, as in `gen_ai.provider.name`, or an id of the table
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// Only models with such a name; `*` stands for any run of characters
    #[arg(long, value_name = "PATTERN")]
    model: Option<String>,
    /// How the list is printed
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Form,
    /// At this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    tables: TableArgs,
}

pub(super) fn list(args: &ListArgs, output: &mut Output) -> anyhow::Result<()> {
    let table = args.tables.load()?;
    let provider =
        args.provider.as_deref().map(|name| table.provider_id(name).unwrap_or_else(|| name.to_lowercase()));
    let wanted = |entry: &Explanation| {
        provider.as_ref().is_none_or(|provider| entry.provider.to_lowercase() == *provider)
            && args.model.as_deref().is_none_or(|pattern| agent_genai::prices::matches(pattern, &entry.model))
    };
    let mut count = 0_usize;
    let mut last = String::new();
    for entry in table.list(nanos(args.at)?).filter(wanted) {
        count += 1;
        if args.output == Form::Json {
            output.line(&serde_json::to_string(&entry)?)?;
            continue;
        }
        let owner = format!(
            "{} ({})",
            entry.provider,
            if entry.table.is_empty() { "override" } else { &entry.table }
        );
        if owner != last {
            output.line(&owner)?;
            last = owner;
        }
        let mut prices: Vec<String> = entry.prices.iter().map(short).collect();
        prices.extend(entry.ways.iter().map(|way| way.when.clone()));
        output.line(&format!("  {:<48} {}", entry.model, prices.join(", ")))?;
    }
    anyhow::ensure!(count > 0, "no such model is in the tables ({})", table.version());
    Ok(())
}
