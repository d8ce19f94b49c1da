//! Tracepoints on `connect`, `bind`, `accept`, `close` and `shutdown`: which descriptors of processes in scope are sockets, with whom,
//! and since when. Kernel 5.10.

use agent_common::{ControlKind, Listener, PeerAddress, Socket, SocketCall, SocketFlags, SocketKey};
use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user},
    macros::tracepoint,
    programs::TracePointContext,
};

use crate::{
    control::report,
    handle::{forget, shut},
    maps::{LISTENERS, PARENTS, SOCKET_CALLS, SOCKETS},
    scope::{captured, now, state},
    socket_table::{self, handle_of, is_wanted_port},
    syscall::{Caller, argument, caller, returned},
};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// `SHUT_RD` of `sys/socket.h`; the others end the writing side.
const SHUT_RD: u32 = 0;
/// Processes between the one that accepts and the one that listens, at most: a server, its master, and who started that.
const MAX_ANCESTORS: u32 = 4;

/// The address at `pointer`, of which `length` bytes may be read.
#[inline(always)]
fn read_address(pointer: u64, length: u64) -> Option<PeerAddress> {
    if pointer == 0 || length < 8 {
        return None;
    }
    // struct sockaddr_in: family, port (network order), address. struct sockaddr_in6: family, port, flow, address.
    // SAFETY: the helper copes with any address.
    let [family, port] = unsafe { bpf_probe_read_user(pointer as *const [u16; 2]) }.ok()?;
    let mut peer =
        PeerAddress { address: [0; 16], family, port: u16::from_be(port), local_port: 0, reserved: 0 };
    if family == AF_INET {
        // SAFETY: as above.
        let [a, b, c, d] = unsafe { bpf_probe_read_user((pointer + 4) as *const [u8; 4]) }.ok()?;
        peer.address[0] = a;
        peer.address[1] = b;
        peer.address[2] = c;
        peer.address[3] = d;
        return Some(peer);
    }
    if family == AF_INET6 && length >= 24 {
        // SAFETY: as above.
        peer.address = unsafe { bpf_probe_read_user((pointer + 8) as *const [u8; 16]) }.ok()?;
        return Some(peer);
    }
    None
}

/// `connect`: the target is known at the entry, and a descriptor whose `connect` fails moves no bytes.
#[tracepoint]
pub fn sys_enter_connect(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    // A process may make its first connection before anything else shows that it moved into a control group in scope.
    let Some(birth) = captured(tgid) else { return 0 };
    let fd = argument(&ctx, 0) as u32;
    socket_table::end(tgid, pid_tgid as u32, fd);
    let Some(peer) = read_address(argument(&ctx, 1), argument(&ctx, 2)) else { return 0 };
    let flags = if is_wanted_port(u32::from(peer.port)) { SocketFlags::PLAIN } else { 0 };
    let _ = SOCKETS.insert(SocketKey { tgid, fd }, Socket { birth, peer, flags, calls: 0 }, 0);
    0
}

/// `bind`: the port that a server listens on. Port 0 lets the kernel choose, and user space is asked when a connection comes.
#[tracepoint]
pub fn sys_enter_bind(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let Some(birth) = captured(tgid) else { return 0 };
    let key = SocketKey { tgid, fd: argument(&ctx, 0) as u32 };
    match read_address(argument(&ctx, 1), argument(&ctx, 2)) {
        Some(PeerAddress { port, .. }) if port != 0 => {
            let _ =
                LISTENERS.insert(key, Listener { birth, closed: 0, port: u32::from(port), reserved: 0 }, 0);
        }
        _ => {
            let _ = LISTENERS.remove(key);
        }
    }
    0
}

/// `accept`, `accept4`
#[tracepoint]
pub fn socket_enter_accept(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let Some(birth) = captured(tgid) else { return 0 };
    let call = SocketCall {
        buffer: argument(&ctx, 1),
        count: 0,
        left: 0,
        birth,
        fd: argument(&ctx, 0) as u32,
        index: 0,
        direction: 0,
        vector: 0,
    };
    let _ = SOCKET_CALLS.insert(pid_tgid, call, 0);
    0
}

