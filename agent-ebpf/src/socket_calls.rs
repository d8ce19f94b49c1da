//! Tracepoints on the system calls that move bytes over sockets. Kernel 5.10.
//!
//! Every process on the host runs through these, so that what is looked at first is whether the caller is in scope, and then whether the
//! descriptor is a socket that is followed.

use agent_common::{CallArgs, ConnectionKey, EGRESS, INGRESS, Socket, SocketCall, SocketFlags, SocketKey};
use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user},
    macros::tracepoint,
    programs::TracePointContext,
};

use crate::{
    emit::emit_peer,
    handle::forget,
    maps::{self, CONNECTIONS, NEXT_PIECE, SOCKET_CALLS, SOCKETS},
    peer,
    scope::now,
    socket_table::{handle_of, plain},
    stream::{account, skip},
    syscall::{argument, caller, returned},
};

/// `MSG_OOB | MSG_PEEK | MSG_ERRQUEUE` of `linux/socket.h`: what such a call returns is not, or is not yet, taken out of the stream.
const NOT_OF_THE_STREAM: u64 = 0x1 | 0x2 | 0x2000;
/// Calls of a connection in which it is looked for the head of a TLS record.
const LOOKED_AT: u32 = 16;
/// `struct iovec` of `linux/uio.h`: address, length.
const IOVEC_BYTES: u64 = 16;
/// Offset of `msg_iov` in `struct msghdr`, followed by `msg_iovlen`.
const MSG_IOV: u64 = 16;

/// Keeps the arguments of a call until its exit, if the descriptor is a followed socket.
#[inline(always)]
fn enter(ctx: &TracePointContext, direction: u8, vector: bool) {
    let Some(caller) = caller() else { return };
    let fd = argument(ctx, 0) as u32;
    let buffer = argument(ctx, 1);
    if direction == EGRESS && maps::find_peers() != 0 {
        peer::sends(&caller, fd, if vector { word(buffer) } else { buffer });
    }
    if plain(&caller, fd).is_none() {
        return;
    }
    let count = if vector { argument(ctx, 2) } else { 0 };
    keep(caller.pid_tgid, caller.birth, fd, direction, buffer, count, vector);
}

#[inline(always)]
fn keep(pid_tgid: u64, birth: u64, fd: u32, direction: u8, buffer: u64, count: u64, vector: bool) {
    let call = SocketCall {
        buffer,
        count,
        left: 0,
        birth,
        fd,
        index: 0,
        direction: u32::from(direction),
        vector: u32::from(vector),
    };
    let _ = SOCKET_CALLS.insert(pid_tgid, call, 0);
}

/// As [`enter`], for a call that takes a `struct msghdr`, or flags.
#[inline(always)]
fn enter_message(ctx: &TracePointContext, direction: u8, flags: usize, message: bool) {
    let Some(caller) = caller() else { return };
    let fd = argument(ctx, 0) as u32;
    let at = argument(ctx, 1);
    if direction == EGRESS && maps::find_peers() != 0 {
        let buffer = if message { word(word(at + MSG_IOV)) } else { at };
        peer::sends(&caller, fd, buffer);
    }
    if plain(&caller, fd).is_none() || argument(ctx, flags) & NOT_OF_THE_STREAM != 0 {
        return;
    }
    if !message {
        keep(caller.pid_tgid, caller.birth, fd, direction, at, 0, false);
        return;
    }
    // SAFETY: the helper copes with any address.
    let Ok([vector, count]) = (unsafe { bpf_probe_read_user((at + MSG_IOV) as *const [u64; 2]) }) else {
        return;
    };
    keep(caller.pid_tgid, caller.birth, fd, direction, vector, count, true);
}

/// A word of the process; 0 where it cannot be read.
#[inline(always)]
fn word(at: u64) -> u64 {
    // SAFETY: the helper copes with any address.
    unsafe { bpf_probe_read_user(at as *const u64) }.unwrap_or(0)
}

