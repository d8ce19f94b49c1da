//! Uprobes on `int SSL_shutdown(SSL *)` and `void SSL_free(SSL *)`: the ends of connections.

use agent_common::{ConnectionKey, CounterIndex, EGRESS, RecordHeader, RecordKind};
use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::uprobe, programs::ProbeContext};

use crate::{
    count::count,
    emit::emit_event,
    maps::{CONNECTIONS, VERDICTS},
    registers::{argument, returned},
    scope::{now, state},
};

/// `SSL_shutdown`. It is called twice by those who wait for the peer's answer; the first call tells.
#[uprobe]
pub fn enter_shutdown(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    if state(tgid).is_none() {
        return 0;
    }
    shut(tgid, pid_tgid as u32, argument(&ctx, 0));
    0
}

/// Reports that the process has ended its direction of a connection, once.
#[inline(always)]
pub fn shut(tgid: u32, tid: u32, handle: u64) {
    let Some(pointer) = CONNECTIONS.get_ptr_mut(ConnectionKey { tgid, reserved: 0, handle }) else { return };
    // SAFETY: a value of a preallocated map is memory of its type, and one handle is used by one thread at a time.
    let connection = unsafe { &mut *pointer };
    if connection.announced == 0 || connection.shut != 0 {
        return;
    }
    connection.shut = 1;
    emit_event(&RecordHeader {
        kind: RecordKind::Shutdown as u8,
        direction: EGRESS,
        reserved: 0,
        length: 0,
        tgid,
        tid,
        handle,
        generation: connection.generation,
        offset: connection.offsets[0],
        ingress_end: connection.offsets[1],
        ktime: now(),
    });
}

/// `SSL_free`
#[uprobe]
pub fn enter_free(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    if state(tgid).is_none() {
        return 0;
    }
    forget(tgid, pid_tgid as u32, argument(&ctx, 0));
    0
}

/// The RETs of a function that makes a TLS handle: whatever connection was known by what it returns is over.
#[uprobe]
pub fn born(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    if state(tgid).is_none() {
        return 0;
    }
    forget(tgid, pid_tgid as u32, returned(&ctx));
    0
}

/// Ends a connection: reports it if user space knows of it, and takes it out of the table.
#[inline(always)]
pub fn forget(tgid: u32, tid: u32, handle: u64) {
    let key = ConnectionKey { tgid, reserved: 0, handle };
    let Some(pointer) = CONNECTIONS.get_ptr_mut(key) else { return };
    // SAFETY: a value of a preallocated map is memory of its type, and the handle is at its end.
    let connection = unsafe { *pointer };
    if CONNECTIONS.remove(key).is_err() {
        return; // Another program was first.
    }
    count(CounterIndex::ConnectionsRemoved, 1);
    if connection.announced == 0 {
        return;
    }
    let _ = VERDICTS.remove(key);
    emit_event(&RecordHeader {
        kind: RecordKind::Closed as u8,
        direction: EGRESS,
        reserved: 0,
        length: 0,
        tgid,
        tid,
        handle,
        generation: connection.generation,
        offset: connection.offsets[0],
        ingress_end: connection.offsets[1],
        ktime: now(),
    });
}
