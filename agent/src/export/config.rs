//! The `export` section of the configuration: plain values with their defaults; `settings` checks them.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Secret;
use crate::config::{ByteSize, Span};

/// Where spans and metrics go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExportConfig {
    /// OTLP destinations. When there is none, the standard variables `OTEL_EXPORTER_OTLP_*` name one.
    pub otlp: Vec<DestinationConfig>,
    /// Honour the standard `OTEL_*` variables when `otlp` names no destination. `OTEL_SDK_DISABLED` always counts.
    pub environment: bool,
}

impl Default for ExportConfig {
    fn default() -> Self {
        Self { otlp: Vec::new(), environment: true }
    }
}

impl ExportConfig {
    /// A configuration with one destination for spans and metrics, all else by default.
    #[must_use]
    pub fn to(endpoint: impl Into<String>, protocol: Protocol) -> Self {
        let destination =
            DestinationConfig { endpoint: endpoint.into(), protocol, ..DestinationConfig::default() };
        Self { otlp: vec![destination], ..Self::default() }
    }
}

/// One OTLP destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DestinationConfig {
    /// Name in messages and counters; the host and port of the endpoint when left out.
    pub name: Option<String>,
    /// URL of the collector. Over HTTP `v1/traces` and `v1/metrics` are appended to its path; over gRPC the scheme decides on
    /// TLS, and `host:port` without a scheme means TLS unless `insecure` is set.
    pub endpoint: String,
    /// Whole URL for spans, used as it is; `endpoint` when left out.
    pub traces_endpoint: Option<String>,
    /// Whole URL for metrics, used as it is; `endpoint` when left out.
    pub metrics_endpoint: Option<String>,
    /// How OTLP is carried.
    pub protocol: Protocol,
    /// What is sent there.
    pub signals: Vec<Signal>,
    /// Headers (gRPC: metadata) of each request. Never shown.
    pub headers: BTreeMap<String, Secret>,
    /// Name of an environment variable with further headers, in the form of `OTEL_EXPORTER_OTLP_HEADERS`: the way to keep
    /// credentials out of this file.
    pub headers_variable: Option<String>,
    /// Compression of requests.
    pub compression: Compression,
    /// Longest time for one attempt; `0s` is no limit.
    pub timeout: Span,
    /// gRPC without a scheme in the endpoint: plain text instead of TLS.
    pub insecure: bool,
    /// TLS.
    pub tls: TlsConfig,
    /// Most memory for spans that wait or are being sent. What does not fit is dropped and counted.
    pub queue_size: ByteSize,
    /// When a batch is sent.
    pub batch: BatchConfig,
    /// What happens when the collector cannot be reached or is overloaded.
    pub retry: RetryConfig,
    /// How metrics are reported.
    pub metrics: MetricsConfig,
}

impl Default for DestinationConfig {
    fn default() -> Self {
        Self {
            name: None,
            endpoint: String::new(),
            traces_endpoint: None,
            metrics_endpoint: None,
            protocol: Protocol::default(),
            signals: vec![Signal::Traces, Signal::Metrics],
            headers: BTreeMap::new(),
            headers_variable: None,
            compression: Compression::Gzip,
            timeout: Span::secs(10),
            insecure: false,
            tls: TlsConfig::default(),
            queue_size: ByteSize::mib(32),
            batch: BatchConfig::default(),
            retry: RetryConfig::default(),
            metrics: MetricsConfig::default(),
        }
    }
}

/// How OTLP is carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// gRPC, usually on port 4317.
    #[serde(rename = "grpc")]
    Grpc,
    /// HTTP with protobuf bodies, usually on port 4318.
    #[default]
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
}

impl Signal {
    /// The name in counters and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// Compression of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip.
    Gzip,
    /// None.
    None,
}

/// TLS of a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client's certificate chain, for mutual TLS.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the client's private key.
    pub key_file: Option<PathBuf>,
}

/// When a batch is sent: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchConfig {
    /// Encoded size before compression. A larger single span goes alone.
    pub max_size: ByteSize,
    /// Number of spans.
    pub max_spans: usize,
    /// Age of the oldest span.
    pub delay: Span,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { max_size: ByteSize::mib(2), max_spans: 512, delay: Span::secs(1) }
    }
}

/// What happens when the collector cannot be reached or is overloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Wait after the first failure; it doubles with each further one, with up to half of it taken off at random.
    pub initial_delay: Span,
    /// Longest wait between two attempts.
    pub max_delay: Span,
    /// A batch that could not be sent for this long is dropped and counted.
    pub give_up_after: Span,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { initial_delay: Span::millis(500), max_delay: Span::secs(30), give_up_after: Span::secs(300) }
    }
}

/// How metrics are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Time between two reports.
    pub interval: Span,
    /// Running totals or changes.
    pub temporality: Temporality,
    /// Most attribute sets kept for each instrument; further ones are counted together, marked `otel.metric.overflow`.
    pub max_series: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { interval: Span::secs(60), temporality: Temporality::Cumulative, max_series: 2000 }
    }
}

/// Whether metrics are reported as running totals or as changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Temporality {
    /// Totals since the start.
    Cumulative,
    /// Changes since the last report.
    Delta,
}
