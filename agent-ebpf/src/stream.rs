//! Connections: offsets, what is spoken, and what is done with it.

use agent_common::{
    CallArgs, Connection, ConnectionKey, ConnectionState, CounterIndex, EGRESS, INGRESS, RecordHeader,
    RecordKind, Role,
};

use crate::{
    agent::{is_shedding, is_stalled},
    count::count,
    emit::emit_bytes,
    frame::begins_with_frames,
    maps::{self, CONNECTIONS, VERDICTS},
    scope::now,
    site::is_plausible,
    sniff::{Start, sniff},
};

const UNKNOWN: u32 = ConnectionState::Unknown as u32;
const CAPTURE: u32 = ConnectionState::Capture as u32;
const HEADS_ONLY: u32 = ConnectionState::HeadsOnly as u32;
const IGNORE: u32 = ConnectionState::Ignore as u32;
const SHED: u32 = ConnectionState::Shed as u32;

/// The connection of a handle, begun anew when it is unknown or belonged to an earlier image of the process.
#[inline(always)]
fn connection(key: &ConnectionKey, birth: u64, ktime: u64) -> Option<*mut Connection> {
    if let Some(found) = CONNECTIONS.get_ptr_mut(key) {
        // SAFETY: a value of a preallocated map is memory of its type, even if the entry is replaced meanwhile.
        if unsafe { (*found).birth } == birth {
            return Some(found);
        }
    } else {
        count(CounterIndex::ConnectionsAdded, 1);
    }
    let fresh = Connection {
        generation: ktime,
        birth,
        offsets: [0; 2],
        accounted: [0; 2],
        request_start: 0,
        state: ConnectionState::Unknown as u32,
        role: Role::Unknown as u32,
        announced: 0,
        shut: 0,
        peer: 0,
        reserved: 0,
    };
    if CONNECTIONS.insert(key, fresh, 0).is_err() {
        count(CounterIndex::ConnectionsRemoved, 1);
        return None;
    }
    CONNECTIONS.get_ptr_mut(key)
}

/// Takes the verdict that waits for this connection, if one does.
#[inline(always)]
fn take_verdict(key: &ConnectionKey, connection: &mut Connection) {
    let Some(entry) = VERDICTS.get_ptr(key) else { return };
    // SAFETY: a value of a preallocated map is memory of its type; user space replaces it whole, and the generation is compared below.
    let verdict = unsafe { *entry };
    let _ = VERDICTS.remove(key);
    // A request that began at or after `seen` was not known when the verdict was made.
    if verdict.generation == connection.generation && verdict.seen > connection.request_start {
        connection.state = verdict.state;
    }
}

/// Whether requests go in this direction, as far as is known.
#[inline(always)]
fn may_carry_requests(role: u32, direction: u8) -> bool {
    let against = if direction == EGRESS { Role::Server as u32 } else { Role::Client as u32 };
    role != against
}

#[inline(always)]
fn role_of_requester(direction: u8) -> u32 {
    if direction == EGRESS { Role::Client as u32 } else { Role::Server as u32 }
}

/// Follows the state of the connection over one call that begins with `start` at `offset`. True: the call's bytes are copied.
#[inline(always)]
fn follow(connection: &mut Connection, direction: u8, offset: u64, start: Start) -> bool {
    let state = connection.state;
    if state == IGNORE || (state == SHED && is_shedding()) {
        return false;
    }
    if start == Start::Method && may_carry_requests(connection.role, direction) {
        connection.role = role_of_requester(direction);
        connection.request_start = offset;
        connection.state = CAPTURE;
        return true;
    }
    if state == CAPTURE {
        if start == Start::Status && connection.role == Role::Unknown as u32 {
            connection.role = role_of_requester(if direction == EGRESS { INGRESS } else { EGRESS });
        }
        return true;
    }
    if state == HEADS_ONLY {
        // The first bytes of a request head that is written in pieces.
        let begins = start == Start::Partial && may_carry_requests(connection.role, direction);
        if begins {
            connection.request_start = offset;
            connection.state = CAPTURE;
        }
        return begins;
    }
    // Unknown, or shed and taken up again: both begin where something begins that is known.
    let begins = match start {
        // The response to a request that was shed is of no use.
        Start::Status if state == SHED => false,
        Start::Status => {
            connection.role = role_of_requester(if direction == EGRESS { INGRESS } else { EGRESS });
            true
        }
        Start::Preface => {
            connection.role = role_of_requester(direction);
            true
        }
        // Who sends requests shows only later.
        Start::Frames => true,
        Start::Partial => offset == 0,
        _ => false,
    };
    if begins {
        connection.state = CAPTURE;
    }
    begins
}

