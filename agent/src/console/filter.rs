//! Which calls are shown: the same conditions on the command line and in the local API's query.

use agent_genai::Record;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Row;
use crate::config::pattern;

/// Conditions; all those given must hold. Names may contain `*`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Only calls to this provider (`openai`, `anthropic` …)
    #[arg(long, value_name = "NAME", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Only calls for this model; `*` stands for any characters
    #[arg(long, value_name = "NAME", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only calls of this service; `*` stands for any characters
    #[arg(long, value_name = "NAME", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only calls of this process
    #[arg(long = "process", value_name = "PID", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u64>,
    /// Only calls that went well (`ok`) or failed (`error`)
    #[arg(long, value_name = "STATUS", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusFilter>,
    /// Only calls that ended for this reason (`stop`, `tool_calls`, `end_turn` …)
    #[arg(long, value_name = "REASON", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Only calls that cost at least so many US dollars
    #[arg(long, value_name = "USD", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_cost: Option<Decimal>,
    /// Only calls with at least so many tokens in and out together
    #[arg(long, value_name = "COUNT", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tokens: Option<u64>,
    /// Only calls that took at least so many seconds
    #[arg(long, value_name = "SECONDS", help_heading = "Filters")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_duration: Option<f64>,
}

/// Outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum StatusFilter {
    /// Did not fail.
    Ok,
    /// Failed.
    Error,
}

impl Filter {
    /// Whether the call is to be shown.
    #[must_use]
    pub fn accepts(&self, record: &Record) -> bool {
        let Self {
            provider,
            model,
            service,
            process,
            status,
            finish_reason,
            min_cost,
            min_tokens,
            min_duration,
        } = self;
        let row = Row::new(record);
        pattern::matches_if_given(provider.as_deref(), &row.provider)
            && pattern::matches_if_given(model.as_deref(), &row.model)
            && pattern::matches_if_given(service.as_deref(), &row.service)
            && process.is_none_or(|pid| row.pid == Some(pid))
            && status.is_none_or(|status| row.failed == (status == StatusFilter::Error))
            && finish_reason.as_deref().is_none_or(|reason| row.outcome.split(',').any(|one| one == reason))
            && min_cost.is_none_or(|least| row.cost.is_some_and(|cost| cost >= least))
            && min_tokens
                .is_none_or(|least| row.input.unwrap_or(0).saturating_add(row.output.unwrap_or(0)) >= least)
            && min_duration.is_none_or(|least| row.duration.is_some_and(|duration| duration >= least))
    }
}
