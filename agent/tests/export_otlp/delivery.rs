//! What arrives is what was pushed.

use serde_json::json;
use wirespan::{
    config::{ByteSize, Span},
    export::{Compression, ExportConfig, Exporter, ExporterOptions, Secret, Settings, otlp},
};

use super::{
    LONG, PROTOCOLS, accepted_ids, assert_balanced,
    collector::{Answer, Collector},
    destination, fixture, numbered, only, start,
};

#[tokio::test]
async fn spans_arrive_exactly_with_their_resources_and_headers() {
    for protocol in PROTOCOLS {
        for compression in [Compression::None, Compression::Gzip] {
            let collector = Collector::start([]);
            let mut config = destination(&collector.url(), protocol);
            config.compression = compression;
            config.headers.insert("Authorization".to_owned(), Secret::new("Bearer hush"));
            let exporter = start(config);
            let mut records = [numbered(0), numbered(1), numbered(2)];
            records[1].resource.insert("service.name".to_owned(), json!("other"));
            for record in &records {
                exporter.push(record);
            }
            let stats = exporter.shutdown(LONG).await;
            let stats = only(&stats);
            assert_eq!((stats.sent, stats.lost(), stats.attempts), (3, 0, 1), "{stats:?}");
            assert_eq!(stats.to_string(), format!("{}: 3 of 3 spans sent", collector.address()));

            let received = collector.received();
            assert_eq!(received.len(), 1, "one request");
            let request = &received[0];
            assert_eq!(request.resources().len(), 2, "one ResourceSpans for each resource");
            let expected = [&records[0], &records[2], &records[1]].map(|record| otlp::span(record).unwrap());
            assert_eq!(request.spans(), expected);
            let scope =
                request.traces.as_ref().unwrap().resource_spans[0].scope_spans[0].scope.clone().unwrap();
            assert_eq!(
                (scope.name.as_str(), scope.version.as_str()),
                ("wirespan", env!("CARGO_PKG_VERSION"))
            );
            assert_eq!(request.headers["authorization"], "Bearer hush");
            assert!(request.headers["user-agent"].to_str().unwrap().starts_with("wirespan/"));
            let encoding = request.headers.get("content-encoding").or(request.headers.get("grpc-encoding"));
            assert_eq!(encoding.is_some_and(|value| value == "gzip"), compression == Compression::Gzip);
        }
    }
}

#[tokio::test]
async fn batches_are_bounded_in_number_and_bytes() {
    let collector = Collector::start([]);
    let mut config = destination(&collector.url(), PROTOCOLS[1]);
    config.batch.max_spans = 2;
    let exporter = start(config);
    for number in 0..5 {
        exporter.push(&numbered(number));
    }
    assert_eq!(only(&exporter.shutdown(LONG).await).sent, 5);
    let sizes: Vec<usize> = collector.received().iter().map(|request| request.spans().len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(accepted_ids(&collector), [0, 1, 2, 3, 4]);

    let collector = Collector::start([]);
    let mut config = destination(&collector.url(), PROTOCOLS[1]);
    config.batch.max_size = ByteSize(1);
    let exporter = start(config);
    exporter.push(&numbered(0));
    exporter.push(&numbered(1));
    assert_eq!(only(&exporter.shutdown(LONG).await).sent, 2);
    assert_eq!(collector.received().len(), 2, "a span larger than a batch goes alone");
}

#[tokio::test]
async fn a_batch_is_sent_when_it_is_old_enough() {
    let collector = Collector::start([]);
    let mut config = destination(&collector.url(), PROTOCOLS[0]);
    config.batch.delay = Span::millis(1);
    let exporter = start(config);
    exporter.push(&numbered(7));
    collector.wait_for(1).await;
    exporter.push(&numbered(8));
    collector.wait_for(2).await;
    assert_eq!(only(&exporter.shutdown(LONG).await).sent, 2);
}

#[tokio::test]
async fn a_large_span_with_content_arrives_whole() {
    for protocol in PROTOCOLS {
        let collector = Collector::start([]);
        let exporter = start(destination(&collector.url(), protocol));
        let mut record = fixture::record();
        let content = "prompt ".repeat(300_000);
        record.attributes.insert(
            "gen_ai.input.messages".to_owned(),
            json!([{"role": "user", "parts": [{"type": "text", "content": content}]}]),
        );
        exporter.push(&record);
        let stats = exporter.shutdown(LONG).await;
        assert_eq!(only(&stats).sent, 1, "{stats}");
        assert_eq!(collector.received()[0].spans(), [otlp::span(&record).unwrap()]);
    }
}

#[tokio::test]
async fn every_destination_gets_every_span_and_a_dead_one_holds_up_none() {
    let (first, second) = (Collector::start([]), Collector::start([Answer::Silence]));
    let config = ExportConfig {
        otlp: vec![destination(&first.url(), PROTOCOLS[0]), destination(&second.url(), PROTOCOLS[1])],
        environment: false,
    };
    let exporter =
        Exporter::start(Settings::resolve(&config, &|_| None).unwrap(), &ExporterOptions::default(), None)
            .unwrap();
    for number in 0..512 {
        exporter.push(&numbered(number));
    }
    first.wait_for(1).await;
    second.wait_for(1).await;
    assert_eq!(accepted_ids(&first).len(), 512);
    drop(second);
    let stats = exporter.shutdown(std::time::Duration::from_millis(50)).await;
    assert_eq!((stats.destinations[0].sent, stats.destinations[1].dropped_shutdown), (512, 512));
    stats.destinations.iter().for_each(assert_balanced);
}

#[tokio::test]
async fn the_standard_variables_are_enough() {
    let collector = Collector::start([]);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("{}/base/", collector.url())),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b".to_owned()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".to_owned()),
        ("OTEL_METRICS_EXPORTER", "none".to_owned()),
    ];
    let read = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    let settings = Settings::resolve(&ExportConfig::default(), &read).unwrap();
    let exporter = Exporter::start(settings, &ExporterOptions::default(), None).unwrap();
    exporter.push(&fixture::record());
    assert_eq!(only(&exporter.shutdown(LONG).await).sent, 1);
    let received = collector.received();
    assert_eq!(received[0].path, "/base/v1/traces");
    assert_eq!(received[0].headers["x-key"], "a b");
    assert_eq!(received[0].headers["content-encoding"], "gzip");
}

#[test]
fn without_a_runtime_there_is_a_clear_error() {
    let error = Exporter::start(Settings::default(), &ExporterOptions::default(), None).unwrap_err();
    assert_eq!(error.to_string(), "the exporter must be started inside a tokio runtime");
}
