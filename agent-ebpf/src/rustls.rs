//! Uprobes on the record protection of rustls, whatever cryptography provider implements it: the functions of two traits, called through
//! their tables and therefore never inlined.
//!
//! `MessageEncrypter::encrypt(&mut self, OutboundPlainMessage, u64) -> Result<OutboundOpaqueMessage, Error>`,
//! `MessageDecrypter::decrypt(&mut self, InboundOpaqueMessage, u64) -> Result<InboundPlainMessage, Error>`; messages and results are
//! passed by address, and the number counts the records under one key.
//!
//! What a connection is called by is the address of its encrypter. Rust promises no layout, so everything that is read here has to fit:
//! lengths, types of content, and for received records the header in front of them.

use agent_common::{CallArgs, CallKey, ConnectionKey, CounterIndex, EGRESS, INGRESS};
use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user},
    macros::uprobe,
    programs::ProbeContext,
};

use crate::{
    count::count,
    emit::{MAX_PIECES, emit_gathered, emit_tail},
    handle::{forget, shut},
    maps::{CALLS, CONNECTIONS},
    registers::{argument_behind_result, result_place, stack},
    rustls_join::{encrypter_beside, renew},
    scope::{captured, now},
    site::site,
    stream::{account, admit},
};

/// Most bytes of content in a record (RFC 8446 section 5.1).
const MAX_CONTENT: u64 = 1 << 14;
/// Most bytes that protection adds (RFC 5246 section 6.2.3).
const MAX_EXPANSION: u64 = 2048;
/// Bytes of a record's header.
const HEADER: u64 = 5;
/// Types of content (RFC 8446 section 5.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// What rustls numbers them with in memory.
const ALERT_TAG: u8 = 1;
const APPLICATION_DATA_TAG: u8 = 3;
/// `close_notify` as a warning (RFC 8446 section 6).
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
/// Records up to this many bytes are gathered in less space.
const SHORT: usize = 2048;

/// `MessageEncrypter::encrypt`
#[uprobe]
pub fn rustls_encrypt(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((pid_tgid >> 32) as u32, pid_tgid as u32);
    let Some(birth) = captured(tgid) else { return 0 };
    let handle = argument_behind_result(&ctx, 0);
    let message = argument_behind_result(&ctx, 1);
    let sequence = argument_behind_result(&ctx, 2);
    // The slices in four words, then the type of content and the version.
    let Some(words) = words::<5>(message) else { return 0 };
    let [first, second, third, fourth, kind] = words;
    if sequence == 0 {
        renew(tgid, tid, handle, EGRESS);
    }
    // Either one slice, marked by a zero, or a slice of slices with the part of it that is meant.
    let single = first == 0;
    let (start, end) = if single { (0, third) } else { (third, fourth) };
    if end <= start || end - start > MAX_CONTENT {
        return 0;
    }
    let length = end - start;
    match kind as u8 {
        ALERT_TAG if single && bytes::<2>(second) == Some(CLOSE_NOTIFY) => {
            shut(tgid, tid, handle);
            return 0;
        }
        APPLICATION_DATA_TAG => {}
        _ => return 0,
    }
    let slices = Slices { at: first, count: second, start, end };
    let (buffer, readable) = if single { (second, length) } else { slices.first() };
    let args = CallArgs {
        handle,
        buffer,
        count: 0,
        entered: now(),
        birth,
        direction: EGRESS as u32,
        site: site(&ctx),
        requested: 0,
        reserved: 0,
    };
    let Some(header) = admit(tgid, tid, &args, length, readable) else { return 0 };
    if single {
        emit_tail(&header, buffer, length);
    } else if length <= SHORT as u64 {
        emit_gathered::<SHORT>(&header, length, slices.pieces());
    } else {
        emit_gathered::<{ MAX_CONTENT as usize }>(&header, length, slices.pieces());
    }
    0
}

/// A slice of slices, and the part of their bytes that is meant.
struct Slices {
    at: u64,
    count: u64,
    start: u64,
    end: u64,
}

impl Slices {
    /// Place and length of what is meant of each slice; it may be nothing. To be asked in order.
    #[inline(always)]
    fn pieces(&self) -> impl FnMut(u64) -> Option<(u64, u64)> {
        let mut from = 0u64;
        move |index| {
            if index >= self.count || from >= self.end {
                return None;
            }
            let [pointer, length] = words::<2>(self.at + 16 * index)?;
            let next = from.checked_add(length)?;
            let skip = if self.start > from { self.start - from } else { 0 };
            let stop = if self.end < next { self.end - from } else { length };
            from = next;
            Some((pointer + skip, if stop > skip { stop - skip } else { 0 }))
        }
    }

    /// The first that is not empty.
    #[inline(always)]
    fn first(&self) -> (u64, u64) {
        let mut piece = self.pieces();
        for index in 0..MAX_PIECES {
            match piece(index) {
                Some((_, 0)) => {}
                Some(first) => return first,
                None => break,
            }
        }
        (0, 0)
    }
}