/// `write`
#[tracepoint]
pub fn socket_enter_write(ctx: TracePointContext) -> u32 {
    enter(&ctx, EGRESS, false);
    0
}

/// `read`
#[tracepoint]
pub fn socket_enter_read(ctx: TracePointContext) -> u32 {
    enter(&ctx, INGRESS, false);
    0
}

/// `writev`
#[tracepoint]
pub fn socket_enter_writev(ctx: TracePointContext) -> u32 {
    enter(&ctx, EGRESS, true);
    0
}

/// `readv`
#[tracepoint]
pub fn socket_enter_readv(ctx: TracePointContext) -> u32 {
    enter(&ctx, INGRESS, true);
    0
}

/// `sendto`
#[tracepoint]
pub fn socket_enter_send(ctx: TracePointContext) -> u32 {
    enter_message(&ctx, EGRESS, 3, false);
    0
}

/// `recvfrom`
#[tracepoint]
pub fn socket_enter_recv(ctx: TracePointContext) -> u32 {
    enter_message(&ctx, INGRESS, 3, false);
    0
}

/// `sendmsg`
#[tracepoint]
pub fn socket_enter_sendmsg(ctx: TracePointContext) -> u32 {
    enter_message(&ctx, EGRESS, 2, true);
    0
}

/// `recvmsg`
#[tracepoint]
pub fn socket_enter_recvmsg(ctx: TracePointContext) -> u32 {
    enter_message(&ctx, INGRESS, 2, true);
    0
}

/// `sendfile64`, `splice`: nothing of what they move is in the memory of the process.
#[tracepoint]
pub fn socket_enter_splice(ctx: TracePointContext) -> u32 {
    let Some(caller) = caller() else { return 0 };
    // sendfile(out, in, ...): a file cannot be a socket's source. splice(in, offset, out, ...): either may be the socket.
    let first = argument(&ctx, 0) as u32;
    if plain(&caller, first).is_some() {
        keep(caller.pid_tgid, caller.birth, first, INGRESS, 0, 0, false);
        return 0;
    }
    let second = argument(&ctx, 2) as u32;
    if plain(&caller, second).is_some() {
        keep(caller.pid_tgid, caller.birth, second, EGRESS, 0, 0, false);
    }
    0
}

/// `sendfile64`
#[tracepoint]
pub fn socket_enter_sendfile(ctx: TracePointContext) -> u32 {
    let Some(caller) = caller() else { return 0 };
    let fd = argument(&ctx, 0) as u32;
    if plain(&caller, fd).is_some() {
        keep(caller.pid_tgid, caller.birth, fd, EGRESS, 0, 0, false);
    }
    0
}

/// The exits of `sendfile64` and `splice`.
#[tracepoint]
pub fn socket_leave_unseen(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    // SAFETY: the entry belongs to this thread.
    let Some(call) = (unsafe { SOCKET_CALLS.get(pid_tgid) }).copied() else { return 0 };
    let _ = SOCKET_CALLS.remove(pid_tgid);
    let returned = returned(&ctx);
    if returned > 0 {
        skip((pid_tgid >> 32) as u32, &arguments(&call, 0), returned as u64);
    }
    0
}

fn arguments(call: &SocketCall, buffer: u64) -> CallArgs {
    CallArgs {
        handle: handle_of(call.fd),
        buffer,
        count: 0,
        // No function is probed that another one would be inside of.
        entered: now(),
        birth: call.birth,
        direction: call.direction,
        site: 0,
        requested: 0,
        reserved: 0,
    }
}

/// The exits of all calls with a buffer or a vector of them. What copies is a program of its own, so that the verifier goes through it once.
#[tracepoint]
pub fn socket_leave(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let Some(pointer) = SOCKET_CALLS.get_ptr_mut(pid_tgid) else { return 0 };
    let returned = returned(&ctx);
    if returned > 0 {
        // SAFETY: a value of a preallocated map is memory of its type, and the entry belongs to this thread.
        unsafe { (*pointer).left = returned as u64 };
        // SAFETY: the program in the slot is of the same kind, and takes the same context.
        unsafe { NEXT_PIECE.tail_call(&ctx, 0) };
    }
    let _ = SOCKET_CALLS.remove(pid_tgid);
    0
}

