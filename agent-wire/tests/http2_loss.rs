//! HTTP/2 with lost bytes, and captures that begin in the middle.

mod common;
#[expect(dead_code, reason = "some of it is for the other files")]
#[path = "common/frames.rs"]
mod frames;

use agent_wire::{Protocol, Role};
use common::{Feed, Item, Note};
use frames::{Encoder, PREFACE, data, frame, settings, window};
use proptest::prelude::*;

/// A client's connection with both directions' encoders.
struct Line {
    feed: Feed,
    client: Encoder,
    server: Encoder,
}

impl Line {
    fn new() -> Self {
        let mut line = Self::joined();
        line.feed.request([PREFACE, &settings()].concat()).response(settings());
        line
    }

    /// Nothing was captured so far.
    fn joined() -> Self {
        Self { feed: Feed::new(), client: Encoder::default(), server: Encoder::default() }
    }

    fn ask(&mut self, stream: u32, body: &[u8]) {
        let head = self.client.post(stream, body.len());
        self.feed.request(head).request(data(stream, body, true));
    }

    fn answer(&mut self, stream: u32, body: &[u8]) {
        let head = self.server.ok(stream, "application/json");
        self.feed.response([head, data(stream, body, true)].concat());
    }

    fn clean_exchange_follows(&mut self, stream: u32) {
        let next = self.feed.notes.exchanges() as u64;
        self.ask(stream, b"{\"clean\":true}");
        self.answer(stream, b"{\"yes\":1}");
        let notes = &self.feed.notes;
        assert_eq!(notes.request_body(next), b"{\"clean\":true}");
        assert_eq!(notes.response_body(next), b"{\"yes\":1}");
        let (request, response) = (notes.request_end(next), notes.response_end(next));
        assert!(!request.truncated && !response.truncated && request.lost_bytes + response.lost_bytes == 0);
        assert!(!notes.end(next).attached_mid_stream);
        self.feed.close();
        self.feed.notes.per_exchange();
    }
}

/// Sends all but the bytes from `from` to `until`.
fn sends(feed: &mut Feed, response: bool, bytes: &[u8], from: usize, until: usize) {
    let (before, rest) = bytes.split_at(from);
    let (lost, after) = rest.split_at(until - from);
    feed.send(response, before).lose(response, lost.len() as u64).send(response, after);
}

#[test]
fn a_gap_inside_data_belongs_to_its_stream() {
    let mut line = Line::new();
    line.ask(1, b"{}");
    line.ask(3, b"{}");
    let heads = [line.server.ok(1, "text/plain"), line.server.ok(3, "text/plain")].concat();
    let bodies = [data(3, b"other", false), data(1, b"0123456789", true), data(3, b"rest", true)].concat();
    line.feed.response(heads);
    let at = 9 + 5 + 9 + 2;
    sends(&mut line.feed, true, &bodies, at, at + 5);
    let notes = &line.feed.notes;
    assert_eq!(
        notes.response_items(0),
        [Item::Data(b"01".to_vec()), Item::Gap(5), Item::Data(b"789".to_vec())]
    );
    assert_eq!((notes.response_end(0).lost_bytes, notes.response_end(0).truncated), (5, false));
    assert_eq!((notes.response_body(1), notes.response_end(1).lost_bytes), (b"otherrest".to_vec(), 0));
    assert_eq!(line.feed.connection.gaps(), 5);
    line.clean_exchange_follows(5);
}

#[test]
fn a_gap_to_the_end_of_the_last_data_ends_the_message() {
    let mut line = Line::new();
    line.ask(1, b"{}");
    let head = line.server.ok(1, "text/plain");
    let body = data(1, b"0123456789", true);
    line.feed.response(head);
    sends(&mut line.feed, true, &[&body[..], &settings()].concat(), 12, body.len());
    assert_eq!(
        (line.feed.notes.response_end(0).lost_bytes, line.feed.notes.response_end(0).truncated),
        (7, false)
    );
    line.clean_exchange_follows(3);
}

