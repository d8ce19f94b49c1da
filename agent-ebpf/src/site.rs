//! Places that were found by the structure of the code: what goes through them has to look like plaintext, or they are not what they were
//! taken for. User space reads the counts and takes the probes off again.

use core::arch::asm;

use agent_common::{CallArgs, ConnectionKey, ConnectionState};
use aya_ebpf::{EbpfContext as _, helpers::bpf_get_attach_cookie, programs::ProbeContext};

use crate::{
    frame::begins_with_frames,
    maps::{self, CONNECTIONS, FOREIGN, SITES},
    sniff::{Start, sniff},
};

/// The number of the place that the program runs at; 0 for one that needs no proof. It goes into `CallArgs::site`.
#[inline(always)]
pub fn site(ctx: &ProbeContext) -> u32 {
    if maps::attach_cookies() == 0 {
        return 0; // The verifier of a kernel without cookies removes what follows.
    }
    // SAFETY: the context is that of the running program.
    unsafe { bpf_get_attach_cookie(ctx.as_ptr()) as u32 }
}

/// Whether a call through such a place goes on with a connection that is followed, or begins one. Nothing is kept of a call that does
/// neither: what is no handle must not fill the table of connections.
#[inline(always)]
pub fn is_plausible(key: &ConnectionKey, args: &CallArgs, length: u64) -> bool {
    let Some(counts) = SITES.get_ptr_mut(args.site) else { return false };
    // SAFETY: the values of an array are there for as long as the map is.
    let (calls, plausible, foreign) = unsafe {
        (&raw mut (*counts).calls, &raw mut (*counts).plausible, &raw mut (*counts).foreign_handles)
    };
    increment(calls);
    // SAFETY: as above; a number that is too old by one does no harm.
    let proven = unsafe { plausible.read() } != 0;
    if is_followed(key, args.birth) || begins(args.buffer, length, proven) {
        increment(plausible);
        return true;
    }
    if !proven {
        let handle = ConnectionKey { reserved: args.site, ..*key };
        if FOREIGN.get_ptr(handle).is_none() && FOREIGN.insert(handle, 1, 0).is_ok() {
            increment(foreign);
        }
    }
    false
}

#[inline(always)]
fn is_followed(key: &ConnectionKey, birth: u64) -> bool {
    let Some(found) = CONNECTIONS.get_ptr(key) else { return false };
    // SAFETY: a value of a preallocated map is memory of its type, even if the entry is replaced meanwhile.
    let found = unsafe { *found };
    found.birth == birth && found.state != ConnectionState::Unknown as u32
}

#[inline(always)]
fn begins(buffer: u64, length: u64, proven: bool) -> bool {
    match sniff(buffer, length) {
        Start::Method | Start::Status | Start::Preface | Start::Frames => true,
        // One letter proves nothing.
        Start::Partial => proven,
        Start::Other => begins_with_frames(buffer, length),
    }
}

/// Adds one, and loses none: other CPUs do the same.
#[inline(always)]
fn increment(value: *mut u64) {
    // `BPF_ATOMIC | BPF_ADD`.
    // SAFETY: every caller passes a word of a map, aligned, that every writer changes in this way.
    unsafe {
        asm!("lock *(u64 *)({value} + 0) += {one}", value = in(reg) value, one = in(reg) 1u64, options(nostack));
    }
}
