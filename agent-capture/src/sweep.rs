//! Clears the kernel's tables of what dead processes left behind. A process that is killed frees no TLS handle and returns from no call.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use agent_common::CounterIndex;

use crate::procfs;
use crate::shared::{Message, Shared, monotonic};
use crate::watcher::dismiss;

/// After so many exits.
const EXITS: u32 = 1024;
/// After so long, if there was an exit at all.
const PERIOD: Duration = Duration::from_secs(30);
/// How often the fill of the table is looked at.
const FILL_CHECK: Duration = Duration::from_secs(1);

/// Decides when to sweep, and does.
pub(crate) struct Sweeper {
    max_connections: u32,
    exits: u32,
    last: Instant,
    last_check: Instant,
}

impl Sweeper {
    pub(crate) fn new(max_connections: u32) -> Self {
        let now = Instant::now();
        Self { max_connections, exits: 0, last: now, last_check: now }
    }

    pub(crate) fn note_exit(&mut self) {
        self.exits = self.exits.saturating_add(1);
    }

    /// Sweeps after many exits, after some time, or when the table of connections is half full.
    pub(crate) fn sweep_if_due(&mut self, shared: &Shared) {
        if self.exits == 0 {
            return;
        }
        let now = Instant::now();
        let mut due = self.exits >= EXITS || now.duration_since(self.last) >= PERIOD;
        if !due && now.duration_since(self.last_check) >= FILL_CHECK {
            self.last_check = now;
            due = tracked(shared) > u64::from(self.max_connections) / 2;
        }
        if due {
            self.exits = 0;
            self.last = now;
            sweep(shared, self.max_connections);
        }
    }
}

/// Connections in the kernel's table.
fn tracked(shared: &Shared) -> u64 {
    let removed = shared.maps.counter(CounterIndex::ConnectionsRemoved)
        + shared.connections_removed.load(Ordering::Relaxed);
    shared.maps.counter(CounterIndex::ConnectionsAdded).saturating_sub(removed)
}

/// Removes what belongs to no living image of a process. The kernel puts a process into its map before it puts anything else of it
/// anywhere, so what has no process there is dead.
fn sweep(shared: &Shared, max_connections: u32) {
    let birth_of = |tgid: u32| shared.maps.processes().get(&tgid, 0).ok().map(|state| state.0.birth);
    let limit = usize::try_from(max_connections).unwrap_or(usize::MAX);
    let mut connections = shared.maps.connections();
    let dead: Vec<_> = connections
        .iter()
        .take(limit)
        .flatten()
        .filter(|(key, connection)| birth_of(key.0.tgid) != Some(connection.0.birth))
        .map(|(key, _)| key)
        .collect();
    for key in &dead {
        if connections.remove(key).is_ok() {
            shared.connections_removed.fetch_add(1, Ordering::Relaxed);
        }
    }
    drop(connections);
    let mut calls = shared.maps.calls();
    let abandoned: Vec<_> = calls
        .iter()
        .take(limit)
        .flatten()
        .filter(|(key, call)| birth_of(key.0.tgid) != Some(call.0.birth))
        .map(|(key, _)| key)
        .collect();
    for key in &abandoned {
        // The call may have returned meanwhile.
        let _ = calls.remove(key);
    }
    drop(calls);
    bury_forgotten(shared);
    tracing::debug!(connections = dead.len(), calls = abandoned.len(), "swept the kernel tables");
}

/// Reports processes that have ended although no event said so (it may have been lost to a full ring).
fn bury_forgotten(shared: &Shared) {
    let known: Vec<_> = shared.maps.processes().keys().flatten().collect();
    for pid in known {
        let now = monotonic();
        if !procfs::is_running(pid) {
            dismiss(shared, pid, now);
            shared.send(Message::Exited { pid, ktime: now });
        }
    }
}
