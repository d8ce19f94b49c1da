//! The processes and connections that the reader of events was told of.

use std::collections::HashMap;

use crate::{ConnectionId, Direction, ProcessInfo};

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) generation: u64,
    pub(crate) egress_end: u64,
    pub(crate) ingress_end: u64,
}

impl Open {
    /// Takes note of bytes up to `end`.
    pub(crate) fn extend(&mut self, direction: Direction, end: u64) {
        let known = match direction {
            Direction::Egress => &mut self.egress_end,
            Direction::Ingress => &mut self.ingress_end,
        };
        *known = (*known).max(end);
    }
}

/// One process.
#[derive(Debug, Default)]
pub(crate) struct Tracked {
    pub(crate) start_time: u64,
    /// Command name.
    pub(crate) command: String,
    /// By TLS handle.
    pub(crate) connections: HashMap<u64, Open>,
}

impl Tracked {
    pub(crate) fn id(&self, tgid: u32, handle: u64, generation: u64) -> ConnectionId {
        ConnectionId { tgid, start_time: self.start_time, handle, generation }
    }
}

/// Processes by id.
#[derive(Debug, Default)]
pub(crate) struct Table {
    processes: HashMap<u32, Tracked>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    pub(crate) fn knows(&self, tgid: u32) -> bool {
        self.processes.contains_key(&tgid)
    }

    /// Takes note of a process; its connections stay.
    pub(crate) fn insert(&mut self, info: &ProcessInfo) {
        let tracked = self.processes.entry(info.pid).or_default();
        tracked.start_time = info.start_time;
        tracked.command.clone_from(&info.command);
    }

    pub(crate) fn get_mut(&mut self, tgid: u32) -> Option<&mut Tracked> {
        self.processes.get_mut(&tgid)
    }

    pub(crate) fn remove(&mut self, tgid: u32) -> Option<Tracked> {
        self.processes.remove(&tgid)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Tracked)> {
        self.processes.iter().map(|(tgid, tracked)| (*tgid, tracked))
    }
}
