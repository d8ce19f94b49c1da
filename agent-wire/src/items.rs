//! What the decoders of body items share: where items go, and buffers that stay bounded.

use std::ops::ControlFlow;

use crate::exchange::Body;

/// Takes items; `Break` when no more are wanted.
pub(crate) type Out<'a> = dyn FnMut(Body<'_>) -> ControlFlow<()> + 'a;

/// Capacity that an empty buffer may keep for the next item.
const KEEP_CAPACITY: usize = 16 << 10;

/// Appends as much of `piece` as fits into `limit` bytes; tells whether some did not.
pub(crate) fn keep_within(buffer: &mut Vec<u8>, piece: &[u8], limit: usize) -> bool {
    let room = limit.saturating_sub(buffer.len());
    buffer.extend_from_slice(piece.get(..room).unwrap_or(piece));
    piece.len() > room
}

/// Empties a buffer, and gives its memory back when it was large.
pub(crate) fn release(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEEP_CAPACITY {
        *buffer = Vec::new();
    }
}
