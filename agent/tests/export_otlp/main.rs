//! The exporter against collectors on loopback: OTLP/gRPC by tonic's generated server, OTLP/HTTP by hyper.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, helpers included"
)]

mod collector;
mod delivery;
mod failures;
#[path = "../../src/export/fixture.rs"]
mod fixture;
mod metrics;
mod tls;

use std::time::Duration;

use agent_genai::Record;
use collector::{Collector, Received};
use wirespan::{
    config::Span,
    export::{
        Compression, DestinationConfig, DestinationStats, ExportConfig, ExportStats, Exporter,
        ExporterOptions, Protocol, Settings, Signal,
    },
};

/// Both ways in which OTLP is carried.
const PROTOCOLS: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

/// Longer than any test takes: nothing below depends on it unless something hangs.
const LONG: Duration = Duration::from_secs(120);

/// Spans only, uncompressed, sent when the batch is full or at the shutdown, retried at once.
fn destination(endpoint: &str, protocol: Protocol) -> DestinationConfig {
    let mut destination = DestinationConfig {
        endpoint: endpoint.to_owned(),
        protocol,
        signals: vec![Signal::Traces],
        compression: Compression::None,
        timeout: Span(LONG),
        ..DestinationConfig::default()
    };
    destination.batch.delay = Span(LONG);
    destination.retry.initial_delay = Span::millis(1);
    destination.retry.max_delay = Span::millis(5);
    destination.retry.give_up_after = Span(LONG);
    destination
}

fn start(destination: DestinationConfig) -> Exporter {
    let config = ExportConfig { otlp: vec![destination], environment: false };
    let settings = Settings::resolve(&config, &|_| None).unwrap();
    assert_eq!(settings.warnings, Vec::<String>::new());
    Exporter::start(settings, &ExporterOptions::default(), None).unwrap()
}

fn only(stats: &ExportStats) -> &DestinationStats {
    assert_eq!(stats.destinations.len(), 1);
    &stats.destinations[0]
}

/// A span that can be told from the others.
fn numbered(number: u64) -> Record {
    let mut record = fixture::record();
    record.span_id = format!("{:016x}", number + 1);
    record
}

/// Nothing is lost without being counted.
fn assert_balanced(stats: &DestinationStats) {
    assert_eq!(stats.pushed, stats.sent + stats.lost() + stats.queued, "{stats:?}");
}

/// The ids of the spans of all accepted requests, in order.
fn accepted_ids(collector: &Collector) -> Vec<u64> {
    collector
        .received()
        .iter()
        .filter(|request| request.accepted)
        .flat_map(Received::spans)
        .map(|span| u64::from_be_bytes(span.span_id.as_slice().try_into().unwrap()) - 1)
        .collect()
}
