//! A uprobe on the JVM's native file write: where wirespan's Java agent shows the plaintext of JSSE.
//!
//! `jint Java_sun_nio_ch_FileDispatcherImpl_write0(JNIEnv *, jclass, jobject fd, jlong address, jint length)`, which is called
//! `…_UnixFileDispatcherImpl_write0` from Java 21 on. `agent-java/src/io/wirespan/Tap.java` writes the pieces that are read here; all
//! other writes lack the magic number and are none of ours.

use agent_common::{
    CallArgs, ConnectionKey, EGRESS, INGRESS, JAVA_HANDLE, JAVA_HEADER_BYTES, JAVA_MAGIC, JavaKind,
};
use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_user},
    macros::uprobe,
    programs::ProbeContext,
};

use crate::{
    handle::{forget, shut},
    maps::CONNECTIONS,
    registers::argument,
    scope::{captured, now},
    stream::account,
};

const HEADER: u64 = JAVA_HEADER_BYTES as u64;

/// What goes before the bytes of a piece, in the byte order of the machine.
#[repr(C)]
struct Header {
    magic: [u8; 8],
    connection: u64,
    length: u32,
    kind: u8,
    direction: u8,
    reserved: [u8; 2],
    offset: u64,
}

/// `Java_sun_nio_ch_FileDispatcherImpl_write0`
#[uprobe]
pub fn enter_java_write(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((pid_tgid >> 32) as u32, pid_tgid as u32);
    let Some(birth) = captured(tgid) else { return 0 };
    let address = argument(&ctx, 3);
    let length = argument(&ctx, 4) as i32;
    if length < JAVA_HEADER_BYTES as i32 {
        return 0;
    }
    let Some(header) = header(address) else { return 0 };
    if header.magic != JAVA_MAGIC || u64::from(header.length) != length as u64 - HEADER {
        return 0;
    }
    let handle = JAVA_HANDLE | (header.connection & (JAVA_HANDLE - 1));
    if header.kind == JavaKind::Chunk as u8 && header.length > 0 {
        let direction = if header.direction == INGRESS { INGRESS } else { EGRESS };
        skip_to(tgid, handle, direction, header.offset);
        let args = CallArgs {
            handle,
            buffer: address + HEADER,
            count: 0,
            entered: now(),
            birth,
            direction: direction as u32,
            site: 0,
            requested: header.length,
            reserved: 0,
        };
        account(tgid, tid, &args, u64::from(header.length));
    } else if header.kind == JavaKind::Shutdown as u8 {
        shut(tgid, tid, handle);
    } else if header.kind == JavaKind::Closed as u8 {
        forget(tgid, tid, handle);
    }
    0
}

#[inline(always)]
fn header(address: u64) -> Option<Header> {
    let mut header = Header {
        magic: [0; 8],
        connection: 0,
        length: 0,
        kind: 0,
        direction: 0,
        reserved: [0; 2],
        offset: 0,
    };
    // SAFETY: the destination is as long as what is read, and any bytes make a header; the helper copes with any source address.
    let read = unsafe {
        bpf_probe_read_user((&raw mut header).cast(), JAVA_HEADER_BYTES as u32, address as *const _)
    };
    if read == 0 { Some(header) } else { None }
}

/// A piece that the agent could not write is a hole: the connection goes on where the next piece says.
#[inline(always)]
fn skip_to(tgid: u32, handle: u64, direction: u8, offset: u64) {
    let Some(pointer) = CONNECTIONS.get_ptr_mut(ConnectionKey { tgid, reserved: 0, handle }) else { return };
    // SAFETY: a value of a preallocated map is memory of its type, and the agent shows each direction under a lock.
    let connection = unsafe { &mut *pointer };
    let known = if direction == EGRESS { &mut connection.offsets[0] } else { &mut connection.offsets[1] };
    if *known < offset {
        *known = offset;
    }
}
