//! Sockets: which descriptors are followed, system calls in progress, and the addresses of peers.

/// Tag of the handle of a plain socket: `SOCKET_HANDLE | fd`. Handles of TLS libraries are addresses of user space, far below.
pub const SOCKET_HANDLE: u64 = 1 << 63;

/// Which sockets carry HTTP without TLS. Values of the setting `PLAIN_MODE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum PlainMode {
    /// None.
    Off = 0,
    /// Those whose server listens on one of the ports in the table.
    Ports = 1,
    /// Any, to begin with.
    Any = 2,
}

/// A descriptor of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct SocketKey {
    /// Process.
    pub tgid: u32,
    /// Descriptor.
    pub fd: u32,
}

/// Bits of [`Socket::flags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketFlags;

impl SocketFlags {
    /// What goes over it is looked at as HTTP without TLS.
    pub const PLAIN: u32 = 1;
    /// It was accepted, not connected.
    pub const ACCEPTED: u32 = 2;
}

/// The peer of a connection. `family` 0: unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct PeerAddress {
    /// IPv4 address in the first four bytes, or IPv6 address.
    pub address: [u8; 16],
    /// `AF_INET`, `AF_INET6`, or 0.
    pub family: u16,
    /// Port of the peer.
    pub port: u16,
    /// Port of this end, where it is known (that of an accepted connection's listener); else 0.
    pub local_port: u16,
    /// Zero.
    pub reserved: u16,
}

/// A connected socket of a process in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Socket {
    /// Birth of the process image that it belongs to.
    pub birth: u64,
    /// The other end.
    pub peer: PeerAddress,
    /// [`SocketFlags`].
    pub flags: u32,
    /// Calls looked at so far, as long as that matters.
    pub calls: u32,
}

/// A listening (or at least bound) socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Listener {
    /// Birth of the process image that it belongs to.
    pub birth: u64,
    /// `CLOCK_MONOTONIC` nanoseconds when the process closed it, which leaves it open for children that were made before; 0: it has not.
    pub closed: u64,
    /// Port; 0: user space was asked and has not answered.
    pub port: u32,
    /// Zero.
    pub reserved: u32,
}

/// A thread that writes to a TLS connection whose socket is not known yet.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Waiting {
    /// TLS handle pointer.
    pub handle: u64,
    /// Birth of the process image.
    pub birth: u64,
    /// `AFTER`: generation of the connection.
    pub generation: u64,
    /// `AFTER`: bytes of plaintext that the library was given.
    pub length: u64,
    /// `FOUND`: the socket that the library sent to.
    pub fd: u32,
    /// One of the constants.
    pub state: u32,
}

impl Waiting {
    /// The library has not returned.
    pub const INSIDE: u32 = 1;
    /// It has not returned, and has sent.
    pub const FOUND: u32 = 2;
    /// It has returned and sent nothing.
    pub const AFTER: u32 = 3;
}

/// A system call on a socket between its entry and its exit, by thread.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct SocketCall {
    /// Buffer; array of `struct iovec`; `accept`: where the peer's address is stored, or 0.
    pub buffer: u64,
    /// Vectors: elements of the array. `accept`: 0.
    pub count: u64,
    /// Vectors, from the exit on: bytes not accounted yet.
    pub left: u64,
    /// Birth of the process image.
    pub birth: u64,
    /// Descriptor.
    pub fd: u32,
    /// Vectors, from the exit on: next element.
    pub index: u32,
    /// `EGRESS` or `INGRESS`.
    pub direction: u32,
    /// Vectors: 1.
    pub vector: u32,
}
