//! What this process has used of the machine.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use super::ceilings::Usage;

/// Reads it: two clocks and one small file.
pub(super) fn read() -> Usage {
    Usage {
        at: duration(clock_gettime(ClockId::Monotonic)),
        cpu: duration(clock_gettime(ClockId::ProcessCPUTime)),
        resident: resident(&std::fs::read_to_string("/proc/self/statm").unwrap_or_default()),
    }
}

fn duration(time: Timespec) -> Duration {
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// The second field of `/proc/self/statm` is the number of resident pages.
fn resident(statm: &str) -> u64 {
    let pages = statm.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0_u64);
    pages.saturating_mul(rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let first = read();
        let second = read();
        assert!(second.at >= first.at && second.cpu >= first.cpu && first.resident > 1 << 20, "{first:?}");
        assert_eq!(resident("nonsense"), 0);
    }
}
