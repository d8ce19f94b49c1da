//! rustls: which encrypter belongs to a decrypter.
//!
//! Both are boxes of one record layer, which holds them side by side, each as two words: the box and the table of its functions. The
//! caller of the decrypter has to keep that record layer over the call, because it counts the record afterwards, so its address, or that of
//! something around it, is in a kept register or in the callers' frames. Whatever else is there is told apart by the memory behind it: the
//! decrypter, followed by a table whose function runs now, and before it another box with a table.

use core::arch::asm;

use agent_common::{ConnectionKey, EGRESS};
use aya_ebpf::{helpers::generated::bpf_probe_read_user, programs::ProbeContext};

use crate::{
    handle::forget,
    maps::{CANDIDATES, ENCRYPTERS, SEARCH, WINDOW},
    registers::{KEPT, counter, kept, stack},
    rustls::{moved, words},
};

/// No object is in the first page; smaller values count failures.
const FIRST_ADDRESS: u64 = 4096;
/// So often it is looked for; a search takes as long as some ten records.
const MAX_FAILURES: u64 = 16;
/// User space ends here.
const ADDRESS_BITS: u32 = 47;

/// The encrypter of the connection that this decrypter belongs to. `new_key`: the first record under a key, so what is remembered of this
/// address is of an earlier one.
#[inline(always)]
pub fn encrypter_beside(ctx: &ProbeContext, tgid: u32, decrypter: u64, new_key: bool) -> Option<u64> {
    let key = ConnectionKey { tgid, reserved: 0, handle: decrypter };
    let mut failures = 0;
    if !new_key && let Some(known) = ENCRYPTERS.get_ptr(key) {
        // SAFETY: a word of a preallocated map, which is replaced whole.
        let known = unsafe { *known };
        if known >= FIRST_ADDRESS {
            return Some(known);
        }
        if known >= MAX_FAILURES {
            return None;
        }
        failures = known;
    }
    let found = search(ctx, decrypter);
    // When it cannot be kept, it is looked for again.
    let _ = ENCRYPTERS.insert(key, found.unwrap_or(failures + 1), 0);
    found
}

#[inline(always)]
fn search(ctx: &ProbeContext, decrypter: u64) -> Option<u64> {
    let search = SEARCH.get_ptr_mut(0)?;
    // SAFETY: the value of a per-CPU array; every word of it may be anything.
    let search = unsafe { &mut *search };
    for index in 0..KEPT {
        search.candidates[index] = kept(ctx, index);
    }
    let frames = (CANDIDATES - KEPT) as u32 * 8;
    // SAFETY: the destination is as long as what is read; the helper copes with any source address. Where the stack ends before, nothing is
    // read, and the words of an earlier search are as good as any.
    unsafe {
        bpf_probe_read_user(search.candidates[KEPT..].as_mut_ptr().cast(), frames, stack(ctx) as *const _)
    };
    let running = counter(ctx);
    for index in 0..CANDIDATES {
        let base = search.candidates[index];
        if base < FIRST_ADDRESS || base >> ADDRESS_BITS != 0 || base & 7 != 0 {
            continue;
        }
        let length = (WINDOW * 8) as u32;
        // SAFETY: as above.
        if unsafe { bpf_probe_read_user(search.window.as_mut_ptr().cast(), length, base as *const _) } != 0 {
            continue;
        }
        let mut at = 0;
        for word in 2..WINDOW - 1 {
            let other = differs(search.window[word], decrypter);
            at = at & other | word as u64 & !other;
        }
        if at != 0
            && let Some(encrypter) = confirmed(base + 8 * at, decrypter, running)
        {
            return Some(encrypter);
        }
    }
    None
}

/// All bits when the words differ, none when they do not. Without a jump: the verifier would have to remember one for each word of each
/// candidate.
#[inline(always)]
fn differs(one: u64, other: u64) -> u64 {
    let mut mask = one ^ other;
    // SAFETY: arithmetic on two registers. In Rust's own operators the compiler would recognise the comparison, and jump.
    unsafe {
        asm!(
            "{scratch} = {mask}",
            "{scratch} = -{scratch}",
            "{mask} |= {scratch}",
            "{mask} s>>= 63",
            mask = inout(reg) mask,
            scratch = out(reg) _,
            options(pure, nomem, nostack),
        );
    }
    mask
}

/// The encrypter before the decrypter that stands at `place`, read anew, if all fits.
#[inline(always)]
fn confirmed(place: u64, decrypter: u64, running: u64) -> Option<u64> {
    let [encrypter, its_table, found, table] = words::<4>(place - 16)?;
    // Of each table: what drops the box, its size, its alignment, and the first function.
    let [_, _, _, decrypt] = words::<4>(table)?;
    let [_, size, alignment, encrypt] = words::<4>(its_table)?;
    let is_table =
        size != 0 && alignment != 0 && alignment & (alignment - 1) == 0 && encrypt >= FIRST_ADDRESS;
    if found == decrypter && decrypt == running && is_table && encrypter >= FIRST_ADDRESS {
        Some(encrypter)
    } else {
        None
    }
}

/// At the first record under a key: a connection that has moved bytes in this direction before is another one, whose encrypter was where
/// this one is now.
#[inline(always)]
pub fn renew(tgid: u32, tid: u32, handle: u64, direction: u8) {
    if let Some([egress, ingress]) = moved(tgid, handle)
        && (if direction == EGRESS { egress } else { ingress }) != 0
    {
        forget(tgid, tid, handle);
    }
}
