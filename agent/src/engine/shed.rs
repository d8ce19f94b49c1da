//! Whole connections given up because wirespan is at a ceiling of its own.

use agent_capture::{ConnectionId, Verdict};

use super::{Engine, VerdictChange};

impl Engine {
    /// Nothing more is on its way of connections that were given up. Those that are taken up again are others to the engine.
    pub fn forget_shed(&mut self) {
        self.shed.clear();
    }

    /// Gives up the busiest connections, which together have `traffic` (a part of 1) of the bytes that came of late, and the ones that hold
    /// most, which together hold `held` bytes. What is in flight on them ends as truncated.
    pub fn shed(&mut self, traffic: f64, held: u64) {
        let total: u64 = self.connections.values().map(|(tracked, _)| tracked.recent).sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a part of a number of bytes, of no exact meaning; the cast saturates"
        )]
        let busy = (total as f64 * traffic.clamp(0.0, 1.0)).ceil() as u64;
        self.shed_until(busy, |tracked| tracked.recent);
        self.shed_until(held, |tracked| tracked.held as u64);
    }

    /// Older traffic counts half as much from now on.
    pub fn age_traffic(&mut self) {
        for (tracked, _) in self.connections.values_mut() {
            tracked.recent /= 2;
        }
    }

    /// Gives up connections, those with the largest weight first, until their weights come to `amount`.
    fn shed_until(&mut self, amount: u64, weight: impl Fn(&super::Tracked) -> u64) {
        if amount == 0 {
            return;
        }
        let mut weights: Vec<(u64, ConnectionId)> =
            self.connections.iter().map(|(id, (tracked, _))| (weight(tracked), *id)).collect();
        weights.retain(|(weight, _)| *weight > 0);
        weights.sort_unstable_by(|one, other| other.cmp(one));
        let mut given = 0_u64;
        for (weight, id) in weights {
            if given >= amount {
                break;
            }
            given = given.saturating_add(weight);
            self.close(id, None, self.now);
            self.shed.insert(id);
            self.stats.shed_connections += 1;
            // Meant for whatever request comes.
            self.verdicts.push(VerdictChange { connection: id, verdict: Verdict::Shed, seen: u64::MAX });
        }
    }
}
