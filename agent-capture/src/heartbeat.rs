//! The sign of life that the kernel programs look for before they copy anything.

use std::time::{Duration, Instant};

use agent_common::AgentIndex;

use crate::shared::{Shared, monotonic};

/// Shortest time between two beats, as a part of the kernel's patience.
const PART: u32 = 16;

/// Gives the sign.
pub(crate) struct Heartbeat {
    /// After so long without a beat nothing is copied. Zero: no beat is needed.
    patience: Duration,
    /// `None`: no beat yet. A capture that is being set up has nobody to read from.
    last: Option<Instant>,
}

impl Heartbeat {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, last: None }
    }

    /// Called as often as there is something to do: beats when it is time to. One system call then.
    pub(crate) fn beat(&mut self, shared: &Shared) {
        if self.patience.is_zero() {
            return;
        }
        let since = self.last.map(|last| last.elapsed());
        if since.is_some_and(|since| since < self.patience / PART) {
            return;
        }
        self.last = Some(Instant::now());
        if let Err(error) = shared.maps.tell(AgentIndex::Heartbeat, monotonic()) {
            // The programs fall silent then, and count what they do not copy.
            tracing::error!(%error, "the kernel programs cannot be told that they are listened to");
        }
        if let Some(since) = since
            && since > self.patience
        {
            tracing::warn!(
                "nothing was read from the kernel for {} ms: once an eighth of the ring buffer was full, nothing was captured",
                since.as_millis()
            );
        }
    }
}
