//! One Record as one OTLP span.

use std::collections::BTreeMap;

use agent_genai::{
    Record,
    record::{Attributes, StatusCode, UsageSource},
};
use jiff::Timestamp;
use opentelemetry_proto::tonic::{
    resource::v1::Resource,
    trace::v1::{
        Span, Status,
        span::{Event, Link, SpanKind},
        status::StatusCode as OtlpStatusCode,
    },
};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::{Value, json};

use super::value::{any_value, attributes, key_value};

/// The W3C "sampled" flag: what was captured is exported, so it is set on every span.
const FLAG_SAMPLED: u32 = 0x01;

/// Why a Record cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// An id of the wrong length, not hexadecimal, or all zeros.
    #[error("{field} is {value:?}: it must be {digits} hexadecimal digits and not all zeros")]
    Id {
        /// Which one.
        field: &'static str,
        /// As it is.
        value: String,
        /// As it should be.
        digits: usize,
    },
    /// A time that is not RFC 3339 or lies outside the range of 64-bit nanoseconds since 1970.
    #[error("{field} is {value:?}: it must be an RFC 3339 time from 1970 to 2554")]
    Time {
        /// Which one.
        field: &'static str,
        /// As it is.
        value: String,
    },
    /// A kind that does not exist.
    #[error("kind is {0:?}: it must be CLIENT, SERVER, INTERNAL, PRODUCER or CONSUMER")]
    Kind(String),
}

/// The resource of a Record.
pub(crate) fn resource(from: &Attributes) -> Resource {
    let mut attributes = attributes(from);
    if !from.contains_key("service.name") {
        // Required by the conventions, with this value where nothing is known.
        attributes.extend(any_value(&json!("unknown_service")).map(|value| key_value("service.name", value)));
    }
    Resource { attributes, ..Resource::default() }
}

/// One Record as a span. Besides the Record's attributes it carries what the Record says outside of them: the cost and its
/// lines (`gen_ai.usage.cost`, `wirespan.cost.*`), where the token counts come from (`wirespan.usage.source`), how
/// much was captured (`wirespan.capture.*`) and the checks (`wirespan.check.*`); an attribute of the Record wins over these.
///
/// # Errors
/// When an id, a time or the kind cannot be expressed in OTLP.
pub fn span(record: &Record) -> Result<Span, RecordError> {
    let kind = match record.kind.as_str() {
        "CLIENT" => SpanKind::Client,
        "SERVER" => SpanKind::Server,
        "INTERNAL" => SpanKind::Internal,
        "PRODUCER" => SpanKind::Producer,
        "CONSUMER" => SpanKind::Consumer,
        other => return Err(RecordError::Kind(other.to_owned())),
    };
    let mut span_attributes = attributes(&record.attributes);
    for (key, value) in derived(record) {
        if !record.attributes.contains_key(&key) {
            span_attributes.extend(any_value(&value).map(|value| key_value(key, value)));
        }
    }
    let code = match record.status.code {
        StatusCode::Unset => OtlpStatusCode::Unset,
        StatusCode::Error => OtlpStatusCode::Error,
    };
    Ok(Span {
        trace_id: id("trace_id", &record.trace_id, 32)?,
        span_id: id("span_id", &record.span_id, 16)?,
        parent_span_id: match &record.parent_span_id {
            Some(parent) => id("parent_span_id", parent, 16)?,
            None => Vec::new(),
        },
        flags: FLAG_SAMPLED,
        name: record.name.clone(),
        kind: kind.into(),
        start_time_unix_nano: nanos("start", &record.start)?,
        end_time_unix_nano: nanos("end", &record.end)?,
        attributes: span_attributes,
        events: record
            .events
            .iter()
            .map(|event| {
                Ok(Event {
                    time_unix_nano: nanos("events.time", &event.time)?,
                    name: event.name.clone(),
                    attributes: attributes(&event.attributes),
                    dropped_attributes_count: 0,
                })
            })
            .collect::<Result<_, RecordError>>()?,
        links: record
            .links
            .iter()
            .map(|link| {
                Ok(Link {
                    trace_id: id("links.trace_id", &link.trace_id, 32)?,
                    span_id: id("links.span_id", &link.span_id, 16)?,
                    attributes: attributes(&link.attributes),
                    flags: FLAG_SAMPLED,
                    ..Link::default()
                })
            })
            .collect::<Result<_, RecordError>>()?,
        status: Some(Status { message: record.status.message.clone(), code: code.into() }),
        ..Span::default()
    })
}

