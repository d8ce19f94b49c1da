//! What one call adds to which instrument, by the GenAI conventions.

use std::sync::Arc;

use agent_genai::{
    Call, Record,
    call::{OperationKind, Usage},
    semconv::{attribute, metric},
};
use serde_json::Value as Json;

use super::{
    aggregator::AttributeSet,
    instrument::Instrument::{self, *},
    point::Measure,
};

/// Attributes of the span that the metrics carry. All have few values.
const ATTRIBUTES: &[&str] = &[
    attribute::OPERATION_NAME,
    attribute::PROVIDER_NAME,
    attribute::REQUEST_MODEL,
    attribute::RESPONSE_MODEL,
    attribute::OPENAI_RESPONSE_SERVICE_TIER,
    attribute::OPENAI_RESPONSE_SYSTEM_FINGERPRINT,
    attribute::SERVER_ADDRESS,
    attribute::SERVER_PORT,
];

const MODALITY: &str = metric::TOKEN_MODALITY;
const TOKEN_TYPE: &str = metric::LEGACY_TOKEN_TYPE;

/// Most characters of an attribute value: model names come from the wire.
const MAX_VALUE: usize = 200;

const NANOS: f64 = 1e9;

/// Takes what is measured.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Instrument, &Arc<AttributeSet>, Measure<'_>);

/// The three shapes of attributes of one call.
struct Sets {
    plain: Arc<AttributeSet>,
    with_error: Arc<AttributeSet>,
}

impl Sets {
    fn new(record: &Record) -> Self {
        let take = |key: &&'static str| {
            let value = match record.attributes.get(*key)? {
                Json::String(text) if text.chars().nth(MAX_VALUE).is_some() => {
                    Json::String(text.chars().take(MAX_VALUE).collect())
                }
                value => value.clone(),
            };
            Some((*key, value))
        };
        let plain: AttributeSet = ATTRIBUTES.iter().filter_map(take).collect();
        let mut with_error = plain.clone();
        with_error.splice(0..0, take(&attribute::ERROR_TYPE));
        Self { plain: Arc::new(plain), with_error: Arc::new(with_error) }
    }

    fn plain_and(&self, key: &'static str, value: &str) -> Arc<AttributeSet> {
        let mut set = AttributeSet::clone(&self.plain);
        set.push((key, Json::String(value.to_owned())));
        Arc::new(set)
    }
}

/// Measures a call. What was not seen is not measured: no duration for an exchange whose start was missed.
pub(super) fn measure(call: &Call, record: &Record, legacy: bool, sink: Sink<'_>) {
    let operation =
        record.attributes.get(attribute::OPERATION_NAME).and_then(Json::as_str).unwrap_or_default();
    let sets = Sets::new(record);
    let whole = !call.completeness.attached_mid_stream;
    let timing = &call.timing;
    let duration = whole.then(|| seconds(timing.start, timing.end)).flatten();
    let first_chunk = timing.first_chunk.filter(|_| whole).and_then(|at| seconds(timing.start, at));
    let gaps = &timing.chunk_gaps;
    let mut value = |instrument, seconds: Option<f64>| {
        if let Some(seconds) = seconds {
            sink(instrument, &sets.with_error, Measure::Value(seconds));
        }
    };

    // Seen from the answering side the call belongs to its client's metrics: counting it here as well would double it.
    if record.kind == "SERVER" {
        // Tools and other procedures have no model server.
        if call.operation.kind() == OperationKind::Rpc {
            return;
        }
        value(ServerRequestDuration, duration);
        value(ServerTimeToFirstToken, first_chunk);
        return;
    }
    match operation {
        "embeddings" => {
            value(EmbeddingsDuration, duration);
            if let Some(tokens) = call.usage.input {
                sink(EmbeddingsInputTokens, &sets.with_error, Measure::Count(tokens));
            }
        }
        // Reads a response made earlier: no inference, and its usage was counted when it was made.
        "fetch_response" => {}
        // Nothing was inferred.
        _ if !matches!(call.operation.kind(), OperationKind::Inference) => return,
        _ => {
            value(InferenceDuration, duration);
            value(TimeToFirstChunk, first_chunk);
            if gaps.count > 0 {
                sink(TimePerOutputChunk, &sets.with_error, Measure::Gaps(gaps));
            }
            usage(&call.usage, &sets, sink);
        }
    }
    if legacy {
        measure_legacy(call, operation, &sets, duration, first_chunk, sink);
    }
}

/// Counters by modality, and the histograms of whole operations.
fn usage(usage: &Usage, sets: &Sets, sink: Sink<'_>) {
    let mut count = |instrument, total: u64, parts: &[(&'static str, Option<u64>)]| {
        let mut rest = total;
        for (modality, tokens) in parts {
            let tokens = tokens.unwrap_or(0).min(rest);
            rest -= tokens;
            if tokens > 0 {
                sink(instrument, &sets.plain_and(MODALITY, modality), Measure::Count(tokens));
            }
        }
        // A call without tokens is recorded too, so that the series exists: 0 of unknown modality.
        if rest > 0 || total == 0 {
            sink(instrument, &sets.plain_and(MODALITY, "unknown"), Measure::Count(rest));
        }
    };
    let input = [("text", usage.text_input), ("image", usage.image_input), ("audio", usage.audio_input)];
    let output = [("text", usage.text_output), ("image", usage.image_output), ("audio", usage.audio_output)];
    count(InputTokens, usage.input.unwrap_or(0), &input);
    count(OutputTokens, usage.output.unwrap_or(0), &output);
    if let Some(tokens) = usage.cache_read {
        let cached = [
            ("text", usage.text_cache_read),
            ("image", usage.image_cache_read),
            ("audio", usage.audio_cache_read),
        ];
        count(CacheReadTokens, tokens, &cached);
    }
    if let Some(tokens) = usage.cache_write {
        count(CacheWriteTokens, tokens, &[]);
    }
    if let Some(tokens) = usage.reasoning {
        count(ReasoningTokens, tokens, &[]);
    }
    for (instrument, tokens) in [(OperationInputTokens, usage.input), (OperationOutputTokens, usage.output)] {
        if let Some(tokens) = tokens {
            sink(instrument, &sets.with_error, Measure::Count(tokens));
        }
    }
}

fn measure_legacy(
    call: &Call,
    operation: &str,
    sets: &Sets,
    duration: Option<f64>,
    first_chunk: Option<f64>,
    sink: Sink<'_>,
) {
    for (instrument, seconds) in [(LegacyDuration, duration), (LegacyTimeToFirstChunk, first_chunk)] {
        if let Some(seconds) = seconds {
            sink(instrument, &sets.with_error, Measure::Value(seconds));
        }
    }
    if call.timing.chunk_gaps.count > 0 {
        sink(LegacyTimePerOutputChunk, &sets.with_error, Measure::Gaps(&call.timing.chunk_gaps));
    }
    if operation == "fetch_response" {
        return;
    }
    for (kind, tokens) in [("input", call.usage.input), ("output", call.usage.output)] {
        if let Some(tokens) = tokens {
            sink(LegacyTokenUsage, &sets.plain_and(TOKEN_TYPE, kind), Measure::Count(tokens));
        }
    }
}

/// The time between two points in seconds; `None` when they are out of order.
#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 nanoseconds (104 days)")]
fn seconds(from: u64, to: u64) -> Option<f64> {
    to.checked_sub(from).map(|nanos| nanos as f64 / NANOS)
}
