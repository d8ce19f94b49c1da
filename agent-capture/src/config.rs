//! What to capture and within which bounds. Parsed and checked by the caller; plain values here.

use std::path::PathBuf;
use std::time::Duration;

/// Which processes are observed. A process is in scope when any of the lists names it; with every list empty and `all` false
/// nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// These processes.
    pub pids: Vec<u32>,
    /// Processes whose cgroup v2 path is one of these or below (absolute in the unified mount, or a path in the file system).
    pub cgroups: Vec<PathBuf>,
    /// Processes running one of these executables (compared by inode).
    pub executables: Vec<PathBuf>,
    /// Processes with one of these command names (`comm`, the first 15 bytes count).
    pub commands: Vec<String>,
    /// Every process on the host.
    pub all: bool,
    /// Children of the processes in scope are in scope too.
    pub follow_children: bool,
}

/// Which connections without TLS are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainMode {
    /// None.
    #[default]
    Off,
    /// Those to, or accepted on, one of the ports.
    Ports,
    /// All, to begin with. A port becomes one of the ports with the first LLM call that is seen on it; any other connection is looked at
    /// no more once its first request has turned out to be no LLM call.
    Learn,
    /// All, as with TLS.
    All,
}

/// HTTP without TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlainHttp {
    /// Which connections.
    pub mode: PlainMode,
    /// Ports of servers.
    pub ports: Vec<u16>,
    /// Only processes with one of these command names (`comm`, the first 15 bytes count); empty: every process in scope.
    pub commands: Vec<String>,
}

/// Bounds and sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureConfig {
    /// Scope at the start; `Capture::add_pid` and `Capture::inherit_from_self` widen it.
    pub scope: Scope,
    /// Ring buffer size in bytes; rounded up to a power of two of pages.
    pub ring_bytes: u32,
    /// Most bytes copied of one read or write.
    pub max_call_bytes: u32,
    /// Most connections tracked in the kernel at once.
    pub max_connections: u32,
    /// Folder in which what was found in files is kept between runs; `None`: it is not kept. Only this user may be able to write to it.
    pub cache: Option<PathBuf>,
    /// The probes of a file that no process in scope has mapped for so long are taken off.
    pub detach_unused: Duration,
    /// Attach by perf event even where the kernel has multi-uprobe links.
    pub perf_events: bool,
    /// Longest time between two drains of the ring buffer, in milliseconds; after a second without data up to 40, if the ring is large enough.
    pub drain_interval_ms: u32,
    /// When the reader has not come by for so many milliseconds, the kernel programs stop copying until it does. 0: never.
    pub watchdog_ms: u32,
    /// Load an agent into the Java virtual machines in scope, and probe where it shows their plaintext.
    pub java: bool,
    /// Find the sockets below TLS connections, for the addresses of their peers.
    pub peers: bool,
    /// HTTP without TLS.
    pub plain_http: PlainHttp,
}

impl Default for CaptureConfig {
    fn default() -> Self {
        Self {
            scope: Scope { follow_children: true, ..Scope::default() },
            ring_bytes: 32 << 20,
            max_call_bytes: 32 << 20,
            max_connections: 65_536,
            cache: None,
            detach_unused: Duration::from_mins(20),
            perf_events: false,
            drain_interval_ms: 10,
            watchdog_ms: 2_000,
            java: false,
            peers: true,
            plain_http: PlainHttp::default(),
        }
    }
}
