//! WebSocket: any bytes in both directions after the switch, with gaps; and without them, the same however they are cut.
#![no_main]

mod wire;

use agent_wire::{Connection, Direction};
use libfuzzer_sys::fuzz_target;
use wire::{Item, Notes};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
const EXTENSIONS: [&str; 4] = [
    "x",
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_no_context_takeover",
];

/// The input as operations: a byte that says what, a length, and so many bytes, as they are or as the payload of a frame.
fn operations(mut input: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut operations = Vec::new();
    while let [what, length, rest @ ..] = input {
        let length = usize::from(*length % 126);
        let (bytes, after) = rest.split_at(length.min(rest.len()));
        input = after;
        let length = bytes.len() as u8;
        let framed = match what >> 1 & 7 {
            0 => [&[0x81, length], bytes].concat(),
            1 => [&[0xc1, length], bytes].concat(),
            2 => [&[0x41, 0x80 | length, 0, 0, 0, 0], bytes].concat(),
            3 => [&[0x80, 0x80 | length, 0, 0, 0, 0], bytes].concat(),
            4 => [&[0x00, length], bytes].concat(),
            _ => bytes.to_vec(),
        };
        operations.push((*what, framed));
    }
    operations
}

fn direction(what: u8) -> Direction {
    if what & 1 == 0 { Direction::Egress } else { Direction::Ingress }
}

fn play(extensions: &str, operations: &[(u8, Vec<u8>)], size: usize, gaps: bool) -> Notes {
    let mut connection = Connection::new(wire::limits());
    let mut notes = Notes::default();
    let switch =
        format!("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n");
    connection.push(Direction::Egress, 0, 0, ASK, &mut notes);
    connection.push(Direction::Ingress, 0, 0, switch.as_bytes(), &mut notes);
    let mut offsets = [ASK.len() as u64, switch.len() as u64];
    for (what, bytes) in operations {
        let offset = &mut offsets[usize::from(what & 1)];
        if gaps && what & 0xf0 == 0x10 {
            *offset += bytes.len() as u64;
            continue;
        }
        for piece in bytes.chunks(size) {
            connection.push(direction(*what), *offset, 0, piece, &mut notes);
            *offset += piece.len() as u64;
            assert!(connection.held_bytes() < 200_000, "{}", connection.held_bytes());
        }
    }
    connection.close(None, 0, &mut notes);
    notes.check_ended();
    notes
}

fuzz_target!(|input: &[u8]| {
    let Some((extensions, input)) = input.split_first() else { return };
    let extensions = EXTENSIONS[usize::from(*extensions) % EXTENSIONS.len()];
    let operations = operations(input);
    let whole = play(extensions, &operations, usize::MAX, false);
    assert_eq!(play(extensions, &operations, 1, false), whole);
    assert_eq!(play(extensions, &operations, 3, false), whole);
    let told = &whole.0[&0];
    assert!(told.end.as_ref().expect("an end").upgraded);
    for item in told.request_items.iter().chain(&told.response_items) {
        let Item::Frame(_, data, truncated) = item else { panic!("{item:?}") };
        assert!(
            data.len() <= wire::limits().max_item && (!truncated || data.len() <= wire::limits().max_item)
        );
    }
    play(extensions, &operations, usize::MAX, true);
});