#[test]
fn a_gap_inside_a_header_block_keeps_what_came_before_and_trusts_nothing_older() {
    let mut line = Line::new();
    line.ask(1, b"{}");
    line.answer(1, b"{}");
    let head = line.client.post(3, 2);
    // Method and scheme, then the authority and what follows it is lost.
    sends(&mut line.feed, false, &head, 9 + 3, head.len() - 4);
    line.feed.request(data(3, b"{}", true));
    line.answer(3, b"{}");
    let notes = &line.feed.notes;
    assert_eq!((notes.request(1).method.as_str(), notes.request(1).target.as_str()), ("POST", ""));
    assert_eq!(notes.request_end(1).lost_bytes, (head.len() - 4 - 12) as u64);
    assert_eq!((notes.request_body(1), notes.response_body(1)), (b"{}".to_vec(), b"{}".to_vec()));
    // Everything that refers to the table is unknown, the rest is not.
    line.ask(5, b"{}");
    let request = line.feed.notes.request(2);
    assert_eq!((request.method.as_str(), request.target.as_str(), request.authority()), ("POST", "", None));
    assert_eq!(request.headers.get("content-length"), Some("2"));
    // What is added from now on is known again.
    let fields = [(":method", "POST"), (":scheme", "https"), (":path", "/new"), ("a", "b")];
    for stream in [7, 9] {
        line.feed.request(line.client.headers(stream, &fields, true));
    }
    assert_eq!(
        (line.feed.notes.request(4).path(), line.feed.notes.request(4).headers.get("a")),
        ("/new", Some("b"))
    );
    line.clean_exchange_follows(11);
}

#[test]
fn frames_are_found_again_after_a_loss_over_their_borders() {
    let mut line = Line::new();
    line.ask(1, b"{}");
    line.ask(3, b"{}");
    let heads = [line.server.ok(1, "text/event-stream"), line.server.ok(3, "text/event-stream")].concat();
    line.feed.response(heads);
    let events: Vec<Vec<u8>> =
        (0..8).map(|n| data(1 + 2 * (n % 2), format!("data: {n}\n\n").as_bytes(), n >= 6)).collect();
    let all = events.concat();
    let size = events[0].len();
    // From the middle of the second to the middle of the fourth.
    sends(&mut line.feed, true, &all, size + 3, 3 * size + 12);
    let lost = (2 * size + 9 + (size - 12) + 3) as u64;
    for id in [0, 1] {
        let items = line.feed.notes.response_items(id);
        let gaps: Vec<&Item> = items.iter().filter(|item| matches!(item, Item::Gap(_))).collect();
        assert_eq!(gaps.len(), 1, "{items:?}");
        let end = line.feed.notes.response_end(id);
        assert!(!end.truncated && end.lost_bytes > 0 && end.lost_bytes <= lost, "{end:?} {lost}");
    }
    let last = line.feed.notes.response_items(1);
    assert!(matches!(last.last(), Some(Item::Event { data, .. }) if data == b"7"), "{last:?}");
    line.clean_exchange_follows(5);
}

#[test]
fn a_loss_counts_no_more_than_a_message_still_expects() {
    let mut line = Line::new();
    for stream in [1, 3, 5] {
        line.ask(stream, b"{}");
        let fields = [(":status", "200"), ("content-length", "4"), ("content-type", "text/plain")];
        line.feed.response(line.server.headers(stream, &fields, false));
    }
    let bodies = [data(1, b"abcd", false), data(3, b"ab", false), data(5, b"a", false)].concat();
    line.feed.response(bodies).lose(true, 1000);
    line.feed.response([data(5, b"d", true), window(0), window(0)].concat());
    // Nothing of the first can be missing but its end.
    assert_eq!(
        (line.feed.notes.response_end(0).lost_bytes, line.feed.notes.response_end(0).truncated),
        (0, false)
    );
    assert_eq!(
        (line.feed.notes.response_end(1).lost_bytes, line.feed.notes.response_end(1).truncated),
        (2, false)
    );
    assert_eq!(
        (line.feed.notes.response_end(2).lost_bytes, line.feed.notes.response_end(2).truncated),
        (3, false)
    );
    line.clean_exchange_follows(7);
}

#[test]
fn a_lost_request_leaves_its_response() {
    let mut line = Line::new();
    line.ask(1, b"{}");
    line.answer(1, b"{}");
    let head = line.client.post(3, 2);
    line.feed.lose(false, head.len() as u64 + 11);
    line.feed.request([window(0), window(3)].concat());
    line.answer(3, b"{\"a\":1}");
    assert_eq!(line.feed.notes.request(1).method, "");
    assert!(line.feed.notes.end(1).attached_mid_stream);
    assert_eq!(line.feed.notes.response_body(1), b"{\"a\":1}");
    line.clean_exchange_follows(5);
}

