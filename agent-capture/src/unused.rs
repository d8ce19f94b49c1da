//! Tells which files nobody has mapped for a while.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::attach::FileId;

/// Looks twice a period; what was not used at two looks in a row is unused.
pub(crate) struct Unused<T = FileId> {
    period: Duration,
    last: Instant,
    suspects: HashSet<T>,
}

impl<T: Eq + Hash + Copy> Unused<T> {
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, last: Instant::now(), suspects: HashSet::new() }
    }

    /// Whether it is time to look.
    pub(crate) fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= self.period / 2;
        if due {
            self.last = Instant::now();
        }
        due
    }

    /// Takes note of a look. Returns what is unused.
    pub(crate) fn look(&mut self, all: &HashSet<T>, used: &HashSet<T>) -> Vec<T> {
        let idle: HashSet<T> = all.difference(used).copied().collect();
        let (unused, suspects): (Vec<T>, Vec<T>) =
            idle.into_iter().partition(|item| self.suspects.contains(item));
        self.suspects = suspects.into_iter().collect();
        unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_idle_twice_in_a_row_is_unused() {
        let mut unused: Unused<u8> = Unused::new(Duration::ZERO);
        assert!(unused.is_due());
        let all = || HashSet::from([1, 2]);
        assert!(unused.look(&all(), &[2].into()).is_empty());
        assert!(unused.look(&all(), &[1].into()).is_empty());
        assert_eq!(unused.look(&all(), &[1].into()), [2]);
        assert!(unused.look(&[1].into(), &[].into()).is_empty());
        assert_eq!(unused.look(&[1].into(), &[].into()), [1]);
    }
}
