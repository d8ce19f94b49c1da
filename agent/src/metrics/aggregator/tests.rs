//! What calls become as metrics.

use agent_genai::call::Usage;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data, number_data_point::Value as Number};
use serde_json::json;

use super::*;
use crate::export::fixture::{self, call};

const SECOND: u64 = 1_000_000_000;

fn aggregator(temporality: Temporality, max_series: usize, legacy: bool) -> Aggregator {
    let agent = Attributes::from([("service.name".to_owned(), json!("wirespan"))]);
    Aggregator::new(AggregatorOptions { temporality, max_series, legacy, agent }, SECOND)
}

fn metrics(requests: &[ExportMetricsServiceRequest]) -> Vec<&Metric> {
    requests
        .iter()
        .flat_map(|request| &request.resource_metrics)
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics)
        .collect()
}

/// One line for each point: name, attributes that were asked for, value.
fn points(requests: &[ExportMetricsServiceRequest], key: &str) -> Vec<String> {
    use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
    let attribute = |attributes: &[KeyValue]| {
        let found = attributes.iter().find(|attribute| attribute.key == key);
        match found.and_then(|attribute| attribute.value.as_ref()).and_then(|value| value.value.as_ref()) {
            Some(Any::StringValue(text)) => text.clone(),
            Some(other) => format!("{other:?}"),
            None => "-".to_owned(),
        }
    };
    let mut lines = Vec::new();
    for metric in metrics(requests) {
        let name = metric.name.trim_start_matches("gen_ai.client.");
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic);
                for point in &sum.data_points {
                    let Some(Number::AsInt(value)) = point.value else { panic!("an integer") };
                    lines.push(format!("{name} {} {value}", attribute(&point.attributes)));
                }
            }
            Data::Histogram(histogram) => {
                for point in &histogram.data_points {
                    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                    assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                    lines.push(format!(
                        "{name} {} {}x{}",
                        attribute(&point.attributes),
                        point.count,
                        point.sum.unwrap()
                    ));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    lines.sort();
    lines
}

fn usage() -> Usage {
    Usage {
        input: Some(812),
        output: Some(100),
        cache_read: Some(512),
        audio_input: Some(12),
        audio_cache_read: Some(2),
        reasoning: Some(40),
        ..Usage::default()
    }
}

#[test]
fn a_streamed_chat_feeds_every_inference_instrument() {
    let mut aggregator = aggregator(Temporality::Cumulative, 100, false);
    aggregator.record(&call(usage()), &fixture::record());
    let requests = aggregator.collect(2 * SECOND);
    assert_eq!(
        points(&requests, "gen_ai.token.modality"),
        [
            "inference.duration - 1x2",
            "inference.operation.input_tokens - 1x812",
            "inference.operation.output_tokens - 1x100",
            "inference.time_per_output_chunk - 3x0.3",
            "inference.time_to_first_chunk - 1x0.5",
            "inference.usage.cache_read.input_tokens audio 2",
            "inference.usage.cache_read.input_tokens unknown 510",
            "inference.usage.input_tokens audio 12",
            "inference.usage.input_tokens unknown 800",
            "inference.usage.output_tokens unknown 100",
            "inference.usage.reasoning.output_tokens unknown 40",
        ]
    );
    let errors = points(&requests, "error.type");
    assert!(errors.contains(&"inference.duration 429 1x2".to_owned()));
    assert!(
        errors.contains(&"inference.usage.output_tokens - 100".to_owned()),
        "counters have no error.type"
    );
    assert!(points(&requests, "gen_ai.request.model").iter().all(|line| line.contains("gpt-4o-mini")));
}

#[test]
fn a_call_without_usage_counts_zero_tokens_of_unknown_modality() {
    let mut aggregator = aggregator(Temporality::Cumulative, 100, false);
    aggregator.record(&call(Usage::default()), &fixture::record());
    let lines = points(&aggregator.collect(2 * SECOND), "gen_ai.token.modality");
    assert!(lines.contains(&"inference.usage.input_tokens unknown 0".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("operation.") || line.contains("cache")), "{lines:?}");
}

#[test]
fn the_legacy_set_comes_on_request() {
    let mut aggregator = aggregator(Temporality::Cumulative, 100, true);
    aggregator.record(&call(usage()), &fixture::record());
    let lines = points(&aggregator.collect(2 * SECOND), "gen_ai.token.type");
    for line in [
        "operation.duration - 1x2",
        "operation.time_per_output_chunk - 3x0.3",
        "operation.time_to_first_chunk - 1x0.5",
        "token.usage input 1x812",
        "token.usage output 1x100",
    ] {
        assert!(lines.contains(&line.to_owned()), "{line} in {lines:?}");
    }
}

fn record_of(operation: &str) -> Record {
    let mut record = fixture::record();
    record.attributes.insert("gen_ai.operation.name".to_owned(), json!(operation));
    record
}

#[test]
fn embeddings_and_fetched_responses_are_no_inference() {
    let mut embeddings = aggregator(Temporality::Cumulative, 100, false);
    embeddings.record(&call(usage()), &record_of("embeddings"));
    assert_eq!(
        points(&embeddings.collect(2 * SECOND), "none"),
        ["embeddings.duration - 1x2", "embeddings.operation.input_tokens - 1x812"]
    );
    let mut fetch = aggregator(Temporality::Cumulative, 100, true);
    fetch.record(&call(usage()), &record_of("fetch_response"));
    assert!(points(&fetch.collect(2 * SECOND), "none").iter().all(|line| line.starts_with("operation.")));
}

#[test]
fn the_serving_side_is_not_counted_as_a_client() {
    let mut server = fixture::record();
    server.kind = "SERVER".to_owned();
    let mut aggregator = aggregator(Temporality::Cumulative, 100, true);
    aggregator.record(&call(usage()), &server);
    assert_eq!(
        points(&aggregator.collect(2 * SECOND), "none"),
        ["gen_ai.server.request.duration - 1x2", "gen_ai.server.time_to_first_token - 1x0.5"]
    );
}

#[test]
fn a_call_whose_start_was_missed_has_no_duration() {
    let mut late = call(usage());
    late.completeness.attached_mid_stream = true;
    let mut aggregator = aggregator(Temporality::Cumulative, 100, false);
    aggregator.record(&late, &fixture::record());
    let lines = points(&aggregator.collect(2 * SECOND), "none");
    assert!(!lines.iter().any(|line| line.contains("duration") || line.contains("first_chunk")), "{lines:?}");
}

#[test]
fn totals_stay_and_changes_restart() {
    let lines = |temporality| {
        let mut aggregator = aggregator(temporality, 100, false);
        aggregator.record(&call(usage()), &fixture::record());
        aggregator.collect(2 * SECOND);
        aggregator.record(&call(usage()), &fixture::record());
        let requests = aggregator.collect(3 * SECOND);
        let (mut start, mut end) = (0, 0);
        for metric in metrics(&requests) {
            if let Some(Data::Sum(sum)) = &metric.data {
                (start, end) = (sum.data_points[0].start_time_unix_nano, sum.data_points[0].time_unix_nano);
            }
        }
        let empty = aggregator.collect(4 * SECOND).is_empty();
        (
            points(&requests, "none")
                .into_iter()
                .find(|line| line.contains("output_tokens - 2") || line.contains("output_tokens - 1")),
            start,
            end,
            empty,
        )
    };
    let (total, start, end, empty) = lines(Temporality::Cumulative);
    assert_eq!(
        (total.as_deref(), start, end, empty),
        (Some("inference.operation.output_tokens - 2x200"), SECOND, 3 * SECOND, false)
    );
    let (change, start, end, empty) = lines(Temporality::Delta);
    assert_eq!(
        (change.as_deref(), start, end, empty),
        (Some("inference.operation.output_tokens - 1x100"), 2 * SECOND, 3 * SECOND, true)
    );
}

#[test]
fn the_number_of_series_is_bounded_and_nothing_is_lost_beyond_it() {
    let mut aggregator = aggregator(Temporality::Cumulative, 10, false);
    for number in 0..100 {
        let mut record = fixture::record();
        record.attributes.insert("gen_ai.request.model".to_owned(), json!(format!("model-{number}")));
        record.resource.insert("service.name".to_owned(), json!(format!("service-{}", number / 2)));
        aggregator.record(&call(Usage { output: Some(1), ..Usage::default() }), &record);
    }
    assert!(aggregator.resources.len() <= 10);
    let requests = aggregator.collect(2 * SECOND);
    let overflow = points(&requests, "otel.metric.overflow");
    let outputs: Vec<&String> = overflow.iter().filter(|line| line.contains("usage.output_tokens")).collect();
    assert_eq!(outputs.len(), 10);
    let sum: u64 = outputs.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 100);
    assert_eq!(outputs.iter().filter(|line| line.contains("BoolValue(true)")).count(), 1);
}

