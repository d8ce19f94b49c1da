//! What the beginning of a call looks like when it is a frame of HTTP/2 (RFC 9113 section 4.1): a connection that was open before the
//! attach has shown its preface already.

use aya_ebpf::helpers::generated::bpf_probe_read_user;

const HEADER: u64 = 9;

/// Longest payload of DATA and header frames that is believed: what servers in use allow at most.
const MAX_LENGTH: u64 = 1 << 20;

/// Whether a call of `length` bytes begins with a frame header, and, when the frame ends inside it, whether another one follows. User
/// space looks closer: what is copied in vain is bounded there.
#[inline(always)]
pub fn begins_with_frames(buffer: u64, length: u64) -> bool {
    match frame_length(buffer, length) {
        Some(frame) if frame < length && length - frame >= HEADER => {
            frame_length(buffer + frame, length - frame).is_some()
        }
        Some(_) => true,
        None => false,
    }
}

/// Length of the frame with its header, if one begins here that peers in use would send.
#[inline(always)]
fn frame_length(buffer: u64, available: u64) -> Option<u64> {
    if available < HEADER {
        return None;
    }
    let mut bytes = [0u8; HEADER as usize];
    // SAFETY: the destination is as long as what is read; the helper copes with any source address.
    let read = unsafe { bpf_probe_read_user((&raw mut bytes).cast(), HEADER as u32, buffer as *const _) };
    if read != 0 {
        return None;
    }
    let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes;
    let length = u64::from(u32::from_be_bytes([0, l0, l1, l2]));
    let stream = u32::from_be_bytes([s0, s1, s2, s3]);
    let odd = stream & 1 == 1 && stream >> 31 == 0;
    let likely = match kind {
        // DATA, HEADERS: only clients open streams.
        0 => odd && flags & !0x09 == 0 && length <= MAX_LENGTH,
        1 => odd && flags & !0x2d == 0 && length <= MAX_LENGTH,
        // PRIORITY, RST_STREAM
        2 => odd && flags == 0 && length == 5,
        3 => odd && flags == 0 && length == 4,
        // SETTINGS, PING, GOAWAY
        4 => stream == 0 && flags <= 1 && length % 6 == 0 && length <= 600,
        6 => stream == 0 && flags <= 1 && length == 8,
        7 => stream == 0 && flags == 0 && length >= 8 && length <= 16_384,
        // WINDOW_UPDATE
        8 => (odd || stream == 0) && flags == 0 && length == 4,
        _ => false,
    };
    if likely { Some(length + HEADER) } else { None }
}
