//! HPACK: any header blocks, one after the other on one table, whole and in CONTINUATION frames: no panic, bounded, and the same fields.
#![no_main]

mod wire;

use agent_wire::{Connection, Direction};
use libfuzzer_sys::fuzz_target;
use wire::Notes;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `:method: POST`, `:scheme: https`: so that every block is the head of a request.
const START: &[u8] = &[0x83, 0x87];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The input as blocks: two bytes of length, and so many bytes.
fn blocks(mut input: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    while let [high, low, rest @ ..] = input {
        let length = usize::from(*high & 7) << 8 | usize::from(*low);
        let (block, after) = rest.split_at(length.min(rest.len()));
        blocks.push(block);
        input = after;
    }
    blocks
}

/// Every block as the head of a request without a body; `piece`: bytes of a block in one frame.
fn play(blocks: &[&[u8]], piece: usize) -> Notes {
    let mut connection = Connection::new(wire::limits());
    let mut notes = Notes::default();
    let mut offset = 0;
    let mut push = |bytes: &[u8], notes: &mut Notes| {
        connection.push(Direction::Egress, offset, 0, bytes, notes);
        offset += bytes.len() as u64;
        assert!(connection.held_bytes() < 1 << 20, "{}", connection.held_bytes());
    };
    push(PREFACE, &mut notes);
    for (number, block) in blocks.iter().enumerate() {
        let stream = 2 * number as u32 + 1;
        let block = [START, block].concat();
        let pieces: Vec<&[u8]> = block.chunks(piece).collect();
        for (at, part) in pieces.iter().enumerate() {
            let last = if at + 1 == pieces.len() { 4 } else { 0 };
            let (kind, end) = if at == 0 { (1, 1) } else { (9, 0) };
            push(&frame(kind, last | end, stream, part), &mut notes);
        }
    }
    connection.close(None, 0, &mut notes);
    notes.check_ended();
    notes
}

fuzz_target!(|input: &[u8]| {
    let blocks = blocks(input);
    let whole = play(&blocks, usize::MAX);
    let cut = play(&blocks, 7);
    assert_eq!(whole.0.len(), cut.0.len());
    for (one, other) in whole.0.values().zip(cut.0.values()) {
        assert_eq!(one.request, other.request);
        let head = one.request.as_ref().expect("a head");
        let size: usize = head.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        // Invalid UTF-8 becomes longer.
        assert!(size <= 3 * wire::limits().max_head, "{size}");
    }
});
