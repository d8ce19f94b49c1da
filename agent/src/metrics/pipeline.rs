//! The agent's own counters as metrics (`wirespan.*`), so that losses are visible where the calls are.

use std::collections::HashMap;

use agent_capture::CaptureStats;
use agent_genai::record::Attributes;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
        number_data_point::Value,
    },
};
use serde_json::json;

use super::encode::otlp_temporality;
use crate::export::{
    DestinationStats, Temporality,
    otlp::{any_value, key_value, resource, scope},
};

/// Whether a value only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineKind {
    /// Grows from 0 at the start of the agent.
    Counter,
    /// A reading.
    Gauge,
}

/// One metric of the agent itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineMetric {
    /// Name: `wirespan.*`.
    pub name: &'static str,
    /// Unit (UCUM): `By`, `{call}` …
    pub unit: &'static str,
    /// What it counts.
    pub description: &'static str,
    /// Whether it only grows.
    pub kind: PipelineKind,
    /// Values, one for each attribute set.
    pub points: Vec<PipelinePoint>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelinePoint {
    /// Attributes.
    pub attributes: Vec<(&'static str, String)>,
    /// Value.
    pub value: u64,
}

impl PipelineMetric {
    /// A metric with one value and no attributes.
    #[must_use]
    pub fn single(
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        kind: PipelineKind,
        value: u64,
    ) -> Self {
        Self { name, unit, description, kind, points: vec![PipelinePoint { attributes: Vec::new(), value }] }
    }

    /// A counter with one value for each cause.
    #[must_use]
    pub fn by_cause(
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        causes: &[(&'static str, u64)],
    ) -> Self {
        let points = causes
            .iter()
            .map(|(cause, value)| PipelinePoint {
                attributes: vec![("wirespan.cause", (*cause).to_owned())],
                value: *value,
            })
            .collect();
        Self { name, unit, description, kind: PipelineKind::Counter, points }
    }
}

/// What became of the captured exchanges. Monotonic but for the last two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeCounts {
    /// Exchanges that ended.
    pub exchanges: u64,
    /// Exchanges that were LLM calls.
    pub calls: u64,
    /// Calls of which not all was seen or understood.
    pub incomplete_calls: u64,
    /// Calls with a body that could not be decoded.
    pub undecodable_calls: u64,
    /// Bytes that were known to be missing in the streams.
    pub lost_bytes: u64,
    /// Connections or calls dropped because the memory budget was used up.
    pub dropped_memory_cap: u64,
    /// Connections tracked now.
    pub connections: u64,
    /// Bytes held for them now.
    pub held_bytes: u64,
}

/// The counters of the capture.
#[must_use]
pub fn capture_metrics(stats: &CaptureStats) -> Vec<PipelineMetric> {
    use PipelineKind::{Counter, Gauge};
    vec![
        PipelineMetric::single(
            "wirespan.capture.bytes",
            "By",
            "Plaintext bytes captured.",
            Counter,
            stats.bytes,
        ),
        PipelineMetric::single(
            "wirespan.capture.chunks",
            "{chunk}",
            "Chunks of plaintext captured.",
            Counter,
            stats.chunks,
        ),
        PipelineMetric::single(
            "wirespan.capture.skipped",
            "By",
            "Plaintext bytes not copied on purpose: not HTTP, or no LLM API.",
            Counter,
            stats.skipped_bytes,
        ),
        PipelineMetric::by_cause(
            "wirespan.capture.lost",
            "By",
            "Plaintext bytes lost.",
            &[
                ("ring_full", stats.lost_ring_full_bytes),
                ("call_bound", stats.lost_call_bound_bytes),
                ("fault", stats.lost_fault_bytes),
                ("table_full", stats.lost_table_full_bytes),
                ("stalled", stats.lost_quiet_bytes),
                ("unseen", stats.lost_unseen_bytes),
            ],
        ),
        PipelineMetric::single(
            "wirespan.capture.shed_connections",
            "{connection}",
            "Connections given up at a ceiling of wirespan's own.",
            Counter,
            stats.shed_connections,
        ),
        PipelineMetric::single(
            "wirespan.capture.shed",
            "By",
            "Plaintext bytes that such connections moved from then on.",
            Counter,
            stats.shed_bytes,
        ),
        PipelineMetric::by_cause(
            "wirespan.capture.lost_events",
            "{event}",
            "Events lost because a ring buffer was full.",
            &[("data", stats.lost_ring_full_events), ("control", stats.lost_control_events)],
        ),
        PipelineMetric::single(
            "wirespan.capture.attached_objects",
            "{object}",
            "Libraries and executables with probes.",
            Gauge,
            stats.attached_objects,
        ),
        PipelineMetric::single(
            "wirespan.capture.late_objects",
            "{object}",
            "Files that a process had begun to use when they got their probes: calls that it made before are not captured.",
            Counter,
            stats.late_objects,
        ),
        PipelineMetric::single(
            "wirespan.capture.attached_probes",
            "{probe}",
            "Probes attached.",
            Gauge,
            stats.attached_probes,
        ),
        PipelineMetric::single(
            "wirespan.capture.failed_objects",
            "{object}",
            "Libraries and executables that could not be probed.",
            Counter,
            stats.failed_objects,
        ),
        PipelineMetric::single(
            "wirespan.capture.processes",
            "{process}",
            "Processes in scope.",
            Gauge,
            stats.processes,
        ),
    ]
}

/// The counters of the decoding.
#[must_use]
pub fn decode_metrics(counts: &DecodeCounts) -> Vec<PipelineMetric> {
    use PipelineKind::{Counter, Gauge};
    vec![
        PipelineMetric::single(
            "wirespan.decode.exchanges",
            "{exchange}",
            "HTTP exchanges that ended.",
            Counter,
            counts.exchanges,
        ),
        PipelineMetric::single(
            "wirespan.decode.calls",
            "{call}",
            "LLM calls decoded.",
            Counter,
            counts.calls,
        ),
        PipelineMetric::by_cause(
            "wirespan.decode.affected_calls",
            "{call}",
            "LLM calls of which not all was seen or understood.",
            &[("incomplete", counts.incomplete_calls), ("undecodable", counts.undecodable_calls)],
        ),
        PipelineMetric::single(
            "wirespan.decode.lost",
            "By",
            "Bytes missing in the streams.",
            Counter,
            counts.lost_bytes,
        ),
        PipelineMetric::single(
            "wirespan.decode.dropped",
            "{connection}",
            "Connections dropped because the memory budget was used up.",
            Counter,
            counts.dropped_memory_cap,
        ),
        PipelineMetric::single(
            "wirespan.decode.connections",
            "{connection}",
            "Connections tracked.",
            Gauge,
            counts.connections,
        ),
        PipelineMetric::single(
            "wirespan.decode.held",
            "By",
            "Bytes held for tracked connections.",
            Gauge,
            counts.held_bytes,
        ),
    ]
}

/// The values of one destination, with their causes where there are several.
type Values<'a> = &'a dyn Fn(&DestinationStats) -> Vec<(Option<&'static str>, u64)>;

/// The counters of the export.
#[must_use]
pub fn exporter_metrics(destinations: &[DestinationStats]) -> Vec<PipelineMetric> {
    let metric = |name, unit, description, kind, values: Values<'_>| {
        let points = destinations
            .iter()
            .flat_map(|stats| {
                values(stats).into_iter().map(|(cause, value)| {
                    let mut attributes = vec![
                        ("wirespan.destination", stats.name.clone()),
                        ("wirespan.signal", stats.signal.name().to_owned()),
                    ];
                    attributes.extend(cause.map(|cause| ("wirespan.cause", cause.to_owned())));
                    PipelinePoint { attributes, value }
                })
            })
            .collect();
        PipelineMetric { name, unit, description, kind, points }
    };
    use PipelineKind::{Counter, Gauge};
    vec![
        metric("wirespan.export.sent", "{item}", "Spans and data points accepted.", Counter, &|s| {
            vec![(None, s.sent)]
        }),
        metric("wirespan.export.lost", "{item}", "Spans and data points lost.", Counter, &|s| {
            s.losses().iter().map(|(cause, count)| (Some(*cause), *count)).collect()
        }),
        metric("wirespan.export.retries", "{request}", "Requests that were sent again.", Counter, &|s| {
            vec![(None, s.retries)]
        }),
        metric("wirespan.export.queued", "{item}", "Spans and data points waiting.", Gauge, &|s| {
            vec![(None, s.queued)]
        }),
        metric("wirespan.export.queue_size", "By", "Bytes waiting.", Gauge, &|s| {
            vec![(None, s.queued_bytes)]
        }),
    ]
}

type PointKey = (&'static str, Vec<(&'static str, String)>);

/// Turns readings into reports, as totals or changes.
#[derive(Debug)]
pub(crate) struct PipelineReport {
    agent: Attributes,
    temporality: Temporality,
    start: u64,
    last: u64,
    before: HashMap<PointKey, u64>,
}

impl PipelineReport {
    pub(crate) fn new(agent: Attributes, temporality: Temporality, now: u64) -> Self {
        Self { agent, temporality, start: now, last: now, before: HashMap::new() }
    }

    /// A request with the readings; `None` without any.
    pub(crate) fn collect(
        &mut self,
        metrics: &[PipelineMetric],
        now: u64,
    ) -> Option<ExportMetricsServiceRequest> {
        let metrics: Vec<Metric> = metrics
            .iter()
            .filter(|metric| !metric.points.is_empty())
            .map(|metric| Metric {
                name: metric.name.to_owned(),
                description: metric.description.to_owned(),
                unit: metric.unit.to_owned(),
                data: Some(self.data(metric, now)),
                ..Metric::default()
            })
            .collect();
        self.last = now;
        if metrics.is_empty() {
            return None;
        }
        Some(ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource(&self.agent)),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope()),
                    metrics,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        })
    }

    fn data(&mut self, metric: &PipelineMetric, now: u64) -> Data {
        let delta = self.temporality == Temporality::Delta && metric.kind == PipelineKind::Counter;
        let data_points = metric
            .points
            .iter()
            .map(|point| {
                let mut value = point.value;
                if delta {
                    let before = self.before.insert((metric.name, point.attributes.clone()), point.value);
                    value = value.saturating_sub(before.unwrap_or(0));
                }
                NumberDataPoint {
                    attributes: point
                        .attributes
                        .iter()
                        .filter_map(|(key, text)| Some(key_value(*key, any_value(&json!(text))?)))
                        .collect(),
                    start_time_unix_nano: match (metric.kind, delta) {
                        (PipelineKind::Gauge, _) => 0,
                        (PipelineKind::Counter, true) => self.last,
                        (PipelineKind::Counter, false) => self.start,
                    },
                    time_unix_nano: now,
                    value: Some(Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX))),
                    ..NumberDataPoint::default()
                }
            })
            .collect();
        match metric.kind {
            PipelineKind::Gauge => Data::Gauge(Gauge { data_points }),
            PipelineKind::Counter => Data::Sum(Sum {
                data_points,
                aggregation_temporality: otlp_temporality(self.temporality),
                is_monotonic: true,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
