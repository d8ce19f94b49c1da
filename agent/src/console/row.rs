//! The facts of a Record that a table shows, read out once.

use agent_genai::Record;
use agent_genai::record::{StatusCode, UsageSource};
use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;
use serde_json::Value;

/// One line of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Start of the call.
    pub start: Option<Timestamp>,
    /// `service.name`.
    pub service: String,
    /// `process.pid`.
    pub pid: Option<u64>,
    /// Name of the span.
    pub name: String,
    /// `gen_ai.operation.name`.
    pub operation: String,
    /// `gen_ai.provider.name`.
    pub provider: String,
    /// Model asked for, else the one that answered.
    pub model: String,
    /// The call failed.
    pub failed: bool,
    /// `error.type`, else the finish reasons.
    pub outcome: String,
    /// Input tokens.
    pub input: Option<u64>,
    /// Input tokens read from a cache.
    pub cached: Option<u64>,
    /// Output tokens.
    pub output: Option<u64>,
    /// Cost in US dollars: ours, else the provider's.
    pub cost: Option<Decimal>,
    /// Time to first chunk in seconds.
    pub ttft: Option<f64>,
    /// Duration in seconds.
    pub duration: Option<f64>,
    /// Host of the request.
    pub server: String,
    /// Streamed.
    pub stream: bool,
    /// What deserves a look: lost bytes, truncation and so on.
    pub flags: Vec<&'static str>,
    /// Span id.
    pub span_id: String,
}

impl Row {
    /// Reads the facts out of a Record. Missing or odd attributes become empty fields.
    #[must_use]
    pub fn new(record: &Record) -> Self {
        let text =
            |name: &str| record.attributes.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |name: &str| record.attributes.get(name).and_then(Value::as_u64);
        let start = record.start.parse::<Timestamp>().ok();
        let end = record.end.parse::<Timestamp>().ok();
        let failed = record.status.code == StatusCode::Error;
        let finish = match record.attributes.get("gen_ai.response.finish_reasons") {
            Some(Value::Array(reasons)) => {
                reasons.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            _ => String::new(),
        };
        let error = text("error.type");
        let model = text("gen_ai.request.model");
        Self {
            start,
            service: record
                .resource
                .get("service.name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            pid: record.resource.get("process.pid").and_then(Value::as_u64),
            name: record.name.clone(),
            operation: text("gen_ai.operation.name"),
            provider: text("gen_ai.provider.name"),
            model: if model.is_empty() { text("gen_ai.response.model") } else { model },
            failed,
            outcome: match (failed, error.is_empty()) {
                (true, false) => error,
                (true, true) => "error".to_owned(),
                (false, _) => finish,
            },
            input: number("gen_ai.usage.input_tokens"),
            cached: number("gen_ai.usage.cache_read.input_tokens").filter(|cached| *cached > 0),
            output: number("gen_ai.usage.output_tokens"),
            cost: record.cost.usd.or(record.cost.provider_usd),
            ttft: record.attributes.get("gen_ai.response.time_to_first_chunk").and_then(Value::as_f64),
            // A recording without times begins and ends at once.
            duration: start
                .zip(end)
                .map(|(start, end)| end.duration_since(start).as_secs_f64())
                .filter(|seconds| *seconds > 0.0),
            server: text("server.address"),
            stream: record.attributes.get("gen_ai.request.stream").and_then(Value::as_bool).unwrap_or(false),
            flags: flags(record),
            span_id: record.span_id.clone(),
        }
    }

    /// Start as `HH:MM:SS`, or with milliseconds.
    #[must_use]
    pub fn time(&self, zone: &TimeZone, millis: bool) -> String {
        match self.start {
            Some(start) => {
                let format = if millis { "%H:%M:%S%.3f" } else { "%H:%M:%S" };
                start.to_zoned_datetime(zone.clone()).strftime(format).to_string()
            }
            None => "-".to_owned(),
        }
    }
}

fn flags(record: &Record) -> Vec<&'static str> {
    let capture = &record.capture;
    let mut flags = Vec::new();
    for (set, flag) in [
        (capture.lost_bytes > 0, "lost"),
        (capture.truncated, "truncated"),
        (capture.attached_mid_stream, "mid-stream"),
        (capture.undecodable.is_some(), "undecodable"),
        (record.usage_source == UsageSource::Estimated, "estimated"),
        (record.usage_source == UsageSource::Absent && record.status.code == StatusCode::Unset, "no-usage"),
        (record.checks.iter().any(|check| check.verdict == "fail"), "check-failed"),
        (record.inferred, "inferred"),
        (record.kind == "SERVER", "server"),
    ] {
        if set {
            flags.push(flag);
        }
    }
    if flags.is_empty() && !capture.complete {
        flags.push("partial");
    }
    flags
}
