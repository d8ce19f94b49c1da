//! HTTP/2: the same bytes give the same exchanges however they are cut, and nothing does harm.

#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
#[path = "common/frames.rs"]
mod frames;

use std::io::Write;

use agent_wire::{Connection, Direction, Limits};
use common::{Feed, Notes, Told};
use frames::{Encoder, PREFACE, data, frame, padded, settings, window};
use proptest::prelude::*;

/// What is sent, in order; true: by the server.
type Script = Vec<(bool, Vec<u8>)>;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A conversation with some of everything.
fn script() -> Script {
    let (mut client, mut server) = (Encoder::default(), Encoder::default());
    let mut all: Script = vec![
        (false, [PREFACE, &settings(), &window(0)].concat()),
        (true, [settings(), frame(4, 1, 0, &[])].concat()),
    ];
    for stream in [1, 3, 5] {
        all.push((false, client.post(stream, 16)));
        all.push((false, padded(stream, b"{\"stream\"", 7, false)));
    }
    let fields = [(":method", "POST"), (":scheme", "https"), (":path", "/cut"), ("x", &"long".repeat(90))];
    all.push((false, client.cut_headers(7, &fields, false)));
    let lines = gzip(b"{\"a\":1}\n{\"b\":2}\n");
    let (lines, more_lines) = lines.split_at(9);
    let coded = [(":status", "200"), ("content-type", "application/x-ndjson"), ("content-encoding", "gzip")];
    all.push((true, server.cut_headers(3, &coded, false)));
    all.push((true, data(3, lines, false)));
    for stream in [5, 3, 1] {
        all.push((false, [data(stream, b":true ", false), data(stream, b"}", true)].concat()));
    }
    all.push((true, data(3, more_lines, true)));
    all.push((true, server.headers(1, &[(":status", "100")], false)));
    for stream in [1, 5] {
        all.push((true, server.ok(stream, "text/event-stream")));
    }
    for n in 0..4 {
        for stream in [5, 1] {
            all.push((true, data(stream, format!("data: {stream} {n}\r\n\r\n").as_bytes(), false)));
            all.push((false, window(stream)));
        }
        all.push((true, frame(6, 0, 0, &[n; 8])));
    }
    all.push((true, server.headers(5, &[("sum", "1")], true)));
    all.push((false, frame(3, 0, 1, &[0, 0, 0, 8])));
    all.push((false, client.headers(7, &[("checked", "yes")], true)));
    all.push((true, server.headers(7, &[(":status", "404"), ("content-type", "application/grpc")], true)));
    all.push((true, frame(7, 0, 0, &[0, 0, 0, 7, 0, 0, 0, 0])));
    all
}

fn play(script: &Script, client: bool, mut cut: impl FnMut(usize) -> usize) -> Vec<Told> {
    let mut feed = Feed::new();
    feed.client = client;
    for (response, bytes) in script {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
            feed.send(*response, piece);
            rest = after;
        }
    }
    feed.close();
    feed.notes.per_exchange()
}

#[test]
fn every_boundary_gives_the_same() {
    let script = script();
    let whole = play(&script, true, |length| length);
    assert_eq!(whole.len(), 4);
    for size in 1..40 {
        assert_eq!(play(&script, size % 2 == 0, |_| size), whole, "pieces of {size}");
    }
    // Frames that are not cut where they were written.
    let mut joined: Script = Vec::new();
    for (response, bytes) in &script {
        match joined.last_mut() {
            Some((last, all)) if last == response => all.extend_from_slice(bytes),
            _ => joined.push((*response, bytes.clone())),
        }
    }
    for size in 1..60 {
        assert_eq!(play(&joined, true, |_| size), whole, "joined, in pieces of {size}");
    }
}

