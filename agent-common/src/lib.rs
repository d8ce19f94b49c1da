//! The ABI between the kernel programs and user space: ring records, map keys and values, counters, bounds.
//!
//! Everything is `repr(C)` without padding that carries meaning, in the byte order of the host. No logic lives here: both sides are
//! built from the same commit, and user space refuses a kernel object whose [`ABI_VERSION`] is another.
#![no_std]
#![forbid(unsafe_code)]

mod control;
mod java;
mod maps;
mod record;
mod socket;

pub use control::{ControlEvent, ControlKind};
pub use java::{JAVA_HANDLE, JAVA_HEADER_BYTES, JAVA_MAGIC, JavaKind};
pub use maps::{
    AgentIndex, COMMAND_BYTES, CallArgs, CallKey, Connection, ConnectionKey, ConnectionState, CounterIndex,
    MAX_SITES, ProcessFlags, ProcessState, Role, SiteCounts, VerdictEntry,
};
pub use record::{HEADER_BYTES, MAX_CHUNK, MAX_CHUNKS, RecordHeader, RecordKind, TIERS};
pub use socket::{
    Listener, PeerAddress, PlainMode, SOCKET_HANDLE, Socket, SocketCall, SocketFlags, SocketKey, Waiting,
};

/// Raised with each change of a type in this crate; the kernel object carries it as the global `ABI_VERSION`.
pub const ABI_VERSION: u32 = 4;

/// Direction of a record: written by the process.
pub const EGRESS: u8 = 0;
/// Direction of a record: read by the process.
pub const INGRESS: u8 = 1;
