//! Series of measurements with a bound on their number.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use agent_genai::{Call, Record, record::Attributes};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use serde_json::Value as Json;

use super::{
    encode::{Point, requests},
    genai,
    instrument::Instrument,
    point::{Measure, Value},
};
use crate::{export::Temporality, resource::for_metrics};

/// A series that saw nothing for this long (nanoseconds) is forgotten: an agent that runs for months sees many containers
/// come and go. If it comes back it starts anew, with a start time that says so.
const IDLE: u64 = 3_600_000_000_000;

/// Attribute that marks the series in which everything beyond the bound is counted.
const OVERFLOW: &str = "otel.metric.overflow";

/// How to aggregate.
#[derive(Debug, Clone)]
pub struct AggregatorOptions {
    /// Totals or changes.
    pub temporality: Temporality,
    /// Most series of one instrument, the overflow series among them.
    pub max_series: usize,
    /// Emit the metrics of the conventions before v0.1.0 as well.
    pub legacy: bool,
    /// Resource of the agent itself: the overflow series has it.
    pub agent: Attributes,
}

/// Attributes of a series, sorted by name.
pub(crate) type AttributeSet = Vec<(&'static str, Json)>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SeriesKey {
    /// Canonical JSON of the resource.
    resource: Arc<str>,
    attributes: Arc<AttributeSet>,
}

#[derive(Debug)]
struct Series {
    value: Value,
    start: u64,
    /// Number of the report during which it was last added to.
    touched: u64,
    idle_since: u64,
}

/// Aggregates calls into the GenAI metrics.
#[derive(Debug)]
pub struct Aggregator {
    options: AggregatorOptions,
    agent_resource: Arc<str>,
    instruments: BTreeMap<Instrument, HashMap<SeriesKey, Series>>,
    resources: HashMap<Arc<str>, Arc<Attributes>>,
    /// Time of the last report: nothing that is counted now happened before it.
    last: u64,
    reports: u64,
}

impl Aggregator {
    /// An empty aggregator; `now` in nanoseconds since 1970.
    #[must_use]
    pub fn new(options: AggregatorOptions, now: u64) -> Self {
        let agent_resource: Arc<str> = canonical(&options.agent).into();
        Self {
            options,
            agent_resource,
            instruments: BTreeMap::new(),
            resources: HashMap::new(),
            last: now,
            reports: 0,
        }
    }

    /// Counts a call.
    pub fn record(&mut self, call: &Call, record: &Record) {
        let resource = for_metrics(&record.resource);
        let key: Arc<str> = canonical(&resource).into();
        // A resource whose series would all overflow is not kept either: the number of resources is bounded with them.
        let key = match self.resources.get_key_value(&key) {
            Some((known, _)) => Some(Arc::clone(known)),
            None if self.resources.len() + 1 >= self.options.max_series => None,
            None => {
                self.resources.insert(Arc::clone(&key), Arc::new(resource));
                Some(key)
            }
        };
        let legacy = self.options.legacy;
        genai::measure(call, record, legacy, &mut |instrument, attributes, measure| {
            let key = key.as_ref().map(|resource| SeriesKey {
                resource: Arc::clone(resource),
                attributes: Arc::clone(attributes),
            });
            self.add(instrument, key, measure);
        });
    }

    /// Adds to a series, or to the overflow series when there is no room for it (or no key).
    fn add(&mut self, instrument: Instrument, key: Option<SeriesKey>, measure: Measure<'_>) {
        let series = self.instruments.entry(instrument).or_default();
        let room = series.len() + 1 < self.options.max_series;
        let key = key.filter(|key| room || series.contains_key(key)).unwrap_or_else(|| SeriesKey {
            resource: Arc::clone(&self.agent_resource),
            attributes: Arc::new(vec![(OVERFLOW, Json::Bool(true))]),
        });
        let (start, touched) = (self.last, self.reports);
        let series = series.entry(key).or_insert_with(|| Series {
            value: Value::new(instrument.aggregation()),
            start,
            touched,
            idle_since: start,
        });
        series.value.add(measure);
        series.touched = touched;
    }

    /// The state as requests of bounded size; changes start anew. `now` in nanoseconds since 1970.
    pub fn collect(&mut self, now: u64) -> Vec<ExportMetricsServiceRequest> {
        let agent = Arc::new(self.options.agent.clone());
        let mut points = Vec::new();
        for (instrument, series) in &mut self.instruments {
            for (key, series) in series.iter_mut() {
                let resource = self.resources.get(&key.resource).unwrap_or(&agent);
                points.push(Point {
                    resource_key: Arc::clone(&key.resource),
                    resource: Arc::clone(resource),
                    instrument: *instrument,
                    attributes: Arc::clone(&key.attributes),
                    value: series.value.clone(),
                    start: series.start,
                });
                if series.touched == self.reports {
                    series.idle_since = now;
                }
            }
            if self.options.temporality == Temporality::Delta {
                series.clear();
            } else {
                series.retain(|_, series| now.saturating_sub(series.idle_since) < IDLE);
            }
        }
        let used: HashSet<&Arc<str>> =
            self.instruments.values().flat_map(HashMap::keys).map(|key| &key.resource).collect();
        self.resources.retain(|key, _| used.contains(key));
        self.last = now;
        self.reports += 1;
        requests(points, self.options.temporality, now)
    }
}

/// A resource as a key: sorted JSON (the map is sorted).
fn canonical(attributes: &Attributes) -> String {
    serde_json::to_string(attributes).unwrap_or_default()
}

#[cfg(test)]
mod tests;
