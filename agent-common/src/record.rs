//! Records of the data ring: a fixed header, then the payload.

/// What a record of the data ring says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// Plaintext; the payload follows the header.
    Chunk = 1,
    /// `SSL_shutdown` was called.
    Shutdown = 2,
    /// `SSL_free` was called; `offset` is the end of egress, `ingress_end` that of ingress.
    Closed = 3,
    /// Who is at the other end of the connection; a [`PeerAddress`](crate::PeerAddress) follows the header.
    Peer = 4,
}

/// Header of every record in the data ring. The record may be longer than header and payload: it was reserved in one of the sizes of
/// [`TIERS`], and bytes past `length` are meaningless.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct RecordHeader {
    /// A [`RecordKind`].
    pub kind: u8,
    /// `EGRESS` or `INGRESS`.
    pub direction: u8,
    /// Zero.
    pub reserved: u16,
    /// Payload bytes.
    pub length: u32,
    /// Process.
    pub tgid: u32,
    /// Thread that made the call.
    pub tid: u32,
    /// TLS handle pointer.
    pub handle: u64,
    /// `CLOCK_MONOTONIC` nanoseconds at the first sight of the handle.
    pub generation: u64,
    /// Absolute offset of the payload in its direction (`Closed`: the end of egress).
    pub offset: u64,
    /// `Closed`: the end of ingress. Else zero.
    pub ingress_end: u64,
    /// `CLOCK_MONOTONIC` nanoseconds at the return of the call.
    pub ktime: u64,
}

/// Size of [`RecordHeader`] in bytes.
pub const HEADER_BYTES: usize = size_of::<RecordHeader>();

/// Payload bytes of one record at most; larger calls are cut.
pub const MAX_CHUNK: usize = 64 << 10;

/// Most records made of one call. `MAX_CHUNK * MAX_CHUNKS` is the hard bound on the bytes copied of one call (64 MiB). The verifier walks
/// the loop once per turn, so this is bounded by its budget of a million instructions.
pub const MAX_CHUNKS: u32 = 1024;

/// Payload capacities in which records are reserved. A reservation has to be of a size known when the program is verified; with steps of at
/// most one third little of the ring is wasted. 16 KiB is the most that one TLS record holds, so it has a size of its own.
pub const TIERS: [usize; 24] = [
    64, 96, 128, 168, 224, 296, 392, 512, 680, 904, 1200, 1600, 2128, 2832, 3776, 5032, 6704, 8936, 11912,
    16384, 21840, 29120, 38824, 65536,
];
