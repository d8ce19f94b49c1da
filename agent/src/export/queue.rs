//! The queue before a destination: bounded in bytes, never blocking, handing out batches by size, number and age.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::{sync::Notify, time::Instant};

use super::{
    otlp::{EncodedSpan, trace_request},
    settings::{BatchLimits, QueueLimits},
};

/// What an item costs besides its bytes: its place in the queue and the headers of its allocations. Counted, so that many
/// small items are bounded too.
const OVERHEAD: usize = 128;

/// What waits to be sent.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// One span.
    Span(EncodedSpan),
    /// A whole encoded `ExportMetricsServiceRequest` with that many data points.
    Metrics(Bytes, u64),
}

impl Item {
    fn cost(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Span(span) => span.len(),
                Self::Metrics(bytes, _) => bytes.len(),
            }
    }

    /// Spans or data points in it.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Span(_) => 1,
            Self::Metrics(_, points) => *points,
        }
    }
}

/// A request body on its way.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Encoded request.
    pub(crate) body: Bytes,
    /// Spans or data points in it.
    pub(crate) count: u64,
}

/// Why an item was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The queue is full.
    Full,
    /// It alone is larger than the queue.
    Oversize,
    /// The queue is closed.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Instant, Item)>,
    waiting_bytes: usize,
    waiting_count: u64,
    sending_bytes: usize,
    sending_items: usize,
    sending_count: u64,
    closed: bool,
}

/// A queue with one consumer. What the consumer took counts until [`Queue::done`].
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Notify,
    limits: QueueLimits,
    batch: BatchLimits,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits, batch: BatchLimits) -> Self {
        Self { state: Mutex::default(), wake: Notify::new(), limits, batch }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change below leaves the state consistent at each step that could panic (none can).
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an item or says why not; never waits.
    pub(crate) fn push(&self, item: Item) -> Result<(), Refused> {
        let cost = item.cost();
        if cost > self.limits.max_bytes {
            return Err(Refused::Oversize);
        }
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let items = state.waiting.len() + state.sending_items;
        let full = state.waiting_bytes + state.sending_bytes + cost > self.limits.max_bytes
            || self.limits.max_items.is_some_and(|max| items >= max);
        if full {
            return Err(Refused::Full);
        }
        state.waiting_bytes += cost;
        state.waiting_count += item.count();
        state.waiting.push_back((Instant::now(), item));
        // The consumer has to look when the first item starts the clock and when a batch is full.
        if state.waiting.len() == 1 || self.is_full_batch(&state) {
            self.wake.notify_one();
        }
        Ok(())
    }

    fn is_full_batch(&self, state: &State) -> bool {
        state.waiting.len() >= self.batch.max_items || state.waiting_bytes >= self.batch.max_bytes
    }

    /// Waits for a batch to be due; `None` when the queue is closed and empty. Only one task may call it, and only
    /// after the batch before is [`Queue::done`].
    pub(crate) async fn next(&self) -> Option<Batch> {
        loop {
            let due = {
                let mut state = self.lock();
                match state.waiting.front() {
                    None if state.closed => return None,
                    None => None,
                    Some((since, _)) => {
                        let due = *since + self.batch.delay;
                        if state.closed || self.is_full_batch(&state) || due <= Instant::now() {
                            return Some(self.take(&mut state));
                        }
                        Some(due)
                    }
                }
            };
            // A notification between the look above and here is kept as a permit: there is one consumer.
            let notified = pin!(self.wake.notified());
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, notified).await;
                }
                None => notified.await,
            }
        }
    }

    fn take(&self, state: &mut State) -> Batch {
        let (mut spans, mut whole, mut bytes, mut count) = (Vec::new(), None, 0_usize, 0_u64);
        while let Some((_, item)) = state.waiting.front() {
            let cost = item.cost();
            let is_request = matches!(item, Item::Metrics(..));
            let started = !spans.is_empty();
            if started
                && (is_request || spans.len() >= self.batch.max_items || bytes + cost > self.batch.max_bytes)
            {
                break;
            }
            let Some((_, item)) = state.waiting.pop_front() else { break };
            bytes += cost;
            count += item.count();
            match item {
                Item::Span(span) => spans.push(span),
                Item::Metrics(body, _) => {
                    whole = Some(body);
                    break;
                }
            }
        }
        state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
        state.waiting_count = state.waiting_count.saturating_sub(count);
        state.sending_bytes = bytes;
        state.sending_items = if whole.is_some() { 1 } else { spans.len() };
        state.sending_count = count;
        Batch { body: whole.unwrap_or_else(|| trace_request(&spans)), count }
    }

    /// The batch that was taken last is settled: its bytes are free again.
    pub(crate) fn done(&self) {
        let mut state = self.lock();
        (state.sending_bytes, state.sending_items, state.sending_count) = (0, 0, 0);
    }

    /// Takes no more; what waits becomes due at once.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Forgets everything, also what is being sent, and says how many spans or data points that were.
    pub(crate) fn clear(&self) -> u64 {
        let mut state = self.lock();
        let closed = state.closed;
        let old = std::mem::replace(&mut *state, State { closed, ..State::default() });
        old.waiting_count + old.sending_count
    }

    /// Spans or data points, and bytes, that wait or are being sent.
    pub(crate) fn held(&self) -> (u64, u64) {
        let state = self.lock();
        (state.waiting_count + state.sending_count, (state.waiting_bytes + state.sending_bytes) as u64)
    }
}

#[cfg(test)]
mod tests;
