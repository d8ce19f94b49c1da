//! The table of connected sockets.

use agent_common::{PlainMode, SOCKET_HANDLE, Socket, SocketFlags, SocketKey};

use crate::{
    handle::forget,
    maps::{self, PORTS, SOCKETS},
    syscall::Caller,
};

/// The handle of a plain socket.
#[inline(always)]
pub fn handle_of(fd: u32) -> u64 {
    SOCKET_HANDLE | u64::from(fd)
}

/// Whether connections to (or accepted on) a port are looked at as HTTP without TLS.
#[inline(always)]
pub fn is_wanted_port(port: u32) -> bool {
    let mode = maps::plain_mode();
    if mode == PlainMode::Ports as u32 {
        // SAFETY: only the presence of the entry counts.
        return unsafe { PORTS.get(port) }.is_some();
    }
    mode == PlainMode::Any as u32
}

/// The socket behind a descriptor, if what goes over it is looked at.
#[inline(always)]
pub fn plain(caller: &Caller, fd: u32) -> Option<*mut Socket> {
    let found = SOCKETS.get_ptr_mut(SocketKey { tgid: caller.tgid, fd })?;
    // SAFETY: a value of a preallocated map is memory of its type, even if the entry is replaced meanwhile.
    let Socket { birth, flags, .. } = unsafe { *found };
    // What an earlier image of the process left behind is another descriptor by now.
    if birth == caller.birth && flags & SocketFlags::PLAIN != 0 { Some(found) } else { None }
}

/// Nothing more goes over a descriptor: it is closed, or becomes another socket.
#[inline(always)]
pub fn end(tgid: u32, tid: u32, fd: u32) {
    let key = SocketKey { tgid, fd };
    let Some(found) = SOCKETS.get_ptr_mut(key) else { return };
    // SAFETY: as above.
    let plain = unsafe { (*found).flags } & SocketFlags::PLAIN != 0;
    let _ = SOCKETS.remove(key);
    if plain {
        forget(tgid, tid, handle_of(fd));
    }
}
