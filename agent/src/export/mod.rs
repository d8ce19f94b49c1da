//! OTLP export of spans and metrics: bounded, never in the way of the capture, and with every loss counted.
//!
//! ```text
//! Record -> encoded span -> queue (bytes) -> batch -> worker -> gRPC or HTTP    one lane for each signal at each destination
//! Call   -> aggregator ------- at an interval -^
//! ```
//!
//! [`Settings::resolve`] turns the configuration and the standard `OTEL_*` variables into destinations, [`Exporter::start`] runs
//! them, [`Exporter::push`] and [`Exporter::observe`] feed them, [`Exporter::shutdown`] flushes within a deadline.

mod config;
mod endpoint;
mod environment;
mod exporter;
#[cfg(test)]
pub(crate) mod fixture;
mod headers;
pub mod otlp;
mod queue;
mod reader;
mod retry;
mod settings;
mod stats;
mod transport;
mod worker;

pub use config::{
    BatchConfig, Compression, DestinationConfig, ExportConfig, MetricsConfig, Protocol, RetryConfig, Signal,
    Temporality, TlsConfig,
};
pub use endpoint::{Endpoint, EndpointError};
pub use exporter::{ExportError, Exporter, ExporterOptions, PipelineSource};
pub use headers::Secret;
pub use settings::{
    BatchLimits, Destination, Environment, QueueLimits, RetryPolicy, Settings, SettingsError,
};
pub use stats::{DestinationStats, ExportStats};
pub use transport::TransportError;
