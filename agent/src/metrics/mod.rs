//! Metrics of the GenAI conventions (v0.1.0, and the set before it for existing dashboards), aggregated here and encoded as
//! OTLP, and the agent's own counters.

mod aggregator;
mod encode;
mod genai;
mod instrument;
mod pipeline;
mod point;

pub use aggregator::{Aggregator, AggregatorOptions};
pub(crate) use encode::data_points;
pub(crate) use pipeline::PipelineReport;
pub use pipeline::{
    DecodeCounts, PipelineKind, PipelineMetric, PipelinePoint, capture_metrics, decode_metrics,
    exporter_metrics,
};
