//! Process events into the control ring.

use agent_common::{ControlEvent, ControlKind, CounterIndex};

use crate::{count::count, maps::CONTROL};

/// Reports, and wakes the reader: probes have to be in place before the process gets to its first handshake.
#[inline(always)]
pub fn report(kind: ControlKind, tgid: u32, detail: u32, in_scope: bool, ktime: u64) {
    let event = ControlEvent { kind: kind as u32, tgid, detail, in_scope: in_scope as u32, ktime };
    match CONTROL.reserve::<ControlEvent>(0) {
        Some(mut entry) => {
            entry.write(event);
            entry.submit(0);
        }
        None => count(CounterIndex::ControlEvents, 1),
    }
}
