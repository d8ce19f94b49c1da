//! Metrics reach the collector: the GenAI ones, and the agent's own.

use std::sync::Arc;

use agent_capture::CaptureStats;
use agent_genai::{call::Usage, record::Attributes};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, metric::Data, number_data_point::Value,
};
use serde_json::json;
use wirespan::{
    config::Span,
    export::{ExportConfig, Exporter, ExporterOptions, PipelineSource, Settings, Signal, Temporality},
    metrics::capture_metrics,
};

use super::{
    LONG, PROTOCOLS,
    collector::{Answer, Collector, Received},
    destination, fixture,
};

fn options() -> ExporterOptions {
    let agent = Attributes::from([("service.name".to_owned(), json!("wirespan"))]);
    ExporterOptions { agent, legacy_metrics: true }
}

fn settings(
    collector: &Collector,
    protocol: wirespan::export::Protocol,
    interval: Span,
    temporality: Temporality,
) -> Settings {
    let mut config = destination(&collector.url(), protocol);
    config.signals = vec![Signal::Traces, Signal::Metrics];
    config.metrics.interval = interval;
    config.metrics.temporality = temporality;
    Settings::resolve(&ExportConfig { otlp: vec![config], environment: false }, &|_| None).unwrap()
}

fn find<'a>(metrics: &'a [Metric], name: &str) -> &'a Metric {
    metrics.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn the_last_report_is_sent_at_the_shutdown() {
    let usage = Usage { input: Some(10), output: Some(5), ..Usage::default() };
    for protocol in PROTOCOLS {
        let collector = Collector::start([]);
        let source: PipelineSource =
            Arc::new(|| capture_metrics(&CaptureStats { bytes: 99, ..CaptureStats::default() }));
        let settings = settings(&collector, protocol, Span(LONG), Temporality::Cumulative);
        let exporter = Exporter::start(settings, &options(), Some(&source)).unwrap();
        exporter.observe(&fixture::call(usage.clone()), &fixture::record());
        let stats = exporter.shutdown(LONG).await;
        assert_eq!(stats.lost(), 0, "{stats:?}");
        assert_eq!(stats.destinations[1].signal, Signal::Metrics);
        assert_eq!(stats.destinations[1].sent, stats.destinations[1].pushed);

        let received = collector.received();
        assert!(received.iter().all(|request| request.metrics.is_some()));
        let metrics: Vec<Metric> = received.iter().flat_map(Received::metrics).collect();
        let duration = find(&metrics, "gen_ai.client.inference.duration");
        assert_eq!(duration.unit, "s");
        let Some(Data::Histogram(histogram)) = &duration.data else { panic!("a histogram") };
        assert_eq!(histogram.aggregation_temporality, AggregationTemporality::Cumulative as i32);
        assert_eq!((histogram.data_points[0].count, histogram.data_points[0].sum), (1, Some(2.0)));
        find(&metrics, "gen_ai.client.operation.duration");
        let Some(Data::Sum(bytes)) = &find(&metrics, "wirespan.capture.bytes").data else { panic!("a sum") };
        assert_eq!(bytes.data_points[0].value, Some(Value::AsInt(99)));
        let Some(Data::Sum(lost)) = &find(&metrics, "wirespan.export.lost").data else { panic!("a sum") };
        assert_eq!(lost.data_points.len(), 14, "seven causes for two lanes");
        let services: Vec<String> = received
            .iter()
            .flat_map(Received::resources)
            .flat_map(|resource| resource.attributes)
            .filter(|attribute| attribute.key == "service.name")
            .map(|attribute| format!("{:?}", attribute.value))
            .collect();
        assert_eq!(services.len(), 2);
        assert!(services[0].contains("shop") && services[1].contains("wirespan"), "{services:?}");
    }
}

#[tokio::test]
async fn changes_that_could_not_be_reported_yet_are_in_the_next_report() {
    let usage = Usage { input: Some(10), output: Some(5), ..Usage::default() };
    for protocol in PROTOCOLS {
        let collector = Collector::start([]);
        let settings = settings(&collector, protocol, Span::millis(5), Temporality::Delta);
        let exporter = Exporter::start(settings, &options(), None).unwrap();
        for _ in 0..40 {
            exporter.observe(&fixture::call(usage.clone()), &fixture::record());
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        collector.wait_for(2).await;
        let stats = exporter.shutdown(LONG).await;
        assert_eq!(stats.lost(), 0, "{stats:?}");
        let mut total = 0;
        for request in collector.received() {
            for metric in request.metrics() {
                if let (Some(Data::Histogram(histogram)), "gen_ai.client.inference.duration") =
                    (&metric.data, metric.name.as_str())
                {
                    assert_eq!(histogram.aggregation_temporality, AggregationTemporality::Delta as i32);
                    total += histogram.data_points.iter().map(|point| point.count).sum::<u64>();
                }
            }
        }
        assert_eq!(total, 40, "each call once, whatever the interval");
    }
}

#[tokio::test]
async fn reports_do_not_pile_up_behind_one_that_is_stuck() {
    let collector = Collector::start([Answer::Silence]);
    let settings = settings(&collector, PROTOCOLS[1], Span::millis(1), Temporality::Cumulative);
    let exporter = Exporter::start(settings, &options(), None).unwrap();
    collector.wait_for(1).await;
    while exporter.stats().destinations[1].deferred < 5 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let stats = exporter.stats();
    assert_eq!(
        stats.destinations[1].queued, stats.destinations[1].pushed,
        "one report, and no second behind it"
    );
    assert_eq!(stats.destinations[1].attempts, 1);
    exporter.shutdown(std::time::Duration::from_millis(10)).await;
}
