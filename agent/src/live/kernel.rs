//! The kernel as a source of events.

use std::time::Duration;

use agent_capture::{Capture, CaptureConfig, CaptureEvent, CaptureStats, Scope};

use super::{Source, source::Judge};
use crate::{
    config::{CaptureSection, LimitsSection},
    engine::VerdictChange,
};

/// The capture's configuration from that of wirespan.
#[must_use]
pub fn kernel_config(section: &CaptureSection, limits: &LimitsSection, scope: Scope) -> CaptureConfig {
    CaptureConfig {
        scope,
        ring_bytes: section.ring_size.as_u32(),
        max_call_bytes: section.max_call_size.as_u32(),
        max_connections: section.max_connections,
        drain_interval_ms: u32::try_from(section.drain_interval.0.as_millis()).unwrap_or(u32::MAX).max(1),
        watchdog_ms: u32::try_from(limits.watchdog.0.as_millis()).unwrap_or(u32::MAX),
        ..CaptureConfig::default()
    }
}

impl Source for Capture {
    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(CaptureEvent)) -> usize {
        Capture::poll(self, wait, each)
    }

    fn drain(&mut self, each: &mut dyn FnMut(CaptureEvent)) -> anyhow::Result<()> {
        Capture::drain(self, each)?;
        Ok(())
    }

    fn judge(&self) -> Judge {
        let verdicts = self.verdicts();
        Box::new(move |VerdictChange { connection, verdict, seen }| {
            if let Err(error) = verdicts.set(&connection, verdict, seen) {
                // The rest of the connection is copied for nothing; no call is lost by it.
                tracing::debug!(
                    "cannot tell the kernel what to do with a connection of {}: {error}",
                    connection.tgid
                );
            }
        })
    }

    fn stats(&self) -> CaptureStats {
        Capture::stats(self)
    }
}