#[test]
fn a_lost_head_leaves_its_body() {
    let mut line = Line::new();
    line.ask(1, b"{}");
    let head = line.server.ok(1, "application/json");
    line.feed.lose(true, head.len() as u64);
    line.feed.response([data(1, b"{\"a\":", false), data(1, b"1}", false), data(1, b"", true)].concat());
    assert_eq!(line.feed.notes.response(0).status, 0, "unknown");
    assert_eq!(line.feed.notes.response_body(0), b"{\"a\":1}");
    assert!(!line.feed.notes.response_end(0).truncated);
    line.clean_exchange_follows(3);
}

#[test]
fn the_end_of_a_request_that_was_lost_is_not_waited_for() {
    let mut line = Line::new();
    let head = line.client.headers(1, &[(":method", "POST"), (":scheme", "https"), (":path", "/x")], false);
    line.feed.request(head).request(data(1, b"{\"a\":", false));
    line.feed.lose(false, 11 + 9).request([window(0), window(0)].concat());
    line.answer(1, b"{}");
    assert!(line.feed.notes.request_end(0).truncated && line.feed.notes.request_end(0).lost_bytes > 0);
    assert!(!line.feed.notes.end(0).no_response);
    line.clean_exchange_follows(3);
}

#[test]
fn a_connection_in_progress_is_joined() {
    for client in [true, false] {
        let mut line = Line::joined();
        line.feed.client = client;
        // What came before the capture only changed the tables.
        line.client.post(1, 2);
        line.server.ok(1, "application/json");
        line.ask(3, b"{\"model\":\"m\"}");
        assert_eq!(line.feed.connection.protocol(), Protocol::Http2);
        assert_eq!(line.feed.connection.role(), Some(if client { Role::Client } else { Role::Server }));
        let request = line.feed.notes.request(0);
        assert_eq!(
            (request.method.as_str(), request.target.as_str(), request.authority()),
            ("POST", "", None)
        );
        assert_eq!(request.headers.get("content-length"), Some("13"), "a literal");
        line.answer(3, b"{\"out\":1}");
        assert_eq!((line.feed.notes.response(0).status, line.feed.notes.response(0).headers.len()), (200, 0));
        assert_eq!(line.feed.notes.response_body(0), b"{\"out\":1}");
        assert!(!line.feed.notes.end(0).attached_mid_stream, "its beginning was seen");
        line.clean_exchange_follows(5);
    }
}

#[test]
fn a_stream_under_way_is_joined() {
    let mut line = Line::joined();
    line.client.post(1, 2);
    line.server.ok(1, "text/event-stream");
    // The rest of a frame, then events of a response that began before; then a request that tells who is who.
    let middle = [b"a: half\n\n".to_vec(), data(1, b"data: 1\n\n", false)].concat();
    line.feed.response(&middle[..5]).response(&middle[5..]).request(window(1)).request(window(0));
    line.feed.response([data(1, b"data: 2\n\n", false), data(1, b"data: 3\n\n", false)].concat());
    assert_eq!(line.feed.connection.protocol(), Protocol::Http2);
    line.ask(3, b"{}");
    line.feed.response(data(1, b"data: 4\n\n", true));
    let attached = line
        .feed
        .notes
        .per_exchange_so_far()
        .into_iter()
        .find(|(_, end)| end.as_ref().is_some_and(|end| end.attached_mid_stream))
        .map(|(id, _)| id)
        .unwrap();
    assert_eq!(
        (line.feed.notes.request(attached).method.as_str(), line.feed.notes.response(attached).status),
        ("", 0)
    );
    let items = line.feed.notes.response_items(attached);
    assert!(matches!(items.last(), Some(Item::Event { data, .. }) if data == b"4"), "{items:?}");
    line.answer(3, b"{}");
    line.clean_exchange_follows(5);
}

