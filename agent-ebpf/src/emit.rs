//! Records into the data ring.
//!
//! A record is reserved in one of a few sizes that are constants to the verifier, and the payload is read from the process straight into
//! it. There is no staging buffer: uprobe programs can be preempted, and a per-CPU buffer could be overwritten in between.

use core::arch::asm;

use agent_common::{
    CounterIndex, EGRESS, HEADER_BYTES, MAX_CHUNK, MAX_CHUNKS, PeerAddress, RecordHeader, RecordKind, TIERS,
};
use aya_ebpf::{bindings::BPF_RB_NO_WAKEUP, helpers::generated::bpf_probe_read_user};

use crate::{count::count, maps::DATA, scope::now};

/// Most pieces that one record is gathered from: as many as `writev` users in practice hand over at once.
pub const MAX_PIECES: u64 = 64;

const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;

/// One record without payload. False: the ring was full.
#[inline(always)]
pub fn emit_event(header: &RecordHeader) -> bool {
    match DATA.reserve::<RecordHeader>(0) {
        Some(mut entry) => {
            entry.write(*header);
            entry.submit(NO_WAKEUP);
            true
        }
        None => {
            count(CounterIndex::ControlEvents, 1);
            false
        }
    }
}

/// A record that names the peer of a connection.
#[repr(C)]
struct PeerRecord {
    header: RecordHeader,
    peer: PeerAddress,
}

/// Reports who is at the other end of a connection. False: the ring was full.
#[inline(always)]
pub fn emit_peer(tgid: u32, tid: u32, handle: u64, generation: u64, peer: &PeerAddress) -> bool {
    let Some(mut entry) = DATA.reserve::<PeerRecord>(0) else { return false };
    entry.write(PeerRecord {
        header: RecordHeader {
            kind: RecordKind::Peer as u8,
            direction: EGRESS,
            reserved: 0,
            length: size_of::<PeerAddress>() as u32,
            tgid,
            tid,
            handle,
            generation,
            offset: 0,
            ingress_end: 0,
            ktime: now(),
        },
        peer: *peer,
    });
    entry.submit(NO_WAKEUP);
    true
}

/// `length`, which is at most CAPACITY already, compared once more where the verifier looks. The comparison that chose the size was made
/// on another copy of the number, and verifiers before 6.7 do not carry what they learned there over to this one.
#[inline(always)]
fn bounded<const CAPACITY: usize>(length: u64) -> u64 {
    let mut length = length;
    // SAFETY: no instruction at all; it keeps the compiler from knowing that the comparison is not needed.
    unsafe { asm!("/* {length} */", length = inout(reg) length, options(nomem, nostack, preserves_flags)) };
    if length > CAPACITY as u64 { CAPACITY as u64 } else { length }
}

/// One record with `length` bytes of payload, `1 <= length <= CAPACITY`.
#[inline(always)]
fn emit_sized<const CAPACITY: usize>(header: &RecordHeader, source: u64, length: u64) {
    let Some(mut entry) = DATA.reserve_bytes(HEADER_BYTES + CAPACITY, 0) else {
        count(CounterIndex::RingFullBytes, length);
        count(CounterIndex::RingFullEvents, 1);
        return;
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the record is aligned to eight bytes and longer than a header.
    unsafe { record.cast::<RecordHeader>().write(RecordHeader { length: length as u32, ..*header }) };
    // SAFETY: the record has CAPACITY bytes after the header.
    let payload = unsafe { record.add(HEADER_BYTES) };
    let taken = bounded::<CAPACITY>(length);
    // SAFETY: `taken` is at most CAPACITY; the helper copes with any source address.
    let read = unsafe { bpf_probe_read_user(payload.cast(), taken as u32, source as *const _) };
    if read == 0 {
        entry.submit(NO_WAKEUP);
        count(CounterIndex::CopiedBytes, length);
    } else {
        entry.discard(NO_WAKEUP);
        count(CounterIndex::FaultBytes, length);
    }
}

macro_rules! smallest_tier {
    ($header:expr, $source:expr, $length:expr, $($index:literal)*) => {
        $(if $length <= TIERS[$index] as u64 {
            return emit_sized::<{ TIERS[$index] }>($header, $source, $length);
        })*
    };
}

/// One record in the smallest size that holds `length` bytes, `1 <= length <= MAX_CHUNK`.
#[inline(always)]
pub fn emit_tail(header: &RecordHeader, source: u64, length: u64) {
    smallest_tier!(header, source, length, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23);
}

const _: () = assert!(
    TIERS.len() == 24 && TIERS[23] == MAX_CHUNK,
    "emit_tail lists every tier, and the last takes any chunk"
);

/// One record whose `length` bytes lie in several places, `1 <= length <= HALF`, a power of two; `piece` gives the place and the length of
/// each, up to [`MAX_PIECES`]. The record is reserved in twice the size: to the verifier, the last piece may begin at the end of the first
/// half and be as long as it.
#[inline(always)]
pub fn emit_gathered<const HALF: usize>(
    header: &RecordHeader,
    length: u64,
    mut piece: impl FnMut(u64) -> Option<(u64, u64)>,
) {
    let Some(mut entry) = DATA.reserve_bytes(HEADER_BYTES + 2 * HALF, 0) else {
        count(CounterIndex::RingFullBytes, length);
        count(CounterIndex::RingFullEvents, 1);
        return;
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the record is aligned to eight bytes and longer than a header.
    unsafe { record.cast::<RecordHeader>().write(RecordHeader { length: length as u32, ..*header }) };
    let mut filled = 0;
    let mut failed = 0;
    for index in 0..MAX_PIECES {
        let Some((source, length)) = piece(index) else { break };
        let at = (filled & (HALF as u64 - 1)) as usize;
        let taken = bounded::<HALF>(length);
        // SAFETY: `at` is less than HALF, and the record has twice as many bytes after the header.
        let place = unsafe { record.add(HEADER_BYTES + at) };
        // SAFETY: `taken` is at most HALF; the helper copes with any source address.
        failed |= unsafe { bpf_probe_read_user(place.cast(), taken as u32, source as *const _) };
        // Masked, so that the verifier, which follows every way through the loop, has nothing to tell the ways apart by.
        filled = (filled + taken) & (2 * HALF as u64 - 1);
    }
    if failed == 0 && filled == length {
        entry.submit(NO_WAKEUP);
        count(CounterIndex::CopiedBytes, length);
    } else {
        entry.discard(NO_WAKEUP);
        count(if failed == 0 { CounterIndex::CallBoundBytes } else { CounterIndex::FaultBytes }, length);
    }
}

/// All `length` bytes at `source`, in as many records as it takes, up to `bound`; the rest is counted.
#[inline(always)]
pub fn emit_bytes(header: &mut RecordHeader, source: u64, length: u64, bound: u64) {
    let taken = if length > bound { bound } else { length };
    if length > taken {
        count(CounterIndex::CallBoundBytes, length - taken);
    }
    let whole = taken / MAX_CHUNK as u64;
    let tail = taken % MAX_CHUNK as u64;
    let mut at = source;
    // A bounded loop, not bpf_loop: kernels from 5.3 on verify it, so there is one path on every kernel. User space keeps `bound` within
    // MAX_CHUNKS chunks.
    for turn in 0..MAX_CHUNKS as u64 {
        if turn >= whole {
            break;
        }
        emit_sized::<MAX_CHUNK>(header, at, MAX_CHUNK as u64);
        header.offset += MAX_CHUNK as u64;
        at += MAX_CHUNK as u64;
    }
    if tail != 0 {
        emit_tail(header, at, tail);
    }
}
