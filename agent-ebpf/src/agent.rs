//! What user space says of itself: whether it is alive, and whether it takes on more.

use agent_common::AgentIndex;

use crate::maps::{self, AGENT};

#[inline(always)]
fn word(index: AgentIndex) -> u64 {
    AGENT.get(index as u32).copied().unwrap_or(0)
}

/// Whether user space has shown no sign of life for too long. What would be copied then would only fill the ring, which nobody reads.
#[inline(always)]
pub fn is_stalled(now: u64) -> bool {
    let patience = maps::watchdog_nanos();
    // A heartbeat may be newer than `now`, which was taken before.
    patience != 0 && now > word(AgentIndex::Heartbeat).saturating_add(patience)
}

/// Whether user space takes on no further connections.
#[inline(always)]
pub fn is_shedding() -> bool {
    word(AgentIndex::Shedding) != 0
}