#[test]
fn a_coded_body_under_an_unknown_head_is_recognised() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"data: 1\n\n").unwrap();
    let coded = encoder.finish().unwrap();
    let mut line = Line::joined();
    let fields = [(":status", "200"), ("content-type", "text/event-stream"), ("content-encoding", "gzip")];
    line.server.block(&fields);
    for (stream, body) in [(1, coded.as_slice()), (3, b"data: 1\n\n"), (5, b"{\"a\":1}")] {
        line.ask(stream, b"{}");
        line.feed.response(line.server.headers(stream, &fields, false)).response(data(stream, body, true));
    }
    for id in [0, 1] {
        let items = line.feed.notes.response_items(id);
        assert!(matches!(items.as_slice(), [Item::Event { data, .. }] if data == b"1"), "{items:?}");
    }
    assert_eq!(line.feed.notes.response_body(2), b"{\"a\":1}");
    assert_eq!(line.feed.notes.response_end(2).undecodable, None);
}

#[test]
fn what_only_begins_like_frames_is_given_up() {
    let mut feed = Feed::new();
    feed.request([frame(4, 0, 0, &[]), vec![b'x'; 100]].concat());
    assert_eq!(feed.connection.protocol(), Protocol::Http2);
    for _ in 0..10 {
        feed.request(vec![b'x'; 10_000]);
    }
    assert_eq!((feed.connection.protocol(), feed.notes.exchanges()), (Protocol::Other, 0));
    feed.close();
}

proptest! {
    #[test]
    fn after_any_gap_a_clean_exchange_is_whole_and_nothing_is_wrong(
        cuts in proptest::collection::vec((1..90_usize, proptest::bool::weighted(0.12)), 0..80),
        joined: bool,
    ) {
        let mut line = if joined { Line::joined() } else { Line::new() };
        let mut cuts = cuts.into_iter();
        for n in 0..12_u32 {
            let stream = 2 * n + 1;
            let number = n.to_string();
            let body = format!("{{\"number\":{n}}}");
            let asks = [
                line.client.headers(stream, &[(":method", "POST"), (":scheme", "https"), (":path", &format!("/{n}")), ("x-number", &number), ("constant", "same")], false),
                data(stream, body.as_bytes(), true),
            ].concat();
            let answers = [
                line.server.headers(stream, &[(":status", "200"), ("x-number", &number), ("constant", "same")], false),
                data(stream, &body.as_bytes()[..4], false),
                window(0),
                data(stream, &body.as_bytes()[4..], true),
            ].concat();
            for (response, bytes) in [(false, asks), (true, answers)] {
                let mut bytes = bytes.as_slice();
                while !bytes.is_empty() {
                    let (size, lost) = cuts.next().unwrap_or((usize::MAX, false));
                    let (piece, rest) = bytes.split_at(size.min(bytes.len()));
                    bytes = rest;
                    if lost { line.feed.lose(response, piece.len() as u64); } else { line.feed.send(response, piece); }
                }
            }
        }
        // Frames enough to find the place again, even when something in front of them looks like a long frame.
        line.feed.request(window(0).repeat(1_500)).response(window(0).repeat(1_500));
        for told in line.feed.notes.notes.iter().filter(|note| matches!(note, Note::Request(..) | Note::Response(..))) {
            let (id, headers) = match told {
                Note::Request(id, head) => (id, &head.headers),
                Note::Response(id, head) => (id, &head.headers),
                _ => continue,
            };
            // A field is right or unknown.
            prop_assert!(headers.get("constant").is_none_or(|value| value == "same"));
            let target = line.feed.notes.request(*id).target.clone();
            if let (Some(number), false) = (headers.get("x-number"), target.is_empty()) {
                prop_assert_eq!(format!("/{number}"), target);
            }
        }
        let next = line.feed.notes.exchanges() as u64;
        line.ask(101, b"{\"clean\":true}");
        line.answer(101, b"{\"yes\":1}");
        line.feed.close();
        line.feed.notes.per_exchange();
        prop_assert_eq!(line.feed.notes.request_body(next), b"{\"clean\":true}");
        prop_assert_eq!(line.feed.notes.response_body(next), b"{\"yes\":1}");
        let (request, response) = (line.feed.notes.request_end(next), line.feed.notes.response_end(next));
        prop_assert!(!request.truncated && !response.truncated && request.lost_bytes + response.lost_bytes == 0);
    }
}
