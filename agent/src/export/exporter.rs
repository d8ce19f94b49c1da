//! The exporter: what the rest of the agent calls.

use std::{fmt, sync::Arc, time::Duration};

use agent_genai::{Call, Record, record::Attributes};
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tracing::warn;

use super::{
    ExportStats, Settings, Signal, TransportError, otlp::encode_span, queue::Item, reader::Reader,
    transport::Transport, worker::Lane,
};
use crate::metrics::PipelineMetric;

/// Why the exporter cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A destination cannot be used.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// It was started outside of a tokio runtime.
    #[error("the exporter must be started inside a tokio runtime")]
    NoRuntime,
}

/// What the exporter has to know besides its destinations.
#[derive(Debug, Clone, Default)]
pub struct ExporterOptions {
    /// Resource of the agent itself, for its own metrics (see `resource::ResourceBuilder::agent`).
    pub agent: Attributes,
    /// Emit the metrics of the conventions before v0.1.0 as well (`gen_ai.client.operation.duration`, `gen_ai.client.token.usage`).
    pub legacy_metrics: bool,
}

/// Reads the agent's own counters, at each metric report. Called from a worker task: it must not block for long.
pub type PipelineSource = Arc<dyn Fn() -> Vec<PipelineMetric> + Send + Sync>;

/// Runs the destinations. Dropping it lets the workers send what waits, without waiting for them.
pub struct Exporter {
    lanes: Vec<Arc<Lane>>,
    readers: Vec<Arc<Reader>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Exporter {
    /// Reads the TLS files and starts one worker for each destination. Connections are made when there is something to send.
    ///
    /// `pipeline` adds the agent's own counters to the metrics; those of the exporter itself are always there.
    ///
    /// # Errors
    /// When a TLS file is unusable, no authority is trusted, or there is no runtime.
    pub fn start(
        settings: Settings,
        options: &ExporterOptions,
        pipeline: Option<&PipelineSource>,
    ) -> Result<Self, ExportError> {
        let runtime = Handle::try_current().map_err(|_| ExportError::NoRuntime)?;
        let transports = settings.destinations.iter().map(Transport::new).collect::<Result<Vec<_>, _>>()?;
        let lanes: Vec<Arc<Lane>> =
            settings.destinations.into_iter().map(|destination| Arc::new(Lane::new(destination))).collect();
        let readers: Vec<Arc<Reader>> = lanes
            .iter()
            .filter(|lane| lane.destination.signal == Signal::Metrics)
            .map(|lane| Arc::new(Reader::new(Arc::clone(lane), &lanes, options, pipeline.cloned())))
            .collect();
        let mut tasks: Vec<JoinHandle<()>> = lanes
            .iter()
            .zip(transports)
            .map(|(lane, transport)| {
                let lane = Arc::clone(lane);
                runtime.spawn(async move { lane.run(&transport).await })
            })
            .collect();
        tasks.extend(readers.iter().map(|reader| {
            let reader = Arc::clone(reader);
            runtime.spawn(async move { reader.run().await })
        }));
        Ok(Self { lanes, readers, tasks })
    }

    /// Queues a span for every destination of spans. Never waits; what does not fit is dropped and counted.
    pub fn push(&self, record: &Record) {
        let mut lanes = self.lanes.iter().filter(|lane| lane.destination.signal == Signal::Traces).peekable();
        if lanes.peek().is_none() {
            return;
        }
        match encode_span(record) {
            Ok(span) => lanes.for_each(|lane| lane.push(Item::Span(span.clone()))),
            Err(error) => {
                warn!("the span {:?} cannot be exported: {error}", record.name);
                for lane in lanes {
                    lane.counters.pushed.add(1);
                    lane.counters.dropped_invalid.add(1);
                }
            }
        }
    }

    /// Counts a call in the GenAI metrics of every destination of metrics. Never waits.
    pub fn observe(&self, call: &Call, record: &Record) {
        for reader in &self.readers {
            reader.observe(call, record);
        }
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> ExportStats {
        ExportStats { destinations: self.lanes.iter().map(|lane| lane.stats()).collect() }
    }

    /// Reports the metrics a last time, sends what waits for at most `limit`, drops and counts the rest, and ends the workers.
    pub async fn shutdown(mut self, limit: Duration) -> ExportStats {
        let deadline = Instant::now() + limit;
        self.close();
        for mut task in std::mem::take(&mut self.tasks) {
            if timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
                // Its end is awaited so that the counts below are final.
                let _ = task.await;
            }
        }
        for lane in &self.lanes {
            let rest = lane.queue.clear();
            if rest > 0 {
                lane.counters.dropped_shutdown.add(rest);
                warn!("{rest} items could not be sent before the end: {:?}", lane.destination);
            }
        }
        self.stats()
    }

    fn close(&self) {
        // The reader of a metrics lane makes its last report before the lane closes.
        for reader in &self.readers {
            reader.close();
        }
        for lane in self.lanes.iter().filter(|lane| lane.destination.signal == Signal::Traces) {
            lane.close();
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}
