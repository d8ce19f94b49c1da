//! Uprobes on Go's crypto/tls and its forks, compiled for the calling convention that passes arguments in registers (Go 1.17).
//!
//! `func (*Conn) writeRecordLocked(recordType, []byte) (int, error)`, `func (*Conn) Read([]byte) (int, error)`,
//! `func (*Conn) Close() error`, `func (*Conn) CloseWrite() error`, `func (*Conn) clientHandshake(…) error` and `serverHandshake`. All are
//! probed behind the check of the stack's size that they begin with: a function whose check fails begins again.

use agent_common::{CallArgs, CallKey, CounterIndex, EGRESS, INGRESS};
use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user},
    macros::uprobe,
    programs::ProbeContext,
};

use crate::{
    count::count,
    handle::{forget, shut},
    maps::CALLS,
    registers::{go_word, goroutine, stack},
    scope::{captured, state},
    site::site,
    stream::account,
};

/// The kind of record that carries plaintext (RFC 8446 section 5.1).
const APPLICATION_DATA: u8 = 23;

/// No function that is probed here calls another one that moves the same bytes, while several goroutines may be inside one of them: so
/// that nothing accounted meanwhile counts as having been accounted for the call.
const ALONE: u64 = u64::MAX;

/// `writeRecordLocked`, the one place that plaintext passes on its way out. At `Write`'s own entry the handshake may be still to come and
/// others to come first; at its RETs the answer may have been read already by another goroutine. Here the lock on the outgoing side is
/// held, so that the order is that of the wire. If writing fails, the connection takes nothing more.
#[uprobe]
pub fn enter_go_write(ctx: ProbeContext) -> u32 {
    let length = go_word(&ctx, 3);
    if go_word(&ctx, 1) as u8 != APPLICATION_DATA || length == 0 {
        return 0;
    }
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let Some(birth) = captured(tgid) else { return 0 };
    let args = args(&ctx, birth, EGRESS, go_word(&ctx, 2), length);
    account(tgid, pid_tgid as u32, &args, length);
    0
}

/// `Read`
#[uprobe]
pub fn enter_go_read(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let Some(birth) = captured(tgid) else { return 0 };
    let args = args(&ctx, birth, INGRESS, go_word(&ctx, 1), go_word(&ctx, 2));
    let kept = match frame(&ctx, tgid) {
        Some(key) => CALLS.insert(key, args, 0).is_ok(),
        None => false,
    };
    if !kept {
        // What this call moves will not be known. A later call must not pass for the continuation.
        count(CounterIndex::CallsUntracked, 1);
        forget(tgid, pid_tgid as u32, args.handle);
    }
    0
}

/// Each RET of `Read`. An error may come with the last bytes.
#[uprobe]
pub fn leave_go_read(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let Some(key) = frame(&ctx, tgid) else { return 0 };
    // SAFETY: the frame that this key names is running here, so nothing else writes its entry.
    let Some(args) = (unsafe { CALLS.get(key) }).copied() else { return 0 };
    let _ = CALLS.remove(key);
    let length = go_word(&ctx, 0);
    if length as i64 <= 0 || (args.requested != 0 && length > args.requested as u64) {
        return 0;
    }
    account(tgid, pid_tgid as u32, &args, length);
    0
}

/// `CloseWrite`
#[uprobe]
pub fn enter_go_shutdown(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    if state(tgid).is_some() {
        shut(tgid, pid_tgid as u32, go_word(&ctx, 0));
    }
    0
}

/// `Close`; and the handshakes: a connection that was never closed may have been collected, and its memory is another's now.
#[uprobe]
pub fn enter_go_end(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    if state(tgid).is_some() {
        forget(tgid, pid_tgid as u32, go_word(&ctx, 0));
    }
    0
}

/// The frame of the running function. A goroutine changes threads, and its stack grows and shrinks by being copied to another place; its
/// distance from the base of the stack stays.
#[inline(always)]
fn frame(ctx: &ProbeContext, tgid: u32) -> Option<CallKey> {
    let goroutine = goroutine(ctx);
    // `g.stack.hi`: a goroutine begins with the bounds of its stack.
    // SAFETY: the helper copes with any address.
    let base = unsafe { bpf_probe_read_user((goroutine + 8) as *const u64) }.ok()?;
    let depth = (base.wrapping_sub(stack(ctx)) >> 3) + 1;
    // Go allows stacks of a gigabyte.
    if depth > u32::MAX as u64 {
        return None;
    }
    Some(CallKey { tgid, depth: depth as u32, stack: goroutine })
}

#[inline(always)]
fn args(ctx: &ProbeContext, birth: u64, direction: u8, buffer: u64, length: u64) -> CallArgs {
    CallArgs {
        handle: go_word(ctx, 0),
        buffer,
        count: 0,
        entered: ALONE,
        birth,
        direction: direction as u32,
        site: site(ctx),
        requested: if length > u32::MAX as u64 { 0 } else { length as u32 },
        reserved: 0,
    }
}
