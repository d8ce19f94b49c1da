//! Uprobes on the read and write functions of OpenSSL and its relatives: at their entries, and at each of their RET instructions.
//!
//! `int SSL_read(SSL *, void *, int)`, `int SSL_write(SSL *, const void *, int)`,
//! `int SSL_read_ex(SSL *, void *, size_t, size_t *)`, `int SSL_write_ex(SSL *, const void *, size_t, size_t *)`,
//! `int SSL_write_ex2(SSL *, const void *, size_t, uint64_t, size_t *)`; and of GnuTLS:
//! `ssize_t gnutls_record_recv(gnutls_session_t, void *, size_t)`, `ssize_t gnutls_record_send(gnutls_session_t, const void *, size_t)`,
//! whose variants differ behind the third argument.

use agent_common::{CallArgs, CallKey, CounterIndex, EGRESS, INGRESS};
use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user},
    macros::uprobe,
    programs::ProbeContext,
};

use crate::{
    count::count,
    handle::forget,
    maps::CALLS,
    peer,
    registers::{argument, returned, stack},
    scope::{captured, now},
    site::site,
    stream::account,
};

/// `SSL_read`
#[uprobe]
pub fn enter_read(ctx: ProbeContext) -> u32 {
    enter(&ctx, INGRESS, None)
}

/// `SSL_write`
#[uprobe]
pub fn enter_write(ctx: ProbeContext) -> u32 {
    enter(&ctx, EGRESS, None)
}

/// `SSL_read_ex`
#[uprobe]
pub fn enter_read_ex(ctx: ProbeContext) -> u32 {
    enter(&ctx, INGRESS, Some(3))
}

/// `SSL_write_ex`
#[uprobe]
pub fn enter_write_ex(ctx: ProbeContext) -> u32 {
    enter(&ctx, EGRESS, Some(3))
}

/// `SSL_write_ex2`
#[uprobe]
pub fn enter_write_ex2(ctx: ProbeContext) -> u32 {
    enter(&ctx, EGRESS, Some(4))
}

/// Each RET of those functions above that return an `int`.
#[uprobe]
pub fn leave(ctx: ProbeContext) -> u32 {
    let value = i64::from(returned(&ctx) as i32);
    leave_with(&ctx, value, true)
}

/// Each RET of those functions above that return an `ssize_t`.
#[uprobe]
pub fn leave_long(ctx: ProbeContext) -> u32 {
    let value = returned(&ctx) as i64;
    // Their third argument may be wider than what was kept of it.
    leave_with(&ctx, value, false)
}

#[inline(always)]
fn leave_with(ctx: &ProbeContext, returned: i64, bounded: bool) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let key = CallKey { tgid, depth: 0, stack: stack(ctx) };
    // SAFETY: the frame that this key names is running here, so nothing else writes its entry.
    let Some(args) = (unsafe { CALLS.get(key) }).copied() else { return 0 };
    let _ = CALLS.remove(key);
    if returned <= 0 {
        if args.direction == EGRESS as u32 {
            peer::cancel(pid_tgid);
        }
        return 0; // Failed, or would block: the buffer holds nothing of this call.
    }
    let length = if args.count == 0 {
        returned as u64
    } else {
        // SAFETY: the helper copes with any address.
        match unsafe { bpf_probe_read_user(args.count as *const u64) } {
            Ok(length) => length,
            Err(_) => {
                // The bytes are moved but nobody knows how many: this stream cannot be followed any more.
                forget(tgid, pid_tgid as u32, args.handle);
                count(CounterIndex::CallsUntracked, 1);
                return 0;
            }
        }
    };
    if length == 0 {
        return 0;
    }
    if bounded && args.requested != 0 && length > args.requested as u64 {
        // No reader or writer does that: this is another function than it was taken for. One with that name is not to be believed any more.
        if args.site == 0 {
            forget(tgid, pid_tgid as u32, args.handle);
            count(CounterIndex::CallsUntracked, 1);
        }
        return 0;
    }
    account(tgid, pid_tgid as u32, &args, length);
    if args.direction == EGRESS as u32 {
        peer::end(pid_tgid, args.handle, args.birth, length);
    }
    0
}

#[inline(always)]
fn enter(ctx: &ProbeContext, direction: u8, count_argument: Option<usize>) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let Some(birth) = captured(tgid) else { return 0 };
    let count_at = match count_argument {
        Some(index) => argument(ctx, index),
        None => 0,
    };
    let args = CallArgs {
        handle: argument(ctx, 0),
        buffer: argument(ctx, 1),
        count: count_at,
        entered: now(),
        birth,
        direction: direction as u32,
        site: site(ctx),
        requested: requested(argument(ctx, 2), count_argument.is_some()),
        reserved: 0,
    };
    let key = CallKey { tgid, depth: 0, stack: stack(ctx) };
    if CALLS.insert(key, args, 0).is_err() {
        // What this call moves will not be known. A later call must not pass for the continuation.
        count(CounterIndex::CallsUntracked, 1);
        forget(tgid, pid_tgid as u32, args.handle);
    }
    if direction == EGRESS {
        peer::begin(pid_tgid, args.handle, birth);
    }
    0
}

/// The length that a call asks for; 0 when it does not fit. Where the caller passes an `int`, the upper half of the register means nothing.
#[inline(always)]
fn requested(length: u64, wide: bool) -> u32 {
    if wide && length > u32::MAX as u64 { 0 } else { length as u32 }
}