#[test]
fn idle_series_are_forgotten_and_start_anew() {
    let mut aggregator = aggregator(Temporality::Cumulative, 100, false);
    aggregator.record(&call(usage()), &fixture::record());
    aggregator.collect(2 * SECOND);
    assert!(!aggregator.collect(IDLE).is_empty());
    assert!(!aggregator.collect(IDLE + 3 * SECOND).is_empty(), "reported a last time");
    assert!(aggregator.collect(IDLE + 4 * SECOND).is_empty());
    assert!(aggregator.resources.is_empty());
    aggregator.record(&call(usage()), &fixture::record());
    let requests = aggregator.collect(IDLE + 5 * SECOND);
    assert!(points(&requests, "none").contains(&"inference.operation.output_tokens - 1x100".to_owned()));
}

#[test]
fn calls_of_short_lived_processes_are_one_series() {
    let mut aggregator = aggregator(Temporality::Cumulative, 100, false);
    for pid in 0..50 {
        let mut record = fixture::record();
        record.resource.insert("process.pid".to_owned(), json!(pid));
        aggregator.record(&call(usage()), &record);
    }
    let lines = points(&aggregator.collect(2 * SECOND), "none");
    assert!(lines.contains(&"inference.operation.output_tokens - 50x5000".to_owned()), "{lines:?}");
}

#[test]
fn long_attribute_values_are_cut() {
    let mut record = fixture::record();
    record.attributes.insert("gen_ai.request.model".to_owned(), json!("m".repeat(10_000)));
    let mut aggregator = aggregator(Temporality::Cumulative, 100, false);
    aggregator.record(&call(usage()), &record);
    assert!(
        points(&aggregator.collect(2 * SECOND), "gen_ai.request.model").iter().all(|line| line.len() < 400)
    );
}
