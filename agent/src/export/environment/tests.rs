//! What the standard variables mean.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;

use crate::export::{Compression, Destination, ExportConfig, Protocol, Settings, SettingsError, Temporality};

fn resolve(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    Settings::resolve(&ExportConfig::default(), &|name| variables.get(name).map(|value| (*value).to_owned()))
}

fn both(variables: &[(&str, &str)]) -> (Destination, Destination) {
    let settings = resolve(variables).unwrap();
    assert_eq!(settings.warnings, Vec::<String>::new());
    let [traces, metrics] = settings.destinations.as_slice() else {
        panic!("two destinations: {settings:?}")
    };
    (traces.clone(), metrics.clone())
}

const HTTP: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/base");

#[test]
fn nothing_set_is_nothing_exported() {
    assert!(!resolve(&[]).unwrap().is_enabled());
    assert!(!resolve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_enabled());
}

#[test]
fn an_endpoint_alone_means_http_with_the_defaults() {
    let (traces, metrics) = both(&[HTTP]);
    assert_eq!(traces.endpoint.to_string(), "http://collector:4318/base/v1/traces");
    assert_eq!(metrics.endpoint.to_string(), "http://collector:4318/base/v1/metrics");
    assert_eq!(traces.protocol, Protocol::HttpProtobuf);
    assert_eq!(traces.timeout, Some(Duration::from_secs(10)));
    assert_eq!(traces.compression, Compression::None);
    assert_eq!(metrics.metrics.temporality, Temporality::Cumulative);
}

#[test]
fn asking_for_otlp_uses_the_default_endpoint() {
    let settings = resolve(&[("OTEL_TRACES_EXPORTER", "otlp")]).unwrap();
    assert_eq!(settings.destinations.len(), 1);
    assert_eq!(settings.destinations[0].endpoint.to_string(), "http://localhost:4318/v1/traces");
    let settings =
        resolve(&[("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap();
    assert_eq!(settings.destinations[0].endpoint.to_string(), "http://localhost:4317/");
}

#[test]
fn none_switches_a_signal_off() {
    let settings = resolve(&[HTTP, ("OTEL_METRICS_EXPORTER", "none")]).unwrap();
    assert_eq!(settings.destinations.len(), 1);
    assert!(!resolve(&[HTTP, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_enabled());
    let settings =
        resolve(&[HTTP, ("OTEL_SDK_DISABLED", "yes"), ("OTEL_TRACES_EXPORTER", "zipkin")]).unwrap();
    assert_eq!(settings.destinations.len(), 2);
    assert_eq!(settings.warnings.len(), 2, "{:?}", settings.warnings);
}

#[test]
fn a_signal_has_its_own_word() {
    let (traces, metrics) = both(&[
        HTTP,
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/path"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
    ]);
    assert_eq!(traces.endpoint.to_string(), "http://other/path");
    assert!(traces.headers.contains_key("b") && !traces.headers.contains_key("a"));
    assert!(metrics.headers.contains_key("a"));
    assert_eq!((traces.timeout, metrics.timeout), (Some(Duration::from_secs(5)), None));
    assert_eq!((traces.compression, metrics.compression), (Compression::None, Compression::Gzip));
}

#[test]
fn grpc_takes_tls_from_the_scheme_or_insecure() {
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let endpoint = |text| ("OTEL_EXPORTER_OTLP_ENDPOINT", text);
    let insecure = |text| ("OTEL_EXPORTER_OTLP_INSECURE", text);
    assert!(both(&[grpc, endpoint("host:4317")]).0.endpoint.is_tls());
    assert!(!both(&[grpc, endpoint("host:4317"), insecure("true")]).0.endpoint.is_tls());
    assert!(both(&[grpc, endpoint("https://host:4317"), insecure("true")]).0.endpoint.is_tls());
    assert!(!both(&[grpc, endpoint("http://host:4317"), insecure("false")]).0.endpoint.is_tls());
}

#[test]
fn sizes_and_times_are_read() {
    let (traces, metrics) = both(&[
        HTTP,
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"),
        ("OTEL_BSP_SCHEDULE_DELAY", "250"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "7000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "15000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "3000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
    ]);
    assert_eq!((traces.queue.max_items, traces.batch.max_items), (Some(100), 10));
    assert_eq!(traces.batch.delay, Duration::from_millis(250));
    assert_eq!(traces.retry.give_up_after, Duration::from_secs(7));
    assert_eq!(metrics.retry.give_up_after, Duration::from_secs(3));
    assert_eq!(metrics.metrics.interval.0, Duration::from_secs(15));
    assert_eq!(metrics.metrics.temporality, Temporality::Delta);
}

#[test]
fn values_that_cannot_be_read_are_ignored_with_a_warning() {
    let settings = resolve(&[
        HTTP,
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hush"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"),
    ])
    .unwrap();
    assert_eq!(settings.warnings.len(), 7, "{:#?}", settings.warnings);
    assert!(!settings.warnings.concat().contains("hush"));
    assert_eq!(settings.destinations[0].timeout, Some(Duration::from_secs(10)));
}

#[test]
fn what_was_asked_for_but_cannot_be_done_is_an_error() {
    let error = |variables: &[(&str, &str)]| resolve(variables).unwrap_err().to_string();
    assert!(
        error(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")]).starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: ")
    );
    assert!(
        error(&[HTTP, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]).contains("http/json is not supported")
    );
    assert!(error(&[HTTP, ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "k.pem")]).contains("belong together"));
}

const NAMES: &[&str] = &[
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL",
];

proptest! {
    #[test]
    fn any_environment_is_resolved_or_refused(values in prop::collection::vec(".*|[0-9]{1,20}|https?://[a-z]{1,9}", NAMES.len())) {
        let variables: Vec<(&str, &str)> = NAMES.iter().copied().zip(values.iter().map(String::as_str)).collect();
        if let Ok(settings) = resolve(&variables) {
            for destination in settings.destinations {
                prop_assert!(destination.queue.max_items != Some(0) && destination.batch.max_items > 0);
            }
        }
    }
}
