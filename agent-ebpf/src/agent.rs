//! What user space says of itself: whether it is alive, and whether it takes on more.

use agent_common::AgentIndex;

use crate::maps::{self, AGENT, DATA};

/// Of the ring, this part may fill while nobody reads.
const BACKLOG_PART: u64 = 8;
/// Flags of `bpf_ringbuf_query` (`linux/bpf.h`): bytes that wait to be read, and size of the ring.
const AVAILABLE: u64 = 0;
const SIZE: u64 = 1;

#[inline(always)]
fn word(index: AgentIndex) -> u64 {
    AGENT.get(index as u32).copied().unwrap_or(0)
}

/// Whether user space has shown no sign of life for too long, and what waits for it is more than a short pause leaves behind. What would be
/// copied then would only fill the ring, which nobody reads. The rest of the ring is for what comes when it is back.
#[inline(always)]
pub fn is_stalled(now: u64) -> bool {
    let patience = maps::watchdog_nanos();
    // A heartbeat may be newer than `now`, which was taken before.
    patience != 0
        && now > word(AgentIndex::Heartbeat).saturating_add(patience)
        && DATA.query(AVAILABLE) > DATA.query(SIZE) / BACKLOG_PART
}

/// Whether user space takes on no further connections.
#[inline(always)]
pub fn is_shedding() -> bool {
    word(AgentIndex::Shedding) != 0
}