/// `MessageDecrypter::decrypt`
#[uprobe]
pub fn rustls_decrypt(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((pid_tgid >> 32) as u32, pid_tgid as u32);
    let Some(birth) = captured(tgid) else { return 0 };
    let decrypter = argument_behind_result(&ctx, 0);
    let message = argument_behind_result(&ctx, 1);
    let sequence = argument_behind_result(&ctx, 2);
    let Some([buffer, length]) = words::<2>(message) else { return 0 };
    // The record lies as it was received, behind its header.
    match record_header(buffer) {
        Some((APPLICATION_DATA, protected)) if protected == length => {}
        _ => return 0,
    }
    let Some(handle) = encrypter_beside(&ctx, tgid, decrypter, sequence == 0) else {
        count(CounterIndex::CallsUntracked, 1);
        return 0;
    };
    if sequence == 0 {
        renew(tgid, tid, handle, INGRESS);
    }
    let args = CallArgs {
        handle,
        buffer,
        count: result_place(&ctx),
        entered: now(),
        birth,
        direction: INGRESS as u32,
        site: site(&ctx),
        requested: 0,
        reserved: 0,
    };
    let key = CallKey { tgid, depth: 0, stack: stack(&ctx) };
    if CALLS.insert(key, args, 0).is_err() {
        count(CounterIndex::CallsUntracked, 1);
        forget(tgid, tid, handle);
    }
    0
}

/// Each RET of `MessageDecrypter::decrypt`. The content lies where the record lay.
#[uprobe]
pub fn rustls_decrypted(ctx: ProbeContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let key = CallKey { tgid, depth: 0, stack: stack(&ctx) };
    // SAFETY: the frame that this key names is running here, so nothing else writes its entry.
    let Some(args) = (unsafe { CALLS.get(key) }).copied() else { return 0 };
    let _ = CALLS.remove(key);
    let Some([zeroth, first, second, third]) = words::<4>(args.count) else { return 0 };
    // The slice of the content, behind what tells it from an error.
    let length = if first == args.buffer {
        second
    } else if zeroth == args.buffer {
        first
    } else if second == args.buffer {
        third
    } else {
        return 0; // An error.
    };
    let Some((_, protected)) = record_header(args.buffer) else { return 0 };
    if length == 0 || length > MAX_CONTENT || length > protected {
        return 0;
    }
    if is_application_data(args.buffer + length, protected - length) {
        account(tgid, pid_tgid as u32, &args, length);
    }
    0
}

/// Type and length of the record whose protected content is at `content`.
#[inline(always)]
fn record_header(content: u64) -> Option<(u8, u64)> {
    let [kind, major, minor, high, low] = bytes::<{ HEADER as usize }>(content.checked_sub(HEADER)?)?;
    let length = u64::from(u16::from_be_bytes([high, low]));
    // Every version since 1.0, on the wire, is 3 and something.
    if major == 3 && minor <= 4 && length <= MAX_CONTENT + MAX_EXPANSION {
        Some((kind, length))
    } else {
        None
    }
}

/// Whether the content of a record of type `APPLICATION_DATA` is that. In TLS 1.3 the type is behind the content, before zeros and the
/// tag of 16 bytes; in TLS 1.2 the tag alone, or a nonce of 8 bytes and the tag, make the difference.
#[inline(always)]
fn is_application_data(behind: u64, overhead: u64) -> bool {
    if overhead == 16 {
        return true;
    }
    let Some([word]) = words::<1>(behind) else { return false };
    if overhead == 24 {
        // Seven bytes of padding, or a nonce.
        let other = word == u64::from(HANDSHAKE).to_le() || word == u64::from(ALERT).to_le();
        return !other;
    }
    word.to_le_bytes()[0] == APPLICATION_DATA
}

/// So many words of the process's memory.
#[inline(always)]
pub fn words<const COUNT: usize>(at: u64) -> Option<[u64; COUNT]> {
    // SAFETY: the helper copes with any address.
    unsafe { bpf_probe_read_user(at as *const [u64; COUNT]) }.ok()
}

#[inline(always)]
fn bytes<const COUNT: usize>(at: u64) -> Option<[u8; COUNT]> {
    // SAFETY: the helper copes with any address.
    unsafe { bpf_probe_read_user(at as *const [u8; COUNT]) }.ok()
}

/// The state of a connection, if it is known.
#[inline(always)]
pub fn moved(tgid: u32, handle: u64) -> Option<[u64; 2]> {
    let pointer = CONNECTIONS.get_ptr(ConnectionKey { tgid, reserved: 0, handle })?;
    // SAFETY: a value of a preallocated map is memory of its type, even if the entry is replaced meanwhile.
    Some(unsafe { (*pointer).offsets })
}
