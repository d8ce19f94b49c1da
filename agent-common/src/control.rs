//! Events of the control ring: what happens to processes.

/// What a control event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ControlKind {
    /// A process in scope (or, when every exec is reported, any process) runs a new program.
    Exec = 1,
    /// A process in scope made a child, which is in scope too.
    Fork = 2,
    /// The leader of a process in scope exited (or its last thread did, where the kernel says so).
    Exit = 3,
    /// A process in scope mapped a file executable.
    Mapped = 4,
    /// A process came into scope by a rule at its first TLS call.
    Found = 5,
    /// A process in scope accepted a connection on a descriptor, `detail`, whose port is not known.
    Listener = 6,
    /// A process in scope set up io_uring, which moves bytes without system calls.
    IoUring = 7,
    /// A process in scope hands TLS to the kernel.
    KernelTls = 8,
}

/// One event of the control ring.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ControlEvent {
    /// A [`ControlKind`].
    pub kind: u32,
    /// Process.
    pub tgid: u32,
    /// `Fork`: the parent. `Exit`: 1 when the whole process is known to be gone. `Listener`: the descriptor. Else zero.
    pub detail: u32,
    /// 1 when the process is in scope (an `Exec` may be reported for others, for user space to decide).
    pub in_scope: u32,
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub ktime: u64,
}