/// Bytes that often look like something.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let (mut client, mut server) = (Encoder::default(), Encoder::default());
    let words: Vec<Vec<u8>> = vec![
        PREFACE.to_vec(),
        settings(),
        frame(4, 1, 0, &[]),
        client.post(1, 5),
        client.post(3, 5),
        client.headers(5, &[(":method", "GET"), (":path", "/x")], true),
        server.ok(1, "text/event-stream"),
        server.ok(3, "application/json"),
        server.headers(5, &[(":status", "204")], true),
        server.headers(1, &[("trailer", "x")], true),
        client.cut_headers(9, &[(":method", "POST"), (":path", "/y")], false),
        frame(1, 0, 3, &[0x83]),
        frame(9, 4, 3, &[0x87]),
        frame(1, 4, 7, &[0x83, 0xff, 0x00]),
        data(1, b"data: x\n\n", false),
        data(3, b"{\"a\":1}", true),
        padded(1, b"abc", 4, false),
        frame(0, 9, 1, &[200, 1]),
        frame(3, 0, 1, &[0, 0, 0, 8]),
        frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
        frame(5, 4, 1, &[0, 0, 0, 2, 0x82]),
        frame(6, 0, 0, &[1; 8]),
        window(0),
        vec![0; 9],
        vec![0, 0, 200, 0, 0, 0, 0, 0, 1],
        b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n".to_vec(),
    ];
    let word = prop_oneof![
        8 => proptest::sample::select(words),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

fn small() -> Limits {
    Limits { max_head: 512, max_item: 200, max_pending: 3, max_decoded: 10_000 }
}

proptest! {
    #[test]
    fn random_cuts_give_the_same(sizes in proptest::collection::vec(1..200_usize, 1..50), client: bool) {
        let script = script();
        let whole = play(&script, true, |length| length);
        let mut sizes = sizes.into_iter().cycle();
        prop_assert_eq!(play(&script, client, |_| sizes.next().unwrap()), whole);
    }

    #[test]
    fn garbage_does_no_harm(
        preface: bool,
        pieces in proptest::collection::vec((any::<bool>(), fragments(), 0..4_u64, 0..40_u8), 0..30),
    ) {
        let mut connection = Connection::new(small());
        let mut notes = Notes::default();
        let mut offsets = [0, 0];
        let start = if preface { PREFACE } else { b"" };
        connection.push(Direction::Egress, 0, 1, start, &mut notes);
        offsets[1] += start.len() as u64;
        for (egress, bytes, gap, other) in pieces {
            let direction = if egress { Direction::Egress } else { Direction::Ingress };
            let offset = &mut offsets[usize::from(egress)];
            if gap == 3 { *offset += u64::from(other); }
            if other == 39 { connection.half_close(direction, 1, &mut notes); }
            connection.push(direction, *offset, 1, &bytes, &mut notes);
            *offset += bytes.len() as u64;
            prop_assert!(connection.held_bytes() < 300_000, "{}", connection.held_bytes());
        }
        connection.close(Some((offsets[1] + 3, offsets[0])), 2, &mut notes);
        notes.per_exchange();
    }

    #[test]
    fn garbage_cut_anywhere_gives_the_same(
        pieces in proptest::collection::vec((any::<bool>(), fragments()), 0..12),
        size in 1..30_usize,
    ) {
        // The order of the two directions is kept, so neighbours of one direction are joined first.
        let mut script: Script = vec![(false, [PREFACE, &settings()].concat())];
        for (response, bytes) in pieces {
            match script.last_mut() {
                Some((last, all)) if *last == response => all.extend_from_slice(&bytes),
                _ => script.push((response, bytes)),
            }
        }
        let whole = play(&script, true, |length| length);
        prop_assert_eq!(play(&script, true, |_| size), whole);
    }
}

#[test]
fn memory_stays_bounded_whatever_comes() {
    let endless: [Vec<u8>; 6] = [
        // A header block that never ends.
        [frame(1, 0, 1, &[0x83, 0x87]), frame(9, 0, 1, &[0x82; 1000]).repeat(3)].concat(),
        // New streams without end.
        frame(1, 4, 1, &[0x83, 0x87, 0x84]),
        // Table entries without end.
        frame(
            1,
            4,
            1,
            &[&[0x83, 0x87, 0x3f, 0xe1, 0xff, 0x03][..], &[0x40, 1, b'a', 1, b'b'].repeat(100)].concat(),
        ),
        // No frames.
        vec![b'x'; 5000],
        vec![0; 5000],
        // DATA that nobody asked for.
        data(1, &[b' '; 9000], false),
    ];
    for (place, repeated) in endless.iter().enumerate() {
        let mut connection = Connection::new(small());
        let mut notes = Notes::default();
        let mut offset = 0;
        let mut number = 1_u32;
        let mut send = |connection: &mut Connection, bytes: &[u8], notes: &mut Notes| {
            connection.push(Direction::Egress, offset, 1, bytes, notes);
            offset += bytes.len() as u64;
            notes.notes.clear();
        };
        send(&mut connection, &[PREFACE, &settings()].concat(), &mut notes);
        for _ in 0..2_000 {
            let mut bytes = repeated.clone();
            if place == 1 || place == 2 {
                bytes[5..9].copy_from_slice(&number.to_be_bytes());
                number += 2;
            }
            send(&mut connection, &bytes, &mut notes);
            assert!(connection.held_bytes() < 400_000, "{place}: {}", connection.held_bytes());
        }
    }
}
