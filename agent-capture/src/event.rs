//! The border of this crate: what the kernel side saw, as plain values.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Identity of one connection: a TLS handle, or a socket, in one life of one process.
///
/// The handle pointer, not a file descriptor, because memory-BIO runtimes (asyncio, Node) have no descriptor on the handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Process id (thread group id) in the agent's pid namespace.
    pub tgid: u32,
    /// Start time of the process in clock ticks since boot (`/proc/PID/stat` field 22); 0 when it was gone before it could be read.
    pub start_time: u64,
    /// TLS handle pointer in that process; for a connection without TLS the descriptor, with the highest bit set.
    pub handle: u64,
    /// Kernel time at which the handle was first seen, so that a reused pointer is another connection.
    pub generation: u64,
}

/// Where the plaintext of a connection was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// In a TLS library.
    Tls,
    /// On a socket: there is no TLS.
    Plain,
}

impl ConnectionId {
    /// Where the connection was seen. The handle tells.
    #[must_use]
    pub fn transport(&self) -> Transport {
        if self.handle & agent_common::SOCKET_HANDLE != 0 { Transport::Plain } else { Transport::Tls }
    }
}

/// Which way bytes went, seen from the observed process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Written by the process.
    Egress,
    /// Read by the process.
    Ingress,
}

/// The socket below a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    /// Address and port of the other end, where they are known.
    pub remote: Option<SocketAddr>,
    /// Port of this end, where it is known: that of the listener of an accepted connection.
    pub local_port: Option<u16>,
}

/// A piece of the plaintext of one direction of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamChunk {
    /// Connection.
    pub connection: ConnectionId,
    /// Direction.
    pub direction: Direction,
    /// Absolute offset of the first byte in that direction, counted from the moment the handle was first seen, whether or not
    /// earlier bytes were captured: a hole between chunks is a loss (or bytes that the verdict told the kernel to skip).
    pub offset: u64,
    /// `CLOCK_MONOTONIC` nanoseconds at the return of the call that moved the bytes.
    pub ktime: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What is known of a process; empty where it was gone before it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Process id in the agent's pid namespace.
    pub pid: u32,
    /// Parent.
    pub parent_pid: u32,
    /// Process id in its own, innermost namespace.
    pub namespace_pid: u32,
    /// Clock ticks since boot.
    pub start_time: u64,
    /// `comm`, at most 15 bytes.
    pub command: String,
    /// `/proc/PID/exe`.
    pub executable: PathBuf,
    /// Arguments. May hold secrets: never export them by default.
    pub arguments: Vec<String>,
    /// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and the other variables of `ProcessInfo::READ_VARIABLES`, no others.
    pub environment: Vec<(String, String)>,
    /// Path in the unified hierarchy, else the longest of the v1 ones.
    pub cgroup: String,
    /// Effective user id.
    pub uid: u32,
}

impl ProcessInfo {
    /// The environment variables that are read from observed processes; everything else stays unread.
    pub const READ_VARIABLES: &'static [&'static str] =
        &["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "WIRESPAN_SERVICE_NAME", "HOSTNAME"];
}

/// Something that the capture saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureEvent {
    /// A process in scope appeared (found at exec, at fork, or by the scan at start). Comes before its first chunk, and again, after the ends
    /// of its connections, when the process runs a new program.
    Process(Box<ProcessInfo>),
    /// Plaintext.
    Chunk(StreamChunk),
    /// `SSL_shutdown`: the process will write no more.
    Shutdown {
        /// Connection.
        connection: ConnectionId,
        /// Kernel time.
        ktime: u64,
    },
    /// What is known of the socket of a connection. Comes once, after the first chunk, where it comes at all.
    Peer {
        /// Connection.
        connection: ConnectionId,
        /// Its socket.
        peer: Peer,
        /// Kernel time.
        ktime: u64,
    },
    /// `SSL_free`, or the handle was evicted: nothing more will come. The offsets tell what was lost at the very end.
    Closed {
        /// Connection.
        connection: ConnectionId,
        /// Bytes that went out in all, captured or not.
        egress_end: u64,
        /// Bytes that came in in all, captured or not.
        ingress_end: u64,
        /// Kernel time.
        ktime: u64,
    },
    /// The process ended, or was taken out of scope. The ends of its connections came before.
    Exited {
        /// Process id.
        pid: u32,
        /// Kernel time.
        ktime: u64,
    },
}