/// What a Record says outside of its attributes.
fn derived(record: &Record) -> Vec<(String, Value)> {
    let mut out: Vec<(String, Value)> = Vec::new();
    let mut set = |key: String, value: Value| out.push((key, value));
    let source = match record.usage_source {
        UsageSource::Reported => "reported",
        UsageSource::Estimated => "estimated",
        UsageSource::Absent => "absent",
    };
    set("wirespan.usage.source".to_owned(), json!(source));

    let cost = &record.cost;
    if let Some(usd) = decimal(cost.usd) {
        set("gen_ai.usage.cost".to_owned(), usd);
    }
    if let Ok(source) = serde_json::to_value(cost.source) {
        set("wirespan.cost.source".to_owned(), source);
    }
    if let Some(usd) = decimal(cost.provider_usd) {
        set("wirespan.cost.provider_usd".to_owned(), usd);
    }
    // Tiers make several lines of one item: an attribute can only hold their sum. Without every price there is no sum.
    let mut items: BTreeMap<&str, (Decimal, Option<Decimal>)> = BTreeMap::new();
    for line in &cost.lines {
        let item = items.entry(&line.item).or_insert((Decimal::ZERO, Some(Decimal::ZERO)));
        item.0 = item.0.saturating_add(line.quantity);
        item.1 = item.1.zip(line.usd).and_then(|(sum, usd)| sum.checked_add(usd));
    }
    for (item, (quantity, usd)) in items {
        let whole = quantity.to_u64().filter(|_| quantity.is_integer());
        let quantity = whole.map_or_else(|| json!(quantity.to_f64()), |whole| json!(whole));
        set(format!("wirespan.cost.{item}.quantity"), quantity);
        if let Some(usd) = decimal(usd) {
            set(format!("wirespan.cost.{item}.usd"), usd);
        }
    }

    let capture = &record.capture;
    set("wirespan.capture.source".to_owned(), json!(capture.source));
    set("wirespan.capture.complete".to_owned(), json!(capture.complete));
    set("wirespan.capture.request_bytes".to_owned(), json!(capture.request_bytes));
    set("wirespan.capture.response_bytes".to_owned(), json!(capture.response_bytes));
    if capture.lost_bytes > 0 {
        set("wirespan.capture.lost_bytes".to_owned(), json!(capture.lost_bytes));
    }
    if capture.truncated {
        set("wirespan.capture.truncated".to_owned(), json!(true));
    }
    if capture.attached_mid_stream {
        set("wirespan.capture.attached_mid_stream".to_owned(), json!(true));
    }
    if let Some(what) = &capture.undecodable {
        set("wirespan.capture.undecodable".to_owned(), json!(what));
    }
    if record.inferred {
        set("wirespan.inferred".to_owned(), json!(true));
    }
    for check in &record.checks {
        set(format!("wirespan.check.{}", check.name), json!(check.verdict));
        if !check.reason.is_empty() {
            set(format!("wirespan.check.{}.reason", check.name), json!(check.reason));
        }
    }
    out
}

/// A decimal as a JSON float, never as an integer: the type of an attribute must not depend on its value.
fn decimal(value: Option<Decimal>) -> Option<Value> {
    value.and_then(|value| value.to_f64()).map(|value| json!(value))
}

fn id(field: &'static str, text: &str, digits: usize) -> Result<Vec<u8>, RecordError> {
    let bytes = hex(text).filter(|bytes| bytes.len() * 2 == digits && bytes.iter().any(|byte| *byte != 0));
    bytes.ok_or_else(|| RecordError::Id { field, value: text.to_owned(), digits })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => {
                let (high, low) = (char::from(*high).to_digit(16)?, char::from(*low).to_digit(16)?);
                u8::try_from(high << 4 | low).ok()
            }
            _ => None,
        })
        .collect()
}

fn nanos(field: &'static str, text: &str) -> Result<u64, RecordError> {
    let time: Option<Timestamp> = text.parse().ok();
    time.and_then(|time| u64::try_from(time.as_nanosecond()).ok())
        .ok_or_else(|| RecordError::Time { field, value: text.to_owned() })
}

#[cfg(test)]
mod tests;
