//! AWS event streams: any bytes, and messages with right checksums around any headers and payloads; the same however they are cut, with gaps.
#![no_main]

mod wire;

use agent_wire::{Connection, Direction};
use libfuzzer_sys::fuzz_target;
use wire::{Item, Notes};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";

fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or_default().to_be_bytes();
    let mut bytes = [number(16 + headers.len() + payload.len()), number(headers.len())].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(headers);
    bytes.extend_from_slice(payload);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

/// The input as operations: a byte that says what, a length, and so many bytes.
fn body(mut input: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let [what, length, rest @ ..] = input {
        let (bytes, after) = rest.split_at(usize::from(*length).min(rest.len()));
        input = after;
        match what % 8 {
            0 => body.extend_from_slice(bytes),
            1 => body.extend(message(bytes, b"")),
            2..=4 => body.extend(message(b"\x0b:event-type\x07\0\x01a", bytes)),
            _ => {
                let (headers, payload) = bytes.split_at(bytes.len() / 2);
                body.extend(message(headers, payload));
            }
        }
    }
    body
}

fuzz_target!(|input: &[u8]| {
    let (sizes, input) = wire::sizes(input);
    let body = body(input);
    let response = [HEAD, &body].concat();
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let whole = wire::exchange(request, &response, &[usize::MAX]);
    assert_eq!(wire::exchange(request, &response, &[1]), whole);
    assert_eq!(wire::exchange(request, &response, &sizes), whole);

    // With a gap: what comes is among what came without it, in the same order.
    let from = HEAD.len() + sizes[0].min(body.len());
    let lost = sizes.get(1).copied().unwrap_or_default().min(response.len() - from);
    let mut connection = Connection::new(wire::limits());
    let mut notes = Notes::default();
    connection.push(Direction::Egress, 0, 0, request, &mut notes);
    connection.push(Direction::Ingress, 0, 0, &response[..from], &mut notes);
    connection.push(Direction::Ingress, (from + lost) as u64, 0, &response[from + lost..], &mut notes);
    connection.close(None, 0, &mut notes);
    notes.check_ended();
    if whole.0[&0].response_items.iter().all(|item| matches!(item, Item::Message(..))) {
        let mut all = whole.0[&0].response_items.iter();
        for item in &notes.0[&0].response_items {
            assert!(matches!(item, Item::Gap(_)) || all.any(|other| other == item), "{item:?} is new");
        }
    }
});
