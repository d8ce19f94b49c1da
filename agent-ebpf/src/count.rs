//! Counters that lose nothing.

use core::arch::asm;

use agent_common::CounterIndex;

use crate::maps::COUNTERS;

/// Adds to a counter. Atomically, although it is this CPU's own: a program may be preempted by another on the same CPU.
#[inline(always)]
pub fn count(counter: CounterIndex, amount: u64) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // `BPF_ATOMIC | BPF_ADD`. The atomic types of `core` have no addition on this target.
        // SAFETY: the map keeps the value alive and aligned for as long as the program runs, and every writer adds in this way.
        unsafe {
            asm!("lock *(u64 *)({value} + 0) += {amount}", value = in(reg) value, amount = in(reg) amount, options(nostack));
        }
    }
}
