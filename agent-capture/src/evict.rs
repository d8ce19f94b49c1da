//! Makes room in the kernel's tables before they are full: what was used longest ago goes, and is counted.
//!
//! The tables are plain ones, not such that the kernel itself evicts from: it would do so without a word, and what a connection that is met
//! again had moved before, or was to be skipped, would be known to nobody.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use agent_common::{Connection, ConnectionKey};

use crate::abi::Abi;
use crate::shared::{Message, Shared, monotonic};

/// Entries of the table of calls (the kernel programs' `CALLS`).
const MAX_CALLS: usize = 32_768;

/// What of these goes, when `room` of them may stay: the oldest ones, and of the process alone that has more than `room` if there is one, so
/// that it crowds out nobody else.
fn oldest<K: Copy>(mut entries: Vec<(u64, u32, K)>, room: usize) -> Vec<K> {
    let excess = entries.len().saturating_sub(room);
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for (_, tgid, _) in &entries {
        *counts.entry(*tgid).or_default() += 1;
    }
    if let Some((hog, _)) = counts.into_iter().find(|(_, count)| *count > room) {
        entries.retain(|(_, tgid, _)| *tgid == hog);
    }
    entries.sort_unstable_by_key(|(used, ..)| *used);
    entries.into_iter().take(excess).map(|(.., key)| key).collect()
}

fn last_used(connection: &Connection) -> u64 {
    connection.accounted.into_iter().fold(connection.generation, u64::max)
}

/// Leaves the table of connections half full.
pub(crate) fn connections(shared: &Shared, capacity: usize) {
    let entries = shared
        .maps
        .connections()
        .iter()
        .take(capacity)
        .flatten()
        .map(|(key, connection)| (last_used(&connection.0), key.0.tgid, key))
        .collect();
    let evicted = oldest(entries, capacity / 2);
    for key in &evicted {
        connection(shared, *key);
    }
    if !evicted.is_empty() {
        tracing::warn!(
            connections = evicted.len(),
            "the table of connections was filling up: those used longest ago begin anew with their next call"
        );
    }
}

/// Takes one connection out of the table, and tells the reader where it got to.
fn connection(shared: &Shared, key: Abi<ConnectionKey>) {
    let mut connections = shared.maps.connections();
    let Ok(Abi(known)) = connections.get(&key, 0) else { return };
    if connections.remove(&key).is_err() {
        return;
    }
    drop(connections);
    shared.connections_removed.fetch_add(1, Ordering::Relaxed);
    shared.evicted_connections.fetch_add(1, Ordering::Relaxed);
    if known.announced != 0 {
        let Connection { generation, offsets, .. } = known;
        let ConnectionKey { tgid, handle, .. } = key.0;
        shared.send(Message::Evicted { tgid, handle, generation, ends: offsets, ktime: monotonic() });
    }
}

/// Leaves the table of calls in progress half full if it is three quarters full: a program that leaves its calls by `longjmp`, or ends
/// threads in them, leaves entries behind. What they moved is not known, so their connections begin anew.
pub(crate) fn calls(shared: &Shared) {
    let entries: Vec<_> = shared
        .maps
        .calls()
        .iter()
        .take(MAX_CALLS)
        .flatten()
        .map(|(key, call)| {
            let connection = ConnectionKey { tgid: key.0.tgid, reserved: 0, handle: call.0.handle };
            (call.0.entered, key.0.tgid, (key, Abi(connection)))
        })
        .collect();
    if entries.len() < MAX_CALLS / 4 * 3 {
        return;
    }
    let evicted = oldest(entries, MAX_CALLS / 2);
    for (key, of) in &evicted {
        // It may have returned meanwhile.
        if shared.maps.calls().remove(key).is_ok() {
            shared.evicted_calls.fetch_add(1, Ordering::Relaxed);
            connection(shared, *of);
        }
    }
    tracing::warn!(
        calls = evicted.len(),
        "calls that did not return filled their table: the oldest were given up"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go() {
        let entries = vec![(3, 1, 'c'), (1, 2, 'a'), (2, 1, 'b'), (4, 2, 'd')];
        assert_eq!(oldest(entries.clone(), 2), ['a', 'b']);
        assert!(oldest(entries, 4).is_empty());
    }

    #[test]
    fn a_process_that_fills_the_table_gives_way_alone() {
        let mut entries = vec![(0, 7, 100)];
        entries.extend((1..=5_u32).map(|number| (u64::from(number), 9, number)));
        assert_eq!(oldest(entries, 3), [1, 2, 3]);
    }
}
