//! Clears the kernel's tables of what dead processes left behind. A process that is killed frees no TLS handle and returns from no call.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use agent_common::CounterIndex;

use crate::evict;
use crate::procfs;
use crate::shared::{Message, Shared, monotonic};
use crate::watcher::dismiss;

/// After so many exits.
const EXITS: u32 = 1024;
/// After so long, if there was an exit at all.
const PERIOD: Duration = Duration::from_secs(30);
/// How often the fill of the table is looked at.
const FILL_CHECK: Duration = Duration::from_secs(1);
/// In a smaller table than this nothing is evicted: it would be at every look.
const MIN_CAPACITY: u64 = 16;

/// Decides when to sweep, and does.
pub(crate) struct Sweeper {
    capacity: u64,
    exits: u32,
    /// Events that were lost by the last look: exits may be among them.
    lost: u64,
    /// Calls that found their table full by the last look.
    untracked: u64,
    last: Instant,
    last_check: Instant,
}

impl Sweeper {
    pub(crate) fn new(max_connections: u32) -> Self {
        let now = Instant::now();
        Self { capacity: max_connections.into(), exits: 0, lost: 0, untracked: 0, last: now, last_check: now }
    }

    pub(crate) fn note_exit(&mut self) {
        self.exits = self.exits.saturating_add(1);
    }

    /// Sweeps after many exits, after some time if there was one, and when the table of connections is half full with one; then makes room
    /// if it is three quarters full all the same.
    pub(crate) fn sweep_if_due(&mut self, shared: &Shared) {
        let now = Instant::now();
        let mut due = self.exits >= EXITS || (self.exits > 0 && now.duration_since(self.last) >= PERIOD);
        if !due && now.duration_since(self.last_check) < FILL_CHECK {
            return;
        }
        self.last_check = now;
        let lost = shared.maps.counter(CounterIndex::ControlEvents);
        if std::mem::replace(&mut self.lost, lost) != lost {
            self.exits = self.exits.saturating_add(1);
        }
        let untracked = shared.maps.counter(CounterIndex::CallsUntracked);
        let calls_overflow = std::mem::replace(&mut self.untracked, untracked) != untracked;
        due |= self.exits > 0 && (calls_overflow || tracked(shared) > self.capacity / 2);
        if due {
            self.exits = 0;
            self.last = now;
            sweep(shared, self.capacity);
        }
        if calls_overflow {
            evict::calls(shared);
        }
        if tracked(shared) > self.capacity / 4 * 3 && self.capacity >= MIN_CAPACITY {
            evict::connections(shared, usize::try_from(self.capacity).unwrap_or(usize::MAX));
        }
    }
}

/// Connections in the kernel's table.
pub(crate) fn tracked(shared: &Shared) -> u64 {
    let removed = shared.maps.counter(CounterIndex::ConnectionsRemoved)
        + shared.connections_removed.load(Ordering::Relaxed);
    shared.maps.counter(CounterIndex::ConnectionsAdded).saturating_sub(removed)
}

/// Removes what belongs to no living image of a process. The kernel puts a process into its map before it puts anything else of it
/// anywhere, so what has no process there is dead.
fn sweep(shared: &Shared, capacity: u64) {
    let birth_of = |tgid: u32| shared.maps.processes().get(&tgid, 0).ok().map(|state| state.0.birth);
    let limit = usize::try_from(capacity).unwrap_or(usize::MAX);
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
