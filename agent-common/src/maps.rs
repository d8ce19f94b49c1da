//! Keys and values of the maps.

/// Length of `comm`, with its terminating zero.
pub const COMMAND_BYTES: usize = 16;

/// Bits of [`ProcessState::flags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessFlags;

impl ProcessFlags {
    /// The process's TLS calls are captured.
    pub const CAPTURE: u32 = 1;
    /// Its children come into scope at birth, with `CAPTURE | INHERIT`.
    pub const INHERIT: u32 = 2;
}

/// Value of the map of processes in scope, keyed by tgid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ProcessState {
    /// [`ProcessFlags`].
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// `CLOCK_MONOTONIC` nanoseconds at which this image of the process came into scope. TLS handles of an earlier image, or of an earlier
    /// process with this id, are not those of this one.
    pub birth: u64,
}

/// A call in progress: the frame in which the function was entered. The stack pointer at each RET of a function is that at its entry, so
/// this finds the arguments whatever thread the frame is on by then, and tells nested calls apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct CallKey {
    /// Process.
    pub tgid: u32,
    /// Zero: `stack` is the stack pointer. Else the frame is a goroutine's, whose stack may be moved during the call: the distance of the
    /// frame from the base of the stack in words, plus one.
    pub depth: u32,
    /// Stack pointer at entry, or the goroutine.
    pub stack: u64,
}

/// Arguments that wait between entry and RET.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CallArgs {
    /// TLS handle pointer.
    pub handle: u64,
    /// Buffer.
    pub buffer: u64,
    /// `_ex` forms: where the number of bytes is stored. 0: the return value is the number.
    pub count: u64,
    /// `CLOCK_MONOTONIC` nanoseconds at entry.
    pub entered: u64,
    /// Birth of the process image.
    pub birth: u64,
    /// `EGRESS` or `INGRESS`.
    pub direction: u32,
    /// Number of the place that the call came through, if that place has to prove itself (see [`SiteCounts`]); else zero.
    pub site: u32,
    /// The most bytes that the call can move. 0: unknown. Only a function that is not the one it was taken for returns more.
    pub requested: u32,
    /// Zero.
    pub reserved: u32,
}

/// What went through a place that was found by structure. Value of the array of such places; its index is the number that the place was
/// attached with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SiteCounts {
    /// Calls that moved bytes.
    pub calls: u64,
    /// Those that began like plaintext of a protocol that is followed, or went on with a connection that did.
    pub plausible: u64,
    /// TLS handles without such a beginning, each counted once for as long as it is remembered.
    pub foreign_handles: u64,
}

/// Places that may wait for proof or have proven themselves, at once. Number 0 stands for a place that needs no proof.
pub const MAX_SITES: u32 = 1024;

/// Key of the maps of connections and of verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct ConnectionKey {
    /// Process.
    pub tgid: u32,
    /// Zero.
    pub reserved: u32,
    /// TLS handle pointer.
    pub handle: u64,
}

/// What is done with a connection's bytes. Values of [`Connection::state`] and [`VerdictEntry::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ConnectionState {
    /// Not HTTP so far: each call is looked at, nothing is copied.
    Unknown = 0,
    /// Everything is copied.
    Capture = 1,
    /// Nothing is copied until a request begins.
    HeadsOnly = 2,
    /// Nothing is copied any more.
    Ignore = 3,
    /// Given up because the agent is at a ceiling of its own: nothing is copied until it is below it and a request begins.
    Shed = 4,
}

/// Which end of the connection the process is. Values of [`Connection::role`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// Unknown.
    Unknown = 0,
    /// Requests go out.
    Client = 1,
    /// Requests come in.
    Server = 2,
}

/// State of one connection.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Connection {
    /// `CLOCK_MONOTONIC` nanoseconds at first sight.
    pub generation: u64,
    /// Birth of the process image that owns the handle.
    pub birth: u64,
    /// Bytes moved so far: egress, ingress.
    pub offsets: [u64; 2],
    /// When the last call was accounted: egress, ingress. An outer function whose inner one was accounted is not accounted again.
    pub accounted: [u64; 2],
    /// Offset, in the direction of requests, of the newest call that began with a request method.
    pub request_start: u64,
    /// A [`ConnectionState`].
    pub state: u32,
    /// A [`Role`].
    pub role: u32,
    /// 1 once user space was told of the connection.
    pub announced: u32,
    /// 1 once `SSL_shutdown` was reported.
    pub shut: u32,
    /// Who is at the other end: attempts to find out, [`Connection::PEER_TRIES`] when there will be no more.
    pub peer: u32,
    /// Zero.
    pub reserved: u32,
}

impl Connection {
    /// After so many calls whose socket could not be found the connection stays without an address. Set at once when it is reported.
    pub const PEER_TRIES: u32 = 16;
}

/// A decision of user space about one connection. The kernel takes it out at the connection's next call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct VerdictEntry {
    /// The connection it was made for.
    pub generation: u64,
    /// Bytes of the request direction that were seen when it was made. A request that began at or after this is newer, and the verdict is
    /// dropped.
    pub seen: u64,
    /// A [`ConnectionState`].
    pub state: u32,
    /// Zero.
    pub reserved: u32,
}

/// Index into the array of words through which user space speaks to all programs at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum AgentIndex {
    /// `CLOCK_MONOTONIC` nanoseconds at which user space last looked at the data ring.
    Heartbeat = 0,
    /// Not zero: the agent is at one of its ceilings, and connections that it does not know yet are not captured.
    Shedding = 1,
}

impl AgentIndex {
    /// Number of words.
    pub const COUNT: u32 = 2;
}

/// Index into the array of counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum CounterIndex {
    /// Bytes copied into the ring.
    CopiedBytes = 0,
    /// Bytes lost because the ring was full.
    RingFullBytes = 1,
    /// Number of such losses.
    RingFullEvents = 2,
    /// Bytes past the bound of one call.
    CallBoundBytes = 3,
    /// Bytes that could not be read from the process.
    FaultBytes = 4,
    /// Bytes on connections that did not fit into the table.
    TableFullBytes = 5,
    /// Bytes not copied on purpose.
    SkippedBytes = 6,
    /// Shutdown, close and process events lost because a ring was full.
    ControlEvents = 7,
    /// Connections put into the table.
    ConnectionsAdded = 8,
    /// Connections taken out of it by the kernel side.
    ConnectionsRemoved = 9,
    /// Calls whose arguments could not be kept because the table of calls was full: their bytes are unknown.
    CallsUntracked = 10,
    /// Processes that did not fit into the map of processes.
    ProcessesUntracked = 11,
    /// Bytes not copied because user space had shown no sign of life for too long.
    QuietBytes = 12,
    /// Bytes on connections that were given up at a ceiling.
    ShedBytes = 13,
    /// Connections not taken on at a ceiling. One that is taken on later and given up again counts twice.
    ShedConnections = 14,
    /// Bytes that went over a followed socket by a call that shows no buffer (`sendfile`, `splice`, too long vectors).
    UnseenBytes = 15,
}

impl CounterIndex {
    /// Number of counters.
    pub const COUNT: u32 = 16;
}