/// What the kernel does with the rest of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Copy everything.
    Capture,
    /// HTTP, but not an LLM API: copy nothing until a write (or, for a server, a read) begins with a request method again,
    /// then copy until the next verdict.
    HeadsOnly,
    /// Not a protocol that is understood: copy nothing any more.
    Ignore,
    /// Given up because the agent is at a ceiling: copy nothing while it sheds (see [`Verdicts::shed_new`](crate::Verdicts::shed_new)), then
    /// nothing until a request begins, which begins a connection with a generation of its own.
    Shed,
}

/// Counters since the start, all monotonic. Bytes are plaintext bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaptureStats {
    /// Chunks handed over.
    pub chunks: u64,
    /// Bytes handed over.
    pub bytes: u64,
    /// Lost because the ring buffer was full.
    pub lost_ring_full_bytes: u64,
    /// Number of ring-full losses.
    pub lost_ring_full_events: u64,
    /// Lost because one call was larger than the bound for one call.
    pub lost_call_bound_bytes: u64,
    /// Lost because the process's memory could not be read.
    pub lost_fault_bytes: u64,
    /// Lost because the table of connections was full.
    pub lost_table_full_bytes: u64,
    /// Lost because the reader had not come by for too long, so that nothing was copied.
    pub lost_quiet_bytes: u64,
    /// On connections that were given up at a ceiling. Not part of [`Self::lost_bytes`].
    pub shed_bytes: u64,
    /// Connections not taken on at a ceiling.
    pub shed_connections: u64,
    /// Lost because a call moved them that shows no buffer (`sendfile`, `splice`, a vector of more than 32 pieces).
    pub lost_unseen_bytes: u64,
    /// Processes that set up io_uring: what they send and receive by it is not seen where there is no TLS library.
    pub io_uring_processes: u64,
    /// Processes that hand TLS to the kernel.
    pub kernel_tls_processes: u64,
    /// Not copied on purpose: not HTTP, or switched to heads only.
    pub skipped_bytes: u64,
    /// Calls whose bytes could not be followed: nothing is known of them, and their connection begins anew.
    pub untracked_calls: u64,
    /// Connections in the kernel's table now.
    pub tracked_connections: u64,
    /// Connections taken out of it for want of room, those used longest ago; they begin anew with their next call.
    pub evicted_connections: u64,
    /// Processes that did not fit into the table of processes.
    pub untracked_processes: u64,
    /// Close, shutdown or process events lost because a ring was full.
    pub lost_control_events: u64,
    /// Libraries and executables with probes.
    pub attached_objects: u64,
    /// Probes attached.
    pub attached_probes: u64,
    /// Objects that could not be probed.
    pub failed_objects: u64,
    /// Files that were not searched, because what they hold was kept from an earlier run or of another file with the same content.
    pub known_objects: u64,
    /// Files that a process in scope had begun to use when they got their probes: it is not known what it called before. Files that were
    /// prepared, and those of processes that ran at the start, are not among them.
    pub late_objects: u64,
    /// Places found by the structure of the code that have probes and wait for proof.
    pub candidates_open: u64,
    /// Those through which plaintext has passed.
    pub candidates_confirmed: u64,
    /// Those that were not what they were taken for, and have no probes any more.
    pub candidates_refuted: u64,
    /// Processes in scope now.
    pub processes: u64,
}

impl CaptureStats {
    /// Bytes lost for any cause.
    #[must_use]
    pub fn lost_bytes(&self) -> u64 {
        self.lost_ring_full_bytes
            + self.lost_call_bound_bytes
            + self.lost_fault_bytes
            + self.lost_table_full_bytes
            + self.lost_quiet_bytes
            + self.lost_unseen_bytes
    }
}