/// Accounts `length` bytes that went over a connection unseen: what follows is that much further on.
#[inline(always)]
pub fn skip(tgid: u32, args: &CallArgs, length: u64) {
    let key = ConnectionKey { tgid, reserved: 0, handle: args.handle };
    let Some(pointer) = connection(&key, args.birth, now()) else {
        count(CounterIndex::TableFullBytes, length);
        return;
    };
    // SAFETY: as in `account`.
    let connection = unsafe { &mut *pointer };
    if args.direction as u8 == EGRESS {
        connection.offsets[0] += length;
    } else {
        connection.offsets[1] += length;
    }
    let counter = match connection.state {
        CAPTURE => CounterIndex::UnseenBytes,
        SHED => CounterIndex::ShedBytes,
        _ => CounterIndex::SkippedBytes,
    };
    count(counter, length);
}

/// Begins the count of a connection's bytes with this call, under another generation. Returns the offset of the call.
#[inline(always)]
fn begin_anew(connection: &mut Connection, direction: u8, length: u64, ktime: u64) -> u64 {
    connection.generation = ktime;
    connection.offsets = if direction == EGRESS { [length, 0] } else { [0, length] };
    connection.request_start = 0;
    connection.shut = 0;
    0
}

/// Accounts `length` bytes that a call moved, and copies them if they are wanted.
#[inline(always)]
pub fn account(tgid: u32, tid: u32, args: &CallArgs, length: u64) {
    if let Some(mut header) = admit(tgid, tid, args, length, length) {
        emit_bytes(&mut header, args.buffer, length, maps::max_call_bytes());
    }
}

/// Accounts `length` bytes that a call moved, of which the first `first` are in the buffer of `args`. The header of their first record, if
/// they are wanted.
#[inline(always)]
pub fn admit(tgid: u32, tid: u32, args: &CallArgs, length: u64, first: u64) -> Option<RecordHeader> {
    let direction = args.direction as u8;
    let ktime = now();
    let key = ConnectionKey { tgid, reserved: 0, handle: args.handle };
    if args.site != 0 && !is_plausible(&key, args, first) {
        count(CounterIndex::SkippedBytes, length);
        return None;
    }
    let Some(pointer) = connection(&key, args.birth, ktime) else {
        count(CounterIndex::TableFullBytes, length);
        return None;
    };
    // SAFETY: the map keeps the memory valid for as long as the program runs. OpenSSL forbids two calls on one handle at a time, so two
    // programs do not write to it at once; if they did, plain words would at worst be stale.
    let connection = unsafe { &mut *pointer };
    let offset = if direction == EGRESS {
        if connection.accounted[0] > args.entered {
            return None; // Inside this call, another function that is probed moved the same bytes.
        }
        let offset = connection.offsets[0];
        connection.accounted[0] = ktime;
        connection.offsets[0] = offset + length;
        offset
    } else {
        if connection.accounted[1] > args.entered {
            return None;
        }
        let offset = connection.offsets[1];
        connection.accounted[1] = ktime;
        connection.offsets[1] = offset + length;
        offset
    };
    take_verdict(&key, connection);
    let mut start = if connection.state == IGNORE || (connection.state == SHED && is_shedding()) {
        Start::Other
    } else {
        sniff(args.buffer, first)
    };
    if start == Start::Other
        && (connection.state == UNKNOWN || connection.state == SHED)
        && begins_with_frames(args.buffer, first)
    {
        start = Start::Frames;
    }
    let was_shed = connection.state == SHED;
    if !follow(connection, direction, offset, start) {
        let counter =
            if connection.state == SHED { CounterIndex::ShedBytes } else { CounterIndex::SkippedBytes };
        count(counter, length);
        return None;
    }
    if connection.announced == 0 && is_shedding() {
        connection.state = SHED;
        count(CounterIndex::ShedConnections, 1);
        count(CounterIndex::ShedBytes, length);
        return None;
    }
    // Taken up again, as a connection of its own: user space is to expect no answer to a request that it has not seen.
    let offset = if was_shed { begin_anew(connection, direction, length, ktime) } else { offset };
    if is_stalled(ktime) {
        count(CounterIndex::QuietBytes, length);
        return None;
    }
    connection.announced = 1;
    Some(RecordHeader {
        kind: RecordKind::Chunk as u8,
        direction,
        reserved: 0,
        length: 0,
        tgid,
        tid,
        handle: args.handle,
        generation: connection.generation,
        offset,
        ingress_end: 0,
        ktime,
    })
}
