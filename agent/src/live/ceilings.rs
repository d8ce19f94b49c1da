//! What wirespan may cost, and what it has to give up when it costs more. Pure: the clock and the usage are handed in.

use std::{collections::VecDeque, time::Duration};

use crate::config::LimitsSection;

/// Back below a ceiling is whoever is below this part of it, so that one who hovers about it does not flip.
const CPU_CALM: f64 = 0.8;
/// The same for memory, in percent.
const MEMORY_CALM: u64 = 90;

/// Bounds on wirespan's own use of the machine. None by default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ceilings {
    /// Of a core; 0.5 is half of one.
    pub cpu: Option<f64>,
    /// Resident bytes.
    pub memory: Option<u64>,
    /// The CPU time is measured over so long, and after so long below both ceilings they are forgotten.
    pub window: Duration,
}

impl From<&LimitsSection> for Ceilings {
    fn from(section: &LimitsSection) -> Self {
        let LimitsSection { cpu, memory, window, watchdog: _ } = section;
        Self { cpu: *cpu, memory: memory.map(|size| size.0), window: window.0 }
    }
}

/// What wirespan has used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// When this was, on any clock that only goes forward.
    pub(crate) at: Duration,
    /// CPU time since the start.
    pub(crate) cpu: Duration,
    /// Resident bytes now.
    pub(crate) resident: u64,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Decision {
    /// No connection is taken on.
    pub(crate) shed_new: bool,
    /// Give up the busiest connections, which together have this part of the traffic.
    pub(crate) traffic: f64,
    /// Give up the connections that hold most, which together hold so many bytes.
    pub(crate) held: u64,
    /// The part of a core that was used over the window, where one has passed.
    pub(crate) cpu: Option<f64>,
}

/// Compares the usage with the ceilings.
#[derive(Debug)]
pub(crate) struct Governor {
    ceilings: Ceilings,
    samples: VecDeque<(Duration, Duration)>,
    shedding: bool,
    calm_since: Option<Duration>,
}

impl Governor {
    /// `None` when there is nothing to keep to.
    pub(crate) fn new(ceilings: Ceilings) -> Option<Self> {
        (ceilings.cpu.is_some() || ceilings.memory.is_some()).then(|| Self {
            ceilings,
            samples: VecDeque::new(),
            shedding: false,
            calm_since: None,
        })
    }

    /// Whether connections are given up.
    pub(crate) fn is_shedding(&self) -> bool {
        self.shedding
    }

    /// Decides by the newest usage.
    pub(crate) fn decide(&mut self, usage: Usage) -> Decision {
        let Ceilings { cpu: cpu_ceiling, memory, window } = self.ceilings;
        let cpu = self.cpu(usage, window);
        let busy = cpu.zip(cpu_ceiling).filter(|(used, ceiling)| used > ceiling);
        let excess = memory.map_or(0, |ceiling| usage.resident.saturating_sub(ceiling));
        if busy.is_some() || excess > 0 {
            self.shedding = true;
            self.calm_since = None;
        } else if self.shedding && self.is_calm(usage, cpu) {
            let since = *self.calm_since.get_or_insert(usage.at);
            if usage.at.saturating_sub(since) >= window {
                self.shedding = false;
                self.calm_since = None;
            }
        } else {
            self.calm_since = None;
        }
        if busy.is_some() {
            // The next measure is to show what giving up has brought.
            self.samples.clear();
            self.samples.push_back((usage.at, usage.cpu));
        }
        Decision {
            shed_new: self.shedding,
            traffic: busy.map_or(0.0, |(used, ceiling)| 1.0 - ceiling / used),
            held: excess,
            cpu,
        }
    }

    /// The part of a core used over the last window.
    fn cpu(&mut self, usage: Usage, window: Duration) -> Option<f64> {
        self.samples.push_back((usage.at, usage.cpu));
        while self.samples.get(1).is_some_and(|(at, _)| usage.at.saturating_sub(*at) >= window) {
            self.samples.pop_front();
        }
        let (at, cpu) = self.samples.front()?;
        let passed = usage.at.saturating_sub(*at);
        (passed >= window && !passed.is_zero())
            .then(|| usage.cpu.saturating_sub(*cpu).as_secs_f64() / passed.as_secs_f64())
    }

    fn is_calm(&self, usage: Usage, cpu: Option<f64>) -> bool {
        let Ceilings { cpu: ceiling, memory, .. } = self.ceilings;
        let cpu_is = ceiling.is_none_or(|ceiling| cpu.is_some_and(|used| used < ceiling * CPU_CALM));
        let memory_is = memory.is_none_or(|ceiling| usage.resident < ceiling / 100 * MEMORY_CALM);
        cpu_is && memory_is
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(second: u64, cpu_ms: u64, resident: u64) -> Usage {
        Usage { at: Duration::from_secs(second), cpu: Duration::from_millis(cpu_ms), resident }
    }

    fn governor(cpu: Option<f64>, memory: Option<u64>) -> Governor {
        Governor::new(Ceilings { cpu, memory, window: Duration::from_secs(2) }).expect("a ceiling")
    }

    #[test]
    fn without_a_ceiling_nothing_is_measured() {
        assert!(Governor::new(Ceilings::default()).is_none());
    }

    #[test]
    fn cpu_time_is_judged_over_a_window_and_the_excess_part_is_given_up() {
        let mut governor = governor(Some(0.25), None);
        assert_eq!(governor.decide(usage(0, 0, 0)), Decision::default());
        // A whole second of work, but not a whole window of knowing.
        assert!(!governor.decide(usage(1, 1_000, 0)).shed_new);
        let decision = governor.decide(usage(2, 1_000, 0));
        assert!(decision.shed_new && (decision.traffic - 0.5).abs() < 1e-9, "{decision:?}");
        // The next decision waits for a window after this one.
        let next = governor.decide(usage(3, 1_400, 0));
        assert!(next.shed_new && next.traffic == 0.0, "{next:?}");
        // Calm, and for a window.
        assert!(governor.decide(usage(4, 1_400, 0)).shed_new);
        assert!(governor.decide(usage(5, 1_400, 0)).shed_new);
        assert!(governor.decide(usage(6, 1_400, 0)).shed_new);
        assert!(!governor.decide(usage(7, 1_400, 0)).shed_new);
        assert!(!governor.is_shedding());
    }

    #[test]
    fn one_who_hovers_about_the_ceiling_stays_there() {
        let mut governor = governor(Some(0.5), None);
        governor.decide(usage(0, 0, 0));
        assert!(governor.decide(usage(2, 2_000, 0)).shed_new);
        for second in 3..20 {
            assert!(governor.decide(usage(second, 2_000 + (second - 2) * 450, 0)).shed_new);
        }
    }

    #[test]
    fn memory_is_judged_at_once_and_the_excess_is_given_up() {
        let mut governor = governor(None, Some(1_000));
        let decision = governor.decide(usage(0, 0, 1_300));
        assert!(decision.shed_new && decision.held == 300, "{decision:?}");
        assert!(governor.decide(usage(1, 0, 950)).shed_new);
        for second in 2..4 {
            assert!(governor.decide(usage(second, 0, 800)).shed_new);
        }
        assert!(!governor.decide(usage(4, 0, 800)).shed_new);
    }
}
