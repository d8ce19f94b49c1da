//! Where a session's events come from: the kernel, or a stand-in in tests.

use std::time::Duration;

use agent_capture::{CaptureEvent, CaptureStats};

use crate::engine::VerdictChange;

/// Tells the kernel what to do with the rest of a connection.
pub type Judge = Box<dyn Fn(VerdictChange) + Send>;

/// A source of capture events.
pub trait Source: Send {
    /// Hands on what has come, waiting up to `wait` for something to come. Returns the number of events.
    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(CaptureEvent)) -> usize;

    /// Hands on everything that has happened up to now.
    ///
    /// # Errors
    /// When the capture has stopped by itself.
    fn drain(&mut self, each: &mut dyn FnMut(CaptureEvent)) -> anyhow::Result<()>;

    /// What verdicts are given to; it is used while events are handed on.
    fn judge(&self) -> Judge;

    /// Whether connections that are not known yet are not to be captured.
    ///
    /// # Errors
    /// When the kernel cannot be told.
    fn shed_new(&mut self, shed: bool) -> anyhow::Result<()>;

    /// Counters.
    fn stats(&self) -> CaptureStats;
}
