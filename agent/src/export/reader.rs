//! Reports metrics at an interval: reads the aggregator and the agent's own counters into the queue of a destination.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{SystemTime, UNIX_EPOCH},
};

use agent_genai::{Call, Record};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval_at},
};

use super::{ExporterOptions, exporter::PipelineSource, queue::Item, worker::Lane};
use crate::metrics::{Aggregator, AggregatorOptions, PipelineReport, data_points, exporter_metrics};

/// One destination of metrics: its aggregation and its clock.
pub(crate) struct Reader {
    lane: Arc<Lane>,
    /// All lanes, for the exporter's own counters.
    lanes: Vec<Weak<Lane>>,
    aggregator: Mutex<Aggregator>,
    report: Mutex<PipelineReport>,
    pipeline: Option<PipelineSource>,
    closing: watch::Sender<bool>,
}

impl Reader {
    pub(crate) fn new(
        lane: Arc<Lane>,
        lanes: &[Arc<Lane>],
        options: &ExporterOptions,
        pipeline: Option<PipelineSource>,
    ) -> Self {
        let metrics = lane.destination.metrics;
        let now = unix_nanos();
        let aggregator = Aggregator::new(
            AggregatorOptions {
                temporality: metrics.temporality,
                max_series: metrics.max_series,
                legacy: options.legacy_metrics,
                agent: options.agent.clone(),
            },
            now,
        );
        Self {
            report: Mutex::new(PipelineReport::new(options.agent.clone(), metrics.temporality, now)),
            lanes: lanes.iter().map(Arc::downgrade).collect(),
            aggregator: Mutex::new(aggregator),
            pipeline,
            closing: watch::Sender::new(false),
            lane,
        }
    }

    fn aggregator(&self) -> MutexGuard<'_, Aggregator> {
        // A half-counted call is still better counted than the aggregator lost.
        self.aggregator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call.
    pub(crate) fn observe(&self, call: &Call, record: &Record) {
        self.aggregator().record(call, record);
    }

    /// Asks for the last report.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Reports until closed, then once more, and closes the lane.
    pub(crate) async fn run(&self) {
        let period = self.lane.destination.metrics.interval.0;
        let mut ticks = interval_at(tokio::time::Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut closing = self.closing.subscribe();
        loop {
            let last = tokio::select! {
                _ = ticks.tick() => false,
                _ = closing.wait_for(|closing| *closing) => true,
            };
            // While a report is under way the next one would only pile up behind it: totals are in the one after, and
            // changes stay in the aggregator until they can be reported.
            if !last && self.lane.queue.held().0 > 0 {
                self.lane.counters.deferred.add(1);
                continue;
            }
            self.report();
            if last {
                self.lane.close();
                return;
            }
        }
    }

    fn report(&self) {
        let now = unix_nanos();
        let mut requests = self.aggregator().collect(now);
        let mut own = self.pipeline.as_ref().map_or_else(Vec::new, |read| read());
        let stats: Vec<_> = self.lanes.iter().filter_map(|lane| Some(lane.upgrade()?.stats())).collect();
        own.extend(exporter_metrics(&stats));
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner).collect(&own, now);
        requests.extend(report);
        for request in requests {
            self.push(&request);
        }
    }

    fn push(&self, request: &ExportMetricsServiceRequest) {
        self.lane.push(Item::Metrics(request.encode_to_vec().into(), data_points(request)));
    }
}

/// The wall clock in nanoseconds since 1970.
fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
