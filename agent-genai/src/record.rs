//! The printed, stored and exported form of a span: versioned JSON, one object a line, the same everywhere.

mod build;
mod builder;
mod content;
mod ids;
mod retrieval;
mod rpc;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use build::{Compat, RecordOptions, build_record};
pub use ids::SpanIds;

/// Version of the Record's JSON form.
pub const RECORD_VERSION: u32 = 1;

/// Flat attributes by their semantic-convention names, sorted.
pub type Attributes = BTreeMap<String, Value>;

/// One span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`].
    pub v: u32,
    /// Id of the recorded exchange; from `decode` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// 16 hex digits, or null.
    pub parent_span_id: Option<String>,
    /// Links to other spans.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Span name: `{operation} {model}`.
    pub name: String,
    /// CLIENT, SERVER or INTERNAL.
    pub kind: String,
    /// RFC 3339 with nanoseconds.
    pub start: String,
    /// RFC 3339 with nanoseconds.
    pub end: String,
    /// Status.
    pub status: Status,
    /// Attributes of the observed process.
    pub resource: Attributes,
    /// Attributes of the span; content attributes are JSON values and present only when content is on.
    pub attributes: Attributes,
    /// Events.
    #[serde(default)]
    pub events: Vec<Event>,
    /// Where the token counts come from.
    pub usage_source: UsageSource,
    /// What the call cost.
    pub cost: Cost,
    /// Checks.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// How it was captured, and how much of it.
    pub capture: Capture,
    /// Put together from other calls rather than seen.
    pub inferred: bool,
}

/// Status of a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// UNSET or ERROR.
    pub code: StatusCode,
    /// Why, for ERROR.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Status code of a span; OK is never set (the conventions leave it to the application).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StatusCode {
    /// Nothing to say.
    Unset,
    /// Failed.
    Error,
}

/// A link to another span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// Attributes.
    #[serde(default)]
    pub attributes: Attributes,
}

/// An event on a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Name.
    pub name: String,
    /// RFC 3339 with nanoseconds.
    pub time: String,
    /// Attributes.
    #[serde(default)]
    pub attributes: Attributes,
}

/// Where token counts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported them.
    Reported,
    /// Estimated from the content.
    Estimated,
    /// There are none.
    Absent,
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Total in US dollars; null when unknown.
    #[serde(with = "decimal_number")]
    pub usd: Option<Decimal>,
    /// Where the price comes from.
    pub source: CostSource,
    /// What the provider itself reported, in US dollars.
    #[serde(with = "decimal_number")]
    pub provider_usd: Option<Decimal>,
    /// The arithmetic, line by line.
    pub lines: Vec<CostLine>,
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostSource {
    /// The user's override file.
    Override,
    /// The provider reported the cost and no table has a price.
    Provider,
    /// The price table.
    Table,
    /// No price is known: unknown, not zero.
    None,
}

/// One line of the arithmetic: quantity times price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostLine {
    /// `input`, `cache_read`, `cache_write`, `output`, `audio_input`, `requests` …
    pub item: String,
    /// How many.
    #[serde(with = "quantity_number")]
    pub quantity: Decimal,
    /// `token`, `request`, `search`, `image`, `second` …
    pub unit: String,
    /// US dollars for a million units.
    #[serde(with = "decimal_number")]
    pub usd_per_million: Option<Decimal>,
    /// US dollars.
    #[serde(with = "decimal_number")]
    pub usd: Option<Decimal>,
}

/// One deterministic check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Name.
    pub name: String,
    /// `pass`, `fail` or `not_applicable`.
    pub verdict: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Where in the body.
    #[serde(default)]
    pub path: String,
}

/// How a call was captured, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// `uprobe`, `socket`, `proxy` or `recording`.
    pub source: String,
    /// All of it was seen and understood.
    pub complete: bool,
    /// Bytes of the request on the connection.
    pub request_bytes: u64,
    /// Bytes of the response on the connection.
    pub response_bytes: u64,
    /// Bytes known to be missing.
    pub lost_bytes: u64,
    /// Ended before its end.
    pub truncated: bool,
    /// The capture began inside it.
    pub attached_mid_stream: bool,
    /// What could not be decoded, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecodable: Option<String>,
}

/// Decimals as JSON numbers: exact in the arithmetic, readable in the output.
mod quantity_number {
    use rust_decimal::{Decimal, prelude::ToPrimitive};
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Number;

    pub(super) fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        match value.to_u64().filter(|_| value.is_integer()) {
            Some(whole) => serializer.serialize_u64(whole),
            None => serializer.serialize_f64(value.to_f64().unwrap_or_default()),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = Number::deserialize(deserializer)?.to_string();
        let number = text.parse().or_else(|_| Decimal::from_scientific(&text));
        number.map_err(serde::de::Error::custom)
    }
}

mod decimal_number {
    use rust_decimal::{Decimal, prelude::ToPrimitive};
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Number;

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Decimal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value.and_then(|v| v.to_f64()) {
            Some(number) => serializer.serialize_f64(number),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Decimal>, D::Error> {
        Ok(Option::<Number>::deserialize(deserializer)?.and_then(|n| {
            let text = n.to_string();
            text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
        }))
    }
}
