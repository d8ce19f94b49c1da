//! OTLP export, received by a collector: the right spans and metrics, over gRPC and HTTP, compressed or not, with headers.

mod collector;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use collector::Collector;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use wirespan_tests::capture::{Captured, Exec};
use wirespan_tests::programs::{Program, python_sdk};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, need, skip_if};

const CALLS: usize = 30;

/// Captures calls with the exporter set up by the standard variables.
fn captured(endpoint: &str, variables: &[(&str, &str)]) -> Result<Captured> {
    let standin = Standin::start()?;
    let mut command = python_sdk(&standin, "chat", "", &["--stream", "--calls", "30", "--concurrency", "5"])?;
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_SERVICE_NAME", "storefront");
    command.envs(variables.iter().copied());
    let captured = Exec::default().run(&command)?;
    ensure!(captured.run.status.success(), "{}", captured.run.stderr);
    agree::all(&captured.records, &standin.seen())?;
    Ok(captured)
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<&str, &Value> {
    pairs.iter().filter_map(|pair| Some((pair.key.as_str(), pair.value.as_ref()?.value.as_ref()?))).collect()
}

fn spans(collector: &Collector) -> Result<Vec<Span>> {
    let mut spans = Vec::new();
    for resource in collector.traces().into_iter().flat_map(|request| request.resource_spans) {
        let about = resource.resource.context("spans without a resource")?;
        let about = attributes(&about.attributes);
        ensure!(about.get("service.name") == Some(&&Value::StringValue("storefront".into())), "{about:?}");
        ensure!(about.contains_key("process.pid"), "{about:?}");
        ensure!(about.contains_key("telemetry.distro.name"), "{about:?}");
        spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
    Ok(spans)
}

/// The spans are those that were printed.
fn check_spans(collector: &Collector, captured: &Captured) -> Result<()> {
    ensure!(collector.refused().is_empty(), "{:?}", collector.refused());
    let spans = spans(collector)?;
    ensure!(spans.len() == CALLS, "{} spans for {CALLS} calls\n{}", spans.len(), captured.run.stderr);
    for span in &spans {
        let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let record = captured.records.iter().find(|record| record.span_id == id);
        let record = record.with_context(|| format!("span {id} was not printed"))?;
        ensure!(span.name == record.name && span.name == "chat gpt-4o-mini", "{}", span.name);
        ensure!(span.kind == 3, "the kind is {}", span.kind);
        ensure!(
            span.start_time_unix_nano > 0 && span.end_time_unix_nano >= span.start_time_unix_nano,
            "times: {span:?}"
        );
        let exported = attributes(&span.attributes);
        for name in ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"] {
            let printed = record.attributes.get(name).and_then(serde_json::Value::as_i64).context(name)?;
            ensure!(
                exported.get(name) == Some(&&Value::IntValue(printed)),
                "{name}: {:?}",
                exported.get(name)
            );
        }
        ensure!(!exported.contains_key("gen_ai.input.messages"), "content was exported unasked");
    }
    Ok(())
}

/// Total count of a histogram over all its points, at the end.
fn histogram_count(collector: &Collector, wanted: &str) -> u64 {
    const DELTA: i32 = 1;
    let requests = collector.metrics();
    let metrics = requests
        .iter()
        .flat_map(|request| &request.resource_metrics)
        .flat_map(|resource| &resource.scope_metrics);
    let mut total = 0;
    let mut latest: BTreeMap<String, u64> = BTreeMap::new();
    for metric in metrics.flat_map(|scope| &scope.metrics).filter(|metric| metric.name == wanted) {
        let Some(Data::Histogram(histogram)) = &metric.data else { continue };
        for point in &histogram.data_points {
            if histogram.aggregation_temporality == DELTA {
                total += point.count;
            } else {
                latest.insert(format!("{:?}", point.attributes), point.count);
            }
        }
    }
    total + latest.values().sum::<u64>()
}

fn check_metrics(collector: &Collector) -> Result<()> {
    for name in [
        "gen_ai.client.inference.duration",
        "gen_ai.client.inference.time_to_first_chunk",
        "gen_ai.client.inference.operation.input_tokens",
        "gen_ai.client.inference.operation.output_tokens",
    ] {
        let count = histogram_count(collector, name);
        ensure!(count == CALLS as u64, "{name} counts {count} of {CALLS} calls");
    }
    Ok(())
}

#[test]
fn over_grpc() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let collector = Collector::grpc()?;
    let captured = captured(&collector.endpoint(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")])?;
    check_spans(&collector, &captured)?;
    check_metrics(&collector)
}

#[test]
fn over_http_with_gzip_and_headers() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let collector = Collector::http()?;
    let variables = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector-token"),
    ];
    let captured = captured(&collector.endpoint(), &variables)?;
    check_spans(&collector, &captured)?;
    check_metrics(&collector)?;
    let seen = collector.authorization();
    ensure!(!seen.is_empty() && seen.iter().all(|value| value == "Bearer collector-token"), "{seen:?}");
    Ok(())
}

#[test]
fn a_dead_collector_loses_no_printed_call_and_says_so() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    // A port that was free a moment ago: connections to it are refused.
    let dead = Collector::http()?.endpoint();
    let captured = captured(&dead, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")])?;
    ensure!(captured.records.len() == CALLS, "{} calls printed", captured.records.len());
    let said = captured.run.stderr.to_lowercase();
    ensure!(said.contains("otlp") || said.contains("export"), "nothing was said about the collector: {said}");
    Ok(())
}
