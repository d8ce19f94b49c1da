//! The pieces that the Java agent writes (`agent-java/src/io/wirespan/Tap.java`).

/// How a piece begins.
pub const JAVA_MAGIC: [u8; 8] = *b"wspnJvm1";

/// Length of what goes before the bytes of a piece: magic, connection (u64), length (u32), kind, direction, two zeros, offset (u64).
pub const JAVA_HEADER_BYTES: usize = 32;

/// Handles of connections of the Java agent have this bit: no address in user space does.
pub const JAVA_HANDLE: u64 = 1 << 62;

/// What a piece says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum JavaKind {
    /// Bytes were moved.
    Chunk = 1,
    /// The program has ended its direction.
    Shutdown = 2,
    /// The connection is at its end.
    Closed = 3,
}
