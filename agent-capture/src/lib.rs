//! Finds processes and the TLS functions inside them, attaches probes, and yields the plaintext as [`CaptureEvent`]s.

mod config;
mod event;

pub use config::{CaptureConfig, Scope};
pub use event::{CaptureEvent, CaptureStats, ConnectionId, Direction, ProcessInfo, StreamChunk, Verdict};
