//! The kernel's clock and the wall clock.

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds: the clock that kernel events carry.
#[must_use]
pub fn monotonic() -> u64 {
    nanos(ClockId::Monotonic)
}

/// Unix time minus `CLOCK_MONOTONIC` in nanoseconds. The wall clock is read between two reads of the other, and of a few tries
/// the one with the least in between counts, so that being preempted in between does not matter.
#[must_use]
pub fn offset() -> i64 {
    let measured = (0..5).map(|_| {
        let before = nanos(ClockId::Monotonic);
        let wall = nanos(ClockId::Realtime);
        let after = nanos(ClockId::Monotonic);
        let between = after.saturating_sub(before);
        let middle = before + between / 2;
        (between, i64::try_from(i128::from(wall) - i128::from(middle)).unwrap_or_default())
    });
    measured.min().map_or(0, |(_, offset)| offset)
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let rest = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// The boot id of this host; empty when it cannot be read.
#[must_use]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_turns_one_clock_into_the_other() {
        let unix = monotonic().saturating_add_signed(offset());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let apart = u128::from(unix).abs_diff(now.as_nanos());
        assert!(apart < 5_000_000_000, "{apart} ns apart");
    }
}
