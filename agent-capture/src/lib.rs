//! Finds processes and the TLS functions inside them, attaches probes, and yields the plaintext as [`CaptureEvent`]s.
//!
//! [`Capture::start`] loads the kernel programs and starts a thread that follows processes; [`Capture::poll`] hands over what was seen, on
//! the caller's thread. Linux on x86-64, kernel 5.10 or newer.

mod abi;
mod arm64;
mod attach;
mod attachment;
mod cache;
mod candidates;
mod capture;
mod command;
mod config;
mod confine;
mod decode;
mod elf;
mod error;
mod event;
mod evict;
mod functions;
mod go;
mod heartbeat;
mod identity;
pub mod java;
mod kernel;
mod linker;
mod multi;
mod preflight;
mod privileges;
mod probes;
mod procfs;
mod reader;
mod record;
#[cfg(test)]
mod recorded;
mod ring;
mod rules;
mod rustls;
mod saved;
mod search;
mod settings;
mod shared;
mod sites;
mod sockets;
mod structure;
mod sweep;
mod table;
mod tracefs;
mod unused;
mod verdicts;
#[cfg(test)]
mod verification;
mod watcher;
mod x86;

pub use capture::{Capture, InheritGuard};
pub use config::{CaptureConfig, PlainHttp, PlainMode, Scope};
pub use confine::deny_system_calls;
pub use error::CaptureError;
pub use event::{
    CaptureEvent, CaptureStats, ConnectionId, Direction, Peer, ProcessInfo, StreamChunk, Transport, Verdict,
};
pub use preflight::{Capabilities, Check, CheckStatus, preflight};
pub use privileges::{Keep, drop_capabilities};
pub use verdicts::Verdicts;
