//! Decides about places that were found by the structure of the code, by what went through them.
//!
//! A wrong guess does no harm but for the time that its probes take: the kernel copies nothing until a call begins like plaintext, and
//! keeps no connection for one that does not. So a place is given up only when the evidence is clear.

use std::collections::VecDeque;

use agent_common::{MAX_SITES, SiteCounts};

/// So many different handles, none with plaintext, and the place is given up. A program that speaks another protocol over TLS before it
/// speaks HTTP is right to be watched until then.
const MAX_FOREIGN_HANDLES: u64 = 32;
/// So many calls without plaintext, and it is given up too: what is no handle may always be the same value.
const MAX_FOREIGN_CALLS: u64 = 4096;

/// What is known of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Not enough was seen.
    Open,
    /// Plaintext passed through it.
    Confirmed,
    /// It is not what it was taken for.
    Refuted,
}

/// Judges by the counts of the kernel.
pub(crate) fn judge(counts: &SiteCounts) -> Proof {
    if counts.plausible > 0 {
        Proof::Confirmed
    } else if counts.foreign_handles >= MAX_FOREIGN_HANDLES || counts.calls >= MAX_FOREIGN_CALLS {
        Proof::Refuted
    } else {
        Proof::Open
    }
}

/// The numbers that places are attached with.
#[derive(Debug)]
pub(crate) struct Numbers {
    free: VecDeque<u32>,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self { free: (1..MAX_SITES).collect() }
    }

    pub(crate) fn take(&mut self) -> Option<u32> {
        self.free.pop_front()
    }

    /// The number is used again as late as possible: calls that are in progress may still count for it.
    pub(crate) fn give_back(&mut self, number: u32) {
        if number != 0 {
            self.free.push_back(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(calls: u64, plausible: u64, foreign_handles: u64) -> SiteCounts {
        SiteCounts { calls, plausible, foreign_handles }
    }

    #[test]
    fn one_beginning_of_plaintext_confirms_whatever_else_was_there() {
        assert_eq!(judge(&counts(1, 1, 0)), Proof::Confirmed);
        assert_eq!(judge(&counts(10_000, 1, 500)), Proof::Confirmed);
    }

    #[test]
    fn a_long_connection_of_another_protocol_refutes_nothing_for_long() {
        assert_eq!(judge(&counts(0, 0, 0)), Proof::Open);
        assert_eq!(judge(&counts(MAX_FOREIGN_CALLS - 1, 0, 1)), Proof::Open);
        assert_eq!(judge(&counts(MAX_FOREIGN_CALLS, 0, 1)), Proof::Refuted);
        assert_eq!(judge(&counts(32, 0, MAX_FOREIGN_HANDLES)), Proof::Refuted);
    }

    #[test]
    fn numbers_are_bounded_come_back_last_and_are_never_zero() {
        let mut numbers = Numbers::new();
        let all: Vec<_> = std::iter::from_fn(|| numbers.take()).collect();
        assert_eq!(all.len(), MAX_SITES as usize - 1);
        assert!(!all.contains(&0));
        numbers.give_back(0);
        assert_eq!(numbers.take(), None);
        numbers.give_back(7);
        assert_eq!(numbers.take(), Some(7));
    }
}