/// The exits of the two above.
#[tracepoint]
pub fn socket_leave_accept(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    // SAFETY: the entry belongs to this thread.
    let Some(call) = (unsafe { SOCKET_CALLS.get(pid_tgid) }).copied() else { return 0 };
    let _ = SOCKET_CALLS.remove(pid_tgid);
    let returned = returned(&ctx);
    if returned < 0 {
        return 0;
    }
    let tgid = (pid_tgid >> 32) as u32;
    let fd = returned as u32;
    socket_table::end(tgid, pid_tgid as u32, fd);
    let nobody = PeerAddress { address: [0; 16], family: 0, port: 0, local_port: 0, reserved: 0 };
    // The kernel has just written the address, all of it if the caller made room for it.
    let peer = read_address(call.buffer, 28).unwrap_or(nobody);
    let local = listener_port(tgid, call.fd, call.birth);
    if local == 0 {
        ask(tgid, call.fd, call.birth);
    }
    let peer = PeerAddress { local_port: local as u16, ..peer };
    let plain = if is_wanted_port(local) { SocketFlags::PLAIN } else { 0 };
    let socket = Socket { birth: call.birth, peer, flags: plain | SocketFlags::ACCEPTED, calls: 0 };
    let _ = SOCKETS.insert(SocketKey { tgid, fd }, socket, 0);
    0
}

/// Asks user space, once, which port a descriptor listens on.
#[inline(always)]
fn ask(tgid: u32, fd: u32, birth: u64) {
    let key = SocketKey { tgid, fd };
    // SAFETY: the value is only replaced whole.
    if let Some(Listener { birth: known, closed: 0, .. }) = unsafe { LISTENERS.get(key) }.copied()
        && known == birth
    {
        return;
    }
    let _ = LISTENERS.insert(key, Listener { birth, closed: 0, port: 0, reserved: 0 }, 0);
    report(ControlKind::Listener, tgid, fd, true, now());
}

/// The port of a bound descriptor, which the process may have inherited; 0 when it is not known.
#[inline(always)]
fn listener_port(tgid: u32, fd: u32, birth: u64) -> u32 {
    let mut process = tgid;
    let mut image = birth;
    // When an ancestor must still have had it open: at the birth of the child that has it from there.
    let mut inherited = u64::MAX;
    for _ in 0..MAX_ANCESTORS {
        // SAFETY: the values are only replaced whole.
        let found = unsafe { LISTENERS.get(SocketKey { tgid: process, fd }) }.copied();
        if let Some(Listener { birth, closed, port, .. }) = found
            && birth == image
            && (closed == 0 || closed >= inherited)
        {
            return port;
        }
        // SAFETY: as above.
        let Some(parent) = (unsafe { PARENTS.get(process) }).copied() else { return 0 };
        let Some(parents) = state(parent) else { return 0 };
        inherited = image;
        process = parent;
        image = parents.birth;
    }
    0
}

/// `close`
#[tracepoint]
pub fn sys_enter_close(ctx: TracePointContext) -> u32 {
    let Some(Caller { pid_tgid, tgid, .. }) = caller() else { return 0 };
    let fd = argument(&ctx, 0) as u32;
    socket_table::end(tgid, pid_tgid as u32, fd);
    let key = SocketKey { tgid, fd };
    if let Some(listener) = LISTENERS.get_ptr_mut(key) {
        // SAFETY: a value of a preallocated map is memory of its type.
        unsafe { (*listener).closed = now() };
    }
    0
}

/// `shutdown`
#[tracepoint]
pub fn sys_enter_shutdown(ctx: TracePointContext) -> u32 {
    let Some(caller) = caller() else { return 0 };
    let fd = argument(&ctx, 0) as u32;
    if argument(&ctx, 1) as u32 != SHUT_RD && socket_table::plain(&caller, fd).is_some() {
        shut(caller.tgid, caller.tid(), handle_of(fd));
    }
    0
}

/// `sendmmsg`, `recvmmsg`, `preadv2`, `pwritev2`: which bytes they move on a followed socket is not looked at, so that it cannot be followed any more.
#[tracepoint]
pub fn socket_enter_unfollowed(ctx: TracePointContext) -> u32 {
    let Some(caller) = caller() else { return 0 };
    let fd = argument(&ctx, 0) as u32;
    if socket_table::plain(&caller, fd).is_some() {
        forget(caller.tgid, caller.tid(), handle_of(fd));
        crate::count::count(agent_common::CounterIndex::CallsUntracked, 1);
    }
    0
}