/// Accounts the buffer of a call, or one element of its vector, and calls itself for the next; the kernel allows that 32 times.
#[tracepoint]
pub fn socket_piece(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let Some(pointer) = SOCKET_CALLS.get_ptr_mut(pid_tgid) else { return 0 };
    // SAFETY: a value of a preallocated map is memory of its type, and the entry belongs to this thread.
    let waiting = unsafe { &mut *pointer };
    let call = *waiting;
    let (base, size) = element(&call);
    let length = if size < call.left { size } else { call.left };
    if length != 0 {
        piece(pid_tgid, &call, base, length);
    }
    let left = call.left - length;
    if left != 0 && u64::from(call.index) + 1 < call.count {
        waiting.left = left;
        waiting.index = call.index + 1;
        // SAFETY: as in `socket_leave`.
        unsafe { NEXT_PIECE.tail_call(&ctx, 0) };
    }
    let _ = SOCKET_CALLS.remove(pid_tgid);
    if left != 0 {
        // The vector is longer than that, or could not be read.
        skip((pid_tgid >> 32) as u32, &arguments(&call, 0), left);
    }
    0
}

/// Address and length of the buffer, or of the next element of the vector; (0, 0) where it cannot be read.
#[inline(always)]
fn element(call: &SocketCall) -> (u64, u64) {
    if call.vector == 0 {
        return (call.buffer, call.left);
    }
    let at = call.buffer + IOVEC_BYTES * u64::from(call.index);
    // SAFETY: the helper copes with any address.
    match unsafe { bpf_probe_read_user(at as *const [u64; 2]) } {
        Ok([base, size]) => (base, size),
        Err(_) => (0, 0),
    }
}

/// Accounts `length` bytes at `buffer` that went over a followed socket.
#[inline(always)]
fn piece(pid_tgid: u64, call: &SocketCall, buffer: u64, length: u64) {
    let tgid = (pid_tgid >> 32) as u32;
    let key = SocketKey { tgid, fd: call.fd };
    let Some(found) = SOCKETS.get_ptr_mut(key) else { return };
    // SAFETY: a value of a preallocated map is memory of its type.
    let socket = unsafe { &mut *found };
    if socket.calls < LOOKED_AT {
        socket.calls += 1;
        if is_tls(buffer, length) {
            // Its plaintext is seen in the TLS library, if anywhere.
            socket.flags &= !SocketFlags::PLAIN;
            forget(tgid, pid_tgid as u32, handle_of(call.fd));
            return;
        }
    }
    account(tgid, pid_tgid as u32, &arguments(call, buffer), length);
    tell_peer(tgid, pid_tgid as u32, call.fd, socket);
}

/// Whether a TLS record begins here (RFC 8446 section 5.1; the major version has been 3 since SSL 3.0).
#[inline(always)]
fn is_tls(buffer: u64, length: u64) -> bool {
    if length < 3 {
        return false;
    }
    // SAFETY: the helper copes with any address.
    match unsafe { bpf_probe_read_user(buffer as *const [u8; 3]) } {
        Ok([kind, major, minor]) => kind >= 20 && kind <= 24 && major == 3 && minor <= 4,
        Err(_) => false,
    }
}

/// Reports who is at the other end, once user space knows of the connection.
#[inline(always)]
fn tell_peer(tgid: u32, tid: u32, fd: u32, socket: &Socket) {
    let Some(found) = CONNECTIONS.get_ptr_mut(ConnectionKey { tgid, reserved: 0, handle: handle_of(fd) })
    else {
        return;
    };
    // SAFETY: a value of a preallocated map is memory of its type.
    let connection = unsafe { &mut *found };
    if connection.announced != 0
        && connection.peer == 0
        && emit_peer(tgid, tid, handle_of(fd), connection.generation, &socket.peer)
    {
        connection.peer = agent_common::Connection::PEER_TRIES;
    }
}
