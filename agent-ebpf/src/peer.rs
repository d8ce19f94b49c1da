//! Which socket lies below a TLS connection.
//!
//! The TLS library and the socket meet in one thread. Either the library itself sends while it writes (a socket below the handle): then the
//! socket of that system call is the one. Or it writes into memory, and the runtime sends what came of it (asyncio, Node): then the next
//! data that the thread sends over a socket must hold a record of just the length that the plaintext makes. A connection that neither
//! shows stays without an address; one that is known costs nothing more.

use agent_common::{Connection, ConnectionKey, ConnectionState, SocketKey, Waiting};
use aya_ebpf::helpers::bpf_probe_read_user;

use crate::{
    emit::emit_peer,
    maps::{self, CONNECTIONS, SOCKETS, WAITING},
    syscall::Caller,
};

/// Header of a TLS record: type, version, length (RFC 8446 section 5.1).
const RECORD_HEADER: u64 = 5;
/// Most plaintext in one record.
const RECORD_PLAINTEXT: u64 = 1 << 14;
/// `application_data`
const APPLICATION_DATA: u8 = 23;
/// What a record adds to its plaintext: 16 bytes (ChaCha20 in TLS 1.2) to 80 (CBC with SHA-384).
const OVERHEAD: (u64, u64) = (16, 80);
/// Records that are looked at in the data of one call: the end of a handshake may come before the first request.
const RECORDS: u32 = 4;

/// A write of a TLS library begins.
#[inline(always)]
pub fn begin(pid_tgid: u64, handle: u64, birth: u64) {
    if maps::find_peers() == 0 {
        return;
    }
    let key = ConnectionKey { tgid: (pid_tgid >> 32) as u32, reserved: 0, handle };
    if let Some(found) = CONNECTIONS.get_ptr(key) {
        // SAFETY: a value of a preallocated map is memory of its type.
        let Connection { birth: known, peer, state, offsets, .. } = unsafe { *found };
        let over = peer >= Connection::PEER_TRIES
            || (state == ConnectionState::Unknown as u32 && offsets[0] != 0)
            || state == ConnectionState::HeadsOnly as u32
            || state == ConnectionState::Ignore as u32;
        if known == birth && over {
            return;
        }
    }
    let waiting = Waiting { handle, birth, generation: 0, length: 0, fd: 0, state: Waiting::INSIDE };
    let _ = WAITING.insert(pid_tgid, waiting, 0);
}

/// A write of a TLS library that moved nothing has returned.
#[inline(always)]
pub fn cancel(pid_tgid: u64) {
    if maps::find_peers() != 0 && WAITING.get_ptr(pid_tgid).is_some() {
        let _ = WAITING.remove(pid_tgid);
    }
}

/// A write of a TLS library has returned, and its `length` bytes are accounted.
#[inline(always)]
pub fn end(pid_tgid: u64, handle: u64, birth: u64, length: u64) {
    if maps::find_peers() == 0 {
        return;
    }
    let Some(found) = WAITING.get_ptr_mut(pid_tgid) else { return };
    // SAFETY: a value of a preallocated map is memory of its type, and the entry belongs to this thread.
    let waiting = unsafe { &mut *found };
    if waiting.state == Waiting::AFTER {
        return; // Of another function inside this one.
    }
    let tgid = (pid_tgid >> 32) as u32;
    let key = ConnectionKey { tgid, reserved: 0, handle };
    let connection = CONNECTIONS.get_ptr_mut(key);
    let Some(connection) = connection else {
        let _ = WAITING.remove(pid_tgid);
        return;
    };
    // SAFETY: a value of a preallocated map is memory of its type.
    let connection = unsafe { &mut *connection };
    let fits = waiting.handle == handle && waiting.birth == birth && connection.birth == birth;
    if !fits || connection.announced == 0 || connection.peer >= Connection::PEER_TRIES {
        let _ = WAITING.remove(pid_tgid);
        return;
    }
    connection.peer += 1;
    if waiting.state == Waiting::INSIDE {
        waiting.generation = connection.generation;
        waiting.length = length;
        waiting.state = Waiting::AFTER;
        return;
    }
    let fd = waiting.fd;
    let _ = WAITING.remove(pid_tgid);
    let Some(socket) = SOCKETS.get_ptr(SocketKey { tgid, fd }) else { return };
    // SAFETY: as above.
    let peer = unsafe { (*socket).peer };
    if emit_peer(tgid, pid_tgid as u32, handle, connection.generation, &peer) {
        connection.peer = Connection::PEER_TRIES;
    }
}

/// A thread is about to send what is at `buffer`.
#[inline(always)]
pub fn sends(caller: &Caller, fd: u32, buffer: u64) {
    let Some(found) = WAITING.get_ptr_mut(caller.pid_tgid) else { return };
    let key = SocketKey { tgid: caller.tgid, fd };
    // What goes into a file or a pipe says nothing.
    let Some(socket) = SOCKETS.get_ptr(key) else { return };
    // SAFETY: values of preallocated maps are memory of their types, and the first entry belongs to this thread.
    let (waiting, socket) = unsafe { (&mut *found, *socket) };
    if socket.birth != caller.birth || waiting.birth != caller.birth {
        return;
    }
    if waiting.state != Waiting::AFTER {
        if record(buffer).is_some() {
            waiting.fd = fd;
            waiting.state = Waiting::FOUND;
        }
        return;
    }
    let Waiting { handle, generation, length, .. } = *waiting;
    match holds(buffer, length) {
        None => return, // No TLS: another protocol's socket.
        Some(false) => {}
        Some(true) => {
            let key = ConnectionKey { tgid: caller.tgid, reserved: 0, handle };
            if let Some(connection) = CONNECTIONS.get_ptr_mut(key) {
                // SAFETY: as above.
                let connection = unsafe { &mut *connection };
                if connection.generation == generation
                    && emit_peer(caller.tgid, caller.tid(), handle, generation, &socket.peer)
                {
                    connection.peer = Connection::PEER_TRIES;
                }
            }
        }
    }
    // Found; or it is the data of another connection, and what comes next need not be this one's either.
    let _ = WAITING.remove(caller.pid_tgid);
}

/// Type and length of the record that begins here.
#[inline(always)]
fn record(at: u64) -> Option<(u8, u64)> {
    // SAFETY: the helper copes with any address.
    let [kind, major, minor, high, low] =
        unsafe { bpf_probe_read_user(at as *const [u8; RECORD_HEADER as usize]) }.ok()?;
    if kind < 20 || kind > 24 || major != 3 || minor > 4 {
        return None;
    }
    Some((kind, (high as u64) << 8 | low as u64))
}

/// Whether one of the first records here is as long as `length` bytes of plaintext make it. `None`: there is no record.
#[inline(always)]
fn holds(buffer: u64, length: u64) -> Option<bool> {
    let plain = if length < RECORD_PLAINTEXT { length } else { RECORD_PLAINTEXT };
    let mut at = buffer;
    for turn in 0..RECORDS {
        let Some((kind, size)) = record(at) else {
            return if turn == 0 { None } else { Some(false) };
        };
        if kind == APPLICATION_DATA && size >= plain + OVERHEAD.0 && size <= plain + OVERHEAD.1 {
            return Some(true);
        }
        at += RECORD_HEADER + size;
    }
    Some(false)
}
