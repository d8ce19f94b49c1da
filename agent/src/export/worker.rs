//! One destination at work: batches from its queue, attempts, counts.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, info, warn};

use super::{
    BatchLimits, Destination, DestinationStats, Signal,
    queue::{Batch, Item, Queue, Refused},
    retry::Backoff,
    stats::Counters,
    transport::{Outcome, PartialSuccess, Transport},
};

/// Longest wait between attempts once the exporter is shutting down.
const CLOSING_DELAY: Duration = Duration::from_millis(200);

/// A destination with its queue and counters, shared by those who push and the one worker.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) destination: Destination,
    pub(crate) queue: Queue,
    pub(crate) counters: Counters,
    closing: watch::Sender<bool>,
}

impl Lane {
    pub(crate) fn new(destination: Destination) -> Self {
        let batch = match destination.signal {
            Signal::Traces => destination.batch,
            // A report is a whole request already.
            Signal::Metrics => BatchLimits { max_items: 1, delay: Duration::ZERO, ..destination.batch },
        };
        let queue = Queue::new(destination.queue, batch);
        Self { destination, queue, counters: Counters::default(), closing: watch::Sender::new(false) }
    }

    /// Queues an item, or drops it and counts it.
    pub(crate) fn push(&self, item: Item) {
        let count = item.count();
        self.counters.pushed.add(count);
        let (counter, cause) = match self.queue.push(item) {
            Ok(()) => return,
            Err(Refused::Full) => (&self.counters.dropped_queue_full, "the queue is full"),
            Err(Refused::Oversize) => (&self.counters.dropped_oversize, "it is larger than the whole queue"),
            Err(Refused::Closed) => (&self.counters.dropped_shutdown, "the exporter is shut down"),
        };
        let total = counter.add(count);
        // The first, and then ever fewer: a full queue drops thousands a second.
        if total.is_power_of_two() {
            warn!("dropped {total} items so far for {:?}: {cause}", self.destination);
        }
    }

    /// Takes no more; the worker sends what waits, without long pauses, and ends.
    pub(crate) fn close(&self) {
        self.queue.close();
        self.closing.send_replace(true);
    }

    /// A reading of the counters.
    pub(crate) fn stats(&self) -> DestinationStats {
        let (queued, bytes) = self.queue.held();
        self.counters.read(&self.destination.name, self.destination.signal, queued, bytes)
    }

    /// Sends batches until the queue is closed and empty.
    pub(crate) async fn run(&self, transport: &Transport) {
        let mut healthy = true;
        while let Some(batch) = self.queue.next().await {
            self.deliver(transport, batch, &mut healthy).await;
            self.queue.done();
        }
        debug!("nothing more to send: {:?}", self.destination);
    }

    /// Attempts until accepted, refused, or given up. Counts each item of the batch exactly once, and right before returning.
    async fn deliver(&self, transport: &Transport, batch: Batch, healthy: &mut bool) {
        let counters = &self.counters;
        let (count, size) = (batch.count, batch.body.len() as u64);
        let body = match transport.prepare(batch.body).await {
            Ok(body) => body,
            Err(message) => {
                warn!("{count} items dropped for {:?}: {message}", self.destination);
                counters.set_error(message);
                counters.failed_permanent.add(count);
                return;
            }
        };
        let (started, mut backoff) = (Instant::now(), Backoff::new(self.destination.retry));
        loop {
            counters.attempts.add(1);
            let (message, after) = match self.attempt(transport.send(body.clone())).await {
                Outcome::Accepted(partial) => {
                    if !*healthy {
                        info!("sending again: {:?}", self.destination);
                        *healthy = true;
                    }
                    counters.sent_bytes.add(size);
                    self.accepted(count, &partial);
                    return;
                }
                Outcome::Permanent { message } => {
                    warn!("{count} items refused for good by {:?}: {message}", self.destination);
                    counters.set_error(message);
                    counters.failed_permanent.add(count);
                    return;
                }
                Outcome::Retryable { message, after } => (message, after),
            };
            if *healthy {
                warn!("cannot send, will try again: {:?}: {message}", self.destination);
                *healthy = false;
            } else {
                debug!("cannot send: {:?}: {message}", self.destination);
            }
            counters.set_error(message);
            let delay = backoff.next(after);
            if started.elapsed() + delay > self.destination.retry.give_up_after {
                warn!("{count} items given up after {:?}: {:?}", started.elapsed(), self.destination);
                counters.failed_retries.add(count);
                return;
            }
            self.pause(delay, after.is_some()).await;
            counters.retries.add(1);
        }
    }

    async fn attempt(&self, sending: impl Future<Output = Outcome>) -> Outcome {
        match self.destination.timeout {
            None => sending.await,
            Some(limit) => timeout(limit, sending).await.unwrap_or_else(|_| Outcome::Retryable {
                message: format!("no answer within {} ms", limit.as_millis()),
                after: None,
            }),
        }
    }

    fn accepted(&self, count: u64, partial: &PartialSuccess) {
        let rejected = u64::try_from(partial.rejected).unwrap_or(0).min(count);
        self.counters.sent.add(count - rejected);
        if rejected > 0 {
            self.counters.rejected.add(rejected);
            self.counters.set_error(partial.error_message.clone());
            warn!(
                "{rejected} of {count} items rejected by {:?}: {}",
                self.destination, partial.error_message
            );
        } else if !partial.error_message.is_empty() {
            warn!("warning from {:?}: {}", self.destination, partial.error_message);
        }
    }

    /// Waits before the next attempt. While shutting down the wait is short, unless the collector asked for it.
    async fn pause(&self, delay: Duration, asked: bool) {
        let mut closing = self.closing.subscribe();
        if asked {
            sleep(delay).await;
        } else if timeout(delay, closing.wait_for(|closing| *closing)).await.is_ok() {
            sleep(delay.min(CLOSING_DELAY)).await;
        }
    }
}
