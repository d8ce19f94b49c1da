//! Counters of the export pipeline. Every item that was pushed is in exactly one of them.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::Signal;

/// What became of what was pushed to one destination. Items are spans or metric data points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationStats {
    /// Name of the destination.
    pub name: String,
    /// What is sent.
    pub signal: Signal,
    /// Items given to it.
    pub pushed: u64,
    /// Items that the collector accepted.
    pub sent: u64,
    /// Encoded bytes of the accepted batches, before compression.
    pub sent_bytes: u64,
    /// Items that the collector refused in an answer that accepted the rest (`partial_success`).
    pub rejected: u64,
    /// Items dropped because the queue was full.
    pub dropped_queue_full: u64,
    /// Items dropped because one alone is larger than the queue.
    pub dropped_oversize: u64,
    /// Items dropped because they cannot be expressed in OTLP.
    pub dropped_invalid: u64,
    /// Items dropped because the time for the shutdown was over, or pushed after it.
    pub dropped_shutdown: u64,
    /// Items dropped because the collector refused them for good.
    pub failed_permanent: u64,
    /// Items dropped because every attempt failed until the time to give up.
    pub failed_retries: u64,
    /// Requests sent.
    pub attempts: u64,
    /// Requests that were attempts after a failed one.
    pub retries: u64,
    /// Metric reports put off because the one before was still under way; nothing is lost by it.
    pub deferred: u64,
    /// Items waiting or being sent now.
    pub queued: u64,
    /// Bytes that they hold.
    pub queued_bytes: u64,
    /// The last failure, in words.
    pub last_error: Option<String>,
}

impl DestinationStats {
    /// Items lost, by cause.
    #[must_use]
    pub fn losses(&self) -> [(&'static str, u64); 7] {
        [
            ("queue_full", self.dropped_queue_full),
            ("oversize", self.dropped_oversize),
            ("invalid", self.dropped_invalid),
            ("shutdown", self.dropped_shutdown),
            ("rejected", self.rejected),
            ("refused", self.failed_permanent),
            ("unreachable", self.failed_retries),
        ]
    }

    /// Items lost for any cause.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.losses().iter().map(|(_, count)| count).sum()
    }
}

impl fmt::Display for DestinationStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.signal {
            Signal::Traces => "spans",
            Signal::Metrics => "data points",
        };
        write!(f, "{}: {} of {} {what} sent", self.name, self.sent, self.pushed)?;
        if self.queued > 0 {
            write!(f, ", {} waiting ({} bytes)", self.queued, self.queued_bytes)?;
        }
        if self.lost() > 0 {
            let causes: Vec<String> = self
                .losses()
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(cause, count)| format!("{cause} {count}"))
                .collect();
            write!(f, ", {} lost ({})", self.lost(), causes.join(", "))?;
        }
        if self.retries > 0 {
            write!(f, ", {} retries", self.retries)?;
        }
        match &self.last_error {
            Some(error) if self.lost() + self.queued > 0 => write!(f, "; last failure: {error}"),
            _ => Ok(()),
        }
    }
}

/// Counters of all destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportStats {
    /// In the order of the settings.
    pub destinations: Vec<DestinationStats>,
}

impl ExportStats {
    /// Items lost anywhere.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.destinations.iter().map(DestinationStats::lost).sum()
    }
}

impl fmt::Display for ExportStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, destination) in self.destinations.iter().enumerate() {
            write!(f, "{}{destination}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// A monotonic counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds and returns the new value.
    pub(crate) fn add(&self, count: u64) -> u64 {
        self.0.fetch_add(count, Relaxed).saturating_add(count)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The live counters behind [`DestinationStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) pushed: Counter,
    pub(crate) sent: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) rejected: Counter,
    pub(crate) dropped_queue_full: Counter,
    pub(crate) dropped_oversize: Counter,
    pub(crate) dropped_invalid: Counter,
    pub(crate) dropped_shutdown: Counter,
    pub(crate) failed_permanent: Counter,
    pub(crate) failed_retries: Counter,
    pub(crate) attempts: Counter,
    pub(crate) retries: Counter,
    pub(crate) deferred: Counter,
    last_error: Mutex<Option<String>>,
}

impl Counters {
    pub(crate) fn set_error(&self, message: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }

    /// A reading; `queued` and `queued_bytes` come from the queue.
    pub(crate) fn read(
        &self,
        name: &str,
        signal: Signal,
        queued: u64,
        queued_bytes: u64,
    ) -> DestinationStats {
        DestinationStats {
            name: name.to_owned(),
            signal,
            pushed: self.pushed.get(),
            sent: self.sent.get(),
            sent_bytes: self.sent_bytes.get(),
            rejected: self.rejected.get(),
            dropped_queue_full: self.dropped_queue_full.get(),
            dropped_oversize: self.dropped_oversize.get(),
            dropped_invalid: self.dropped_invalid.get(),
            dropped_shutdown: self.dropped_shutdown.get(),
            failed_permanent: self.failed_permanent.get(),
            failed_retries: self.failed_retries.get(),
            attempts: self.attempts.get(),
            retries: self.retries.get(),
            deferred: self.deferred.get(),
            queued,
            queued_bytes,
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_show_with_their_cause() {
        let counters = Counters::default();
        counters.pushed.add(10);
        counters.sent.add(4);
        assert_eq!(
            counters.read("c:4318", Signal::Traces, 6, 600).to_string(),
            "c:4318: 4 of 10 spans sent, 6 waiting (600 bytes)"
        );
        counters.dropped_queue_full.add(5);
        counters.rejected.add(1);
        counters.retries.add(2);
        counters.set_error("connection refused".to_owned());
        assert_eq!(
            counters.read("c:4318", Signal::Traces, 0, 0).to_string(),
            "c:4318: 4 of 10 spans sent, 6 lost (queue_full 5, rejected 1), 2 retries; last failure: connection refused"
        );
    }
}
