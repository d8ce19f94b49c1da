//! What the first bytes of a call look like.

use core::arch::asm;

use aya_ebpf::helpers::generated::bpf_probe_read_user;

/// What a call begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing that is known.
    Other,
    /// A request method and a space.
    Method,
    /// A status line.
    Status,
    /// The HTTP/2 connection preface.
    Preface,
    /// Frames of HTTP/2, without its preface.
    Frames,
    /// Fewer bytes than would tell, but they may become one of the above.
    Partial,
}

/// The beginnings, as the eight bytes would be loaded, with their lengths. Methods: RFC 9110 section 9.3 and RFC 5789.
const METHODS: [(u64, u32); 9] = [
    token(b"POST "),
    token(b"GET "),
    token(b"PUT "),
    token(b"PATCH "),
    token(b"DELETE "),
    token(b"HEAD "),
    token(b"OPTIONS "),
    token(b"CONNECT "),
    token(b"TRACE "),
];
/// RFC 9112 section 4.
const STATUS: (u64, u32) = token(b"HTTP/1.");
/// RFC 9113 section 3.4: `PRI * HTTP/2.0`.
const PREFACE: (u64, u32) = token(b"PRI * HT");

const fn token(text: &[u8]) -> (u64, u32) {
    let mut bytes = [0; 8];
    let mut index = 0;
    while index < text.len() {
        bytes[index] = text[index];
        index += 1;
    }
    (u64::from_ne_bytes(bytes), text.len() as u32)
}

/// The mask of the first `length` bytes of a word, `length` from 1 to 8.
#[inline(always)]
const fn mask(length: u32) -> u64 {
    u64::MAX >> (64 - 8 * length)
}

/// Looks at the first bytes of a buffer of `length` bytes in the process.
#[inline(always)]
pub fn sniff(buffer: u64, length: u64) -> Start {
    let available = if length >= 8 { 8 } else { length as u32 };
    if available == 0 {
        return Start::Other;
    }
    let mut words = [0u64; 2];
    let mut size = u64::from(available);
    // Verifiers up to that of 6.1 lose a bound with the register that it was found in. This one is set where it is used, and the compiler, which
    // knows that it changes nothing, cannot take it away.
    // SAFETY: it only clears bits of a register.
    unsafe { asm!("{size} &= 15", size = inout(reg) size, options(nomem, nostack)) };
    // SAFETY: the destination is 16 bytes and `size` is less; the helper copes with any source address.
    let read = unsafe { bpf_probe_read_user((&raw mut words).cast(), size as u32, buffer as *const _) };
    if read != 0 {
        return Start::Other;
    }
    let word = words[0];
    let mut partial = false;
    for (text, needed) in METHODS {
        if available >= needed {
            if word & mask(needed) == text {
                return Start::Method;
            }
        } else if word == text & mask(available) {
            partial = true;
        }
    }
    for ((text, needed), start) in [(STATUS, Start::Status), (PREFACE, Start::Preface)] {
        if available >= needed {
            if word & mask(needed) == text {
                return start;
            }
        } else if word == text & mask(available) {
            partial = true;
        }
    }
    if partial { Start::Partial } else { Start::Other }
}
