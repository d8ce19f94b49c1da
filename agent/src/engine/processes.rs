//! What is known of the observed processes: the resource attributes of their spans, and whether content is kept.

use std::{collections::BTreeMap, sync::Arc};

use agent_capture::ProcessInfo;
use agent_genai::record::Attributes;

/// Makes resource attributes of a process. May read the host's facts when it is made, but must not when it is asked: the
/// engine does no I/O.
pub trait Resources: Send {
    /// Attributes of the process.
    fn attributes(&self, process: &ProcessInfo) -> Attributes;
}

impl<F: Fn(&ProcessInfo) -> Attributes + Send> Resources for F {
    fn attributes(&self, process: &ProcessInfo) -> Attributes {
        self(process)
    }
}

/// One observed process.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// What `/proc` said.
    pub(crate) info: ProcessInfo,
    /// Attributes of its spans.
    pub(crate) resource: Arc<Attributes>,
    /// Keep message content.
    pub(crate) content: bool,
}

/// The observed processes, by id and start time, because ids are reused.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    known: BTreeMap<(u32, u64), (u64, Known)>,
    sequence: u64,
}

/// Most processes remembered. An entry is about a kilobyte.
const MAX_PROCESSES: usize = 32_768;

impl Processes {
    /// Remembers a process, or what it has become by `exec`. Past the bound, the one that was seen first is forgotten.
    pub(crate) fn insert(&mut self, known: Known) {
        self.sequence += 1;
        self.known.insert((known.info.pid, known.info.start_time), (self.sequence, known));
        if self.known.len() > MAX_PROCESSES {
            let oldest = self.known.iter().min_by_key(|(_, (sequence, _))| *sequence).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
    }

    /// The process. A start time of 0 is an unknown one and fits the newest process of that id.
    pub(crate) fn get(&self, pid: u32, start_time: u64) -> Option<&Known> {
        let newest = || {
            self.known
                .range((pid, 0)..=(pid, u64::MAX))
                .map(|(_, entry)| entry)
                .max_by_key(|(sequence, _)| *sequence)
        };
        let entry = match start_time {
            0 => newest(),
            _ => self.known.get(&(pid, start_time)).or_else(|| self.known.get(&(pid, 0))),
        };
        entry.map(|(_, known)| known)
    }

    /// Forgets a process that ended.
    pub(crate) fn remove(&mut self, pid: u32, start_time: u64) {
        self.known.remove(&(pid, start_time));
    }

    /// Applies `change` to every process.
    pub(crate) fn for_each(&mut self, mut change: impl FnMut(&mut Known)) {
        self.known.values_mut().for_each(|(_, known)| change(known));
    }

    /// Number of processes remembered.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}
