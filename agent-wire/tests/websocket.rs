//! Connections that switch to WebSocket.

#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
#[path = "common/frames.rs"]
#[expect(dead_code, reason = "only a few kinds of frames are needed here")]
mod frames;

use std::io::Write;

use agent_wire::{Connection, Direction, ExchangeEnd, Interest, Limits, Protocol, WsKind};
use common::{Feed, Item, Note, Notes, frame, ok, post};
use frames::{Encoder, PREFACE, data, settings};

const ASK: &str = "GET /v1/realtime?model=m HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n";
const MASK: Option<[u8; 4]> = Some([1, 22, 133, 244]);

fn text(text: &str) -> Item {
    Item::Frame(WsKind::Text, text.to_owned(), false)
}

fn close() -> Item {
    Item::Frame(WsKind::Close, String::new(), false)
}

/// What the client and the server say, in turns; the client begins.
fn talk(deflate: bool) -> (String, Vec<(bool, Vec<u8>)>) {
    let agreed = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let mut coders = [0, 1].map(|_| flate2::Compress::new(flate2::Compression::best(), false));
    let mut say = |server: bool, text: &str| {
        let mask = if server { None } else { MASK };
        if !deflate {
            return (server, frame(0x81, mask, text.as_bytes()));
        }
        let mut bytes = Vec::with_capacity(1000);
        let [client, own] = &mut coders;
        let coder = if server { own } else { client };
        coder.compress_vec(text.as_bytes(), &mut bytes, flate2::FlushCompress::Sync).unwrap();
        bytes.truncate(bytes.len() - 4);
        (server, frame(0xc1, mask, &bytes))
    };
    let turns = vec![
        say(true, "{\"type\":\"session.created\"}"),
        say(false, "{\"type\":\"response.create\"}"),
        (true, frame(0x89, None, b"p")),
        (false, frame(0x8a, MASK, b"p")),
        say(true, "{\"type\":\"response.created\"}"),
        say(true, "{\"type\":\"response.done\"}"),
        (false, frame(0x88, MASK, b"")),
        (true, frame(0x88, None, b"")),
    ];
    (format!("{SWITCH}{agreed}\r\n"), turns)
}

fn pong(kind: WsKind) -> Item {
    Item::Frame(kind, "p".to_owned(), false)
}

fn expected() -> (Vec<Item>, Vec<Item>) {
    let client = vec![text("{\"type\":\"response.create\"}"), pong(WsKind::Pong), close()];
    let server = vec![
        text("{\"type\":\"session.created\"}"),
        pong(WsKind::Ping),
        text("{\"type\":\"response.created\"}"),
        text("{\"type\":\"response.done\"}"),
        close(),
    ];
    (client, server)
}

#[test]
fn messages_of_both_sides_belong_to_the_exchange_that_switched() {
    for deflate in [false, true] {
        for client in [false, true] {
            for size in [1, 2, 3, 7, 50, 10_000] {
                let (switch, turns) = talk(deflate);
                let mut feed = Feed::new();
                feed.client = client;
                feed.request(post("{}")).response(ok("{}"));
                for (server, bytes) in
                    [(false, ASK.as_bytes().to_vec()), (true, switch.into_bytes())].into_iter().chain(turns)
                {
                    for piece in bytes.chunks(size) {
                        feed.send(server, piece);
                    }
                }
                let (requests, responses) = expected();
                assert_eq!(feed.notes.request_items(1), requests, "{deflate} {size}");
                assert_eq!(feed.notes.response_items(1), responses, "{deflate} {size}");
                // Both close messages end it; the connection may stay open.
                assert_eq!(feed.notes.end(1), &ExchangeEnd { upgraded: true, ..ExchangeEnd::default() });
                assert_eq!(feed.connection.protocol(), Protocol::Other);
                feed.request("more").response("and more").close();
                assert_eq!(feed.notes.per_exchange().len(), 2);
                for end in [feed.notes.request_end(1), feed.notes.response_end(1)] {
                    assert!(!end.truncated && end.undecodable.is_none() && end.lost_bytes == 0, "{end:?}");
                }
                let decoded: usize = [26, 1].iter().sum();
                assert_eq!(feed.notes.request_end(1).decoded_bytes, decoded as u64);
            }
        }
    }
}

#[test]
fn the_order_of_arrival_is_kept() {
    let (switch, turns) = talk(false);
    let mut feed = Feed::new();
    feed.request(ASK);
    assert!(!feed.notes.notes.iter().any(|note| matches!(note, Note::RequestEnd(..))), "it may still switch");
    feed.response(switch);
    assert_eq!(feed.connection.protocol(), Protocol::WebSocket);
    for (server, bytes) in turns {
        feed.send(server, bytes);
    }
    let kinds: Vec<&str> = feed
        .notes
        .notes
        .iter()
        .map(|note| match note {
            Note::Request(..) => "request",
            Note::RequestItem(..) => ">",
            Note::RequestEnd(..) => ">.",
            Note::Response(..) => "response",
            Note::ResponseItem(..) => "<",
            Note::ResponseEnd(..) => "<.",
            Note::End(..) => "end",
        })
        .collect();
    assert_eq!(kinds, ["request", "response", "<", ">", "<", ">", "<", "<", ">", ">.", "<", "<.", "end"]);
}

#[test]
fn an_answer_that_does_not_switch_is_a_plain_exchange() {
    for answer in [
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    ] {
        let mut feed = Feed::new();
        feed.request(ASK).response(answer).request(post("{\"a\":1}")).response(ok("{}")).close();
        assert_eq!(feed.notes.response_body(0), b"no");
        assert!(!feed.notes.request_end(0).truncated && !feed.notes.end(0).upgraded);
        assert_eq!(feed.notes.request_body(1), b"{\"a\":1}");
        assert_eq!(feed.notes.per_exchange().len(), 2);
        let place = |wanted: fn(&Note) -> bool| feed.notes.notes.iter().position(wanted).unwrap();
        assert!(
            place(|note| matches!(note, Note::RequestEnd(0, _)))
                < place(|note| matches!(note, Note::Response(0, _)))
        );
    }
    // Another protocol than WebSocket: the connection leaves.
    let mut feed = Feed::new();
    feed.request(ASK)
        .response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n")
        .response("bytes");
    assert!(feed.notes.end(0).upgraded && feed.notes.response_items(0).is_empty());
    assert_eq!(feed.connection.protocol(), Protocol::Other);
}

#[test]
fn requests_that_do_not_wait_for_the_answer() {
    let mut feed = Feed::new();
    feed.request(ASK).request(post("{\"a\":1}"));
    feed.response("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").response(ok("{}")).close();
    assert_eq!(feed.notes.request_body(1), b"{\"a\":1}");
    assert_eq!((feed.notes.response(0).status, feed.notes.response(1).status), (404, 200));
}

#[test]
fn messages_that_were_seen_before_the_answer() {
    let early = [frame(0x81, MASK, b"early"), frame(0x81, MASK, b"later")].concat();
    for cut in 0..early.len() {
        let mut feed = Feed::new();
        feed.request(ASK)
            .request(&early[..cut])
            .response(format!("{SWITCH}\r\n"))
            .request(&early[cut..])
            .close();
        assert_eq!(feed.notes.request_items(0), [text("early"), text("later")], "{cut}");
        assert!(!feed.notes.request_end(0).truncated);
    }
    // Too much of it is given up; the answer is read nevertheless.
    let mut feed = Feed::with(Limits { max_head: 500, ..Limits::default() });
    feed.request(ASK);
    for _ in 0..50 {
        feed.request(frame(0x81, MASK, b"0123456789012345678901234567890123456789"));
        assert!(feed.connection.held_bytes() < 5000);
    }
    feed.response(format!("{SWITCH}\r\n")).close();
    assert!(feed.notes.end(0).upgraded && feed.notes.request_items(0).is_empty());
}

#[test]
fn a_connection_that_just_ends() {
    for (tail, truncated) in
        [(&b""[..], false), (b"\x81\x05ab", true), (b"\x01\x02ab", true), (b"\x81", true)]
    {
        let mut feed = Feed::new();
        feed.request(ASK)
            .response(format!("{SWITCH}\r\n"))
            .response(frame(0x81, None, b"one"))
            .response(tail)
            .close();
        let end = feed.notes.response_end(0);
        assert_eq!((end.truncated, &end.undecodable), (truncated, &None), "{tail:?}");
        assert!(!feed.notes.request_end(0).truncated && feed.notes.end(0).upgraded);
        assert_eq!(feed.notes.response_items(0)[0], text("one"));
    }
}

#[test]
fn lost_bytes_are_told_and_cost_one_message_or_one_direction() {
    let mut feed = Feed::new();
    feed.request(ASK).response(format!("{SWITCH}\r\n"));
    feed.response(&frame(0x81, None, b"0123456789")[..5])
        .lose(true, 4)
        .response(&frame(0x81, None, b"0123456789")[9..]);
    feed.response(frame(0x81, None, b"whole"));
    let cut = Item::Frame(WsKind::Text, "012".to_owned(), true);
    assert_eq!(feed.notes.response_items(0), [Item::Gap(4), cut.clone(), text("whole")]);
    // Over the end of a frame.
    feed.response(&frame(0x81, None, b"0123456789")[..5])
        .lose(true, 8)
        .response(frame(0x81, None, b"unknown"));
    feed.request(frame(0x81, MASK, b"the other direction")).close();
    assert_eq!(feed.notes.response_items(0)[3..], [cut, Item::Gap(8)]);
    assert_eq!(feed.notes.request_items(0), [text("the other direction")]);
    let end = feed.notes.response_end(0);
    assert_eq!((end.lost_bytes, end.truncated), (12, true));
    assert!(end.undecodable.as_ref().is_some_and(|why| why.contains("8 bytes were lost")), "{end:?}");
    assert_eq!(feed.notes.request_end(0).undecodable, None);
    // While the answer is awaited: what was lost may have been anything.
    let mut feed = Feed::new();
    feed.request(ASK)
        .lose(false, 10)
        .request("x")
        .response(format!("{SWITCH}\r\n"))
        .response(frame(0x81, None, b"x"))
        .close();
    assert_eq!(feed.notes.response(0).status, 101);
    assert!(feed.notes.end(0).upgraded);
}

#[test]
fn what_is_not_wanted_is_counted_only() {
    let mut feed = Feed::new();
    feed.notes.interest = Interest::Skip;
    feed.request(ASK).response(format!("{SWITCH}\r\n")).response(frame(0x81, None, b"0123456789"));
    feed.request(frame(0x81, MASK, b"abc")).close();
    assert!(feed.notes.request_items(0).is_empty() && feed.notes.response_items(0).is_empty());
    assert_eq!(feed.notes.response_end(0).wire_bytes, SWITCH.len() as u64 + 2 + 12);
    assert_eq!(feed.notes.request_end(0).wire_bytes, ASK.len() as u64 + 9);
    let mut feed = Feed::new();
    feed.notes.skip_after = 2;
    feed.request(ASK).response(format!("{SWITCH}\r\n")).response(frame(0x81, None, b"1"));
    feed.request(frame(0x81, MASK, b"2"))
        .response(frame(0x81, None, b"3"))
        .request(frame(0x81, MASK, b"4"))
        .close();
    assert_eq!(feed.notes.response_items(0), [text("1")]);
    assert_eq!(feed.notes.request_items(0), [text("2")]);
    assert_eq!(feed.notes.response_end(0).wire_bytes, SWITCH.len() as u64 + 2 + 6);
}

/// A connection on whose stream 1 a session was asked for and answered with these fields.
fn on_a_stream(status: &str, fields: &[(&str, &str)]) -> (Feed, Encoder, Encoder) {
    let mut feed = Feed::new();
    let (mut client, mut server) = (Encoder::default(), Encoder::default());
    feed.request([PREFACE, &settings()].concat()).response(settings());
    let ask = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/v1/realtime"),
        (":authority", "a"),
    ];
    feed.request(client.headers(1, &ask, false));
    feed.response(server.headers(1, &[&[(":status", status)], fields].concat(), false));
    (feed, client, server)
}

#[test]
fn a_session_on_a_stream_of_http2() {
    for deflate in [false, true] {
        for size in [1, 3, 10_000] {
            let agreed = [("sec-websocket-extensions", "permessage-deflate")];
            let (mut feed, mut client, mut server) = on_a_stream("200", if deflate { &agreed } else { &[] });
            for (from_server, bytes) in talk(deflate).1 {
                for piece in bytes.chunks(size) {
                    feed.send(from_server, data(1, piece, false));
                }
            }
            let (requests, responses) = expected();
            assert_eq!(feed.notes.request_items(0), requests, "{deflate} {size}");
            assert_eq!(feed.notes.response_items(0), responses, "{deflate} {size}");
            assert_eq!(feed.notes.end(0), &ExchangeEnd { upgraded: true, ..ExchangeEnd::default() });
            // The stream ends after the session, and the connection goes on.
            feed.response(data(1, b"", true)).request(data(1, b"", true));
            feed.request([client.post(3, 2), data(3, b"{}", true)].concat());
            feed.response([server.ok(3, "application/json"), data(3, b"{\"a\":1}", true)].concat()).close();
            assert_eq!((feed.notes.exchanges(), feed.notes.response_body(1)), (2, b"{\"a\":1}".to_vec()));
            assert_eq!(feed.connection.protocol(), Protocol::Http2);
            for end in [feed.notes.request_end(0), feed.notes.response_end(0)] {
                assert!(!end.truncated && end.undecodable.is_none() && end.lost_bytes == 0, "{end:?}");
            }
            feed.notes.per_exchange();
        }
    }
}

#[test]
fn a_session_on_a_stream_that_just_ends_or_never_began() {
    let (mut feed, ..) = on_a_stream("200", &[]);
    feed.response(data(1, &frame(0x81, None, b"one"), false)).request(data(
        1,
        &frame(0x81, MASK, b"cut")[..7],
        false,
    ));
    feed.close();
    assert_eq!(feed.notes.response_items(0), [text("one")]);
    assert!(!feed.notes.response_end(0).truncated && feed.notes.request_end(0).truncated);
    assert!(feed.notes.end(0).upgraded);

    let (mut feed, ..) = on_a_stream("403", &[]);
    feed.response(data(1, b"no", true)).close();
    assert_eq!(feed.notes.response_body(0), b"no");
    assert!(!feed.notes.end(0).upgraded);

    // A loss inside the payload of a message.
    let (mut feed, ..) = on_a_stream("200", &[]);
    let whole = data(1, &frame(0x81, None, b"0123456789"), false);
    feed.response(&whole[..14]).lose(true, 3).response(&whole[17..]);
    feed.response(data(1, &frame(0x81, None, b"next"), false)).close();
    let cut = Item::Frame(WsKind::Text, "012".to_owned(), true);
    assert_eq!(feed.notes.response_items(0), [Item::Gap(3), cut, text("next")]);
    assert_eq!(feed.notes.response_end(0).lost_bytes, 3);

    // Whole frames of the connection are lost inside a long message: whose they were is not known, nor where the next message begins.
    let (mut feed, ..) = on_a_stream("200", &[]);
    let long = frame(0x81, None, &[b'x'; 120]);
    feed.response(data(1, &long[..50], false)).lose(true, 40);
    for _ in 0..3 {
        feed.response(data(1, &frame(0x81, None, b"{\"type\":1}"), false));
    }
    feed.close();
    let told: Vec<Item> =
        feed.notes.response_items(0).into_iter().filter(|item| !matches!(item, Item::Gap(_))).collect();
    assert_eq!(told, [Item::Frame(WsKind::Text, "x".repeat(48), true)]);
    assert!(feed.notes.response_end(0).undecodable.is_some());
}

#[test]
fn memory_stays_bounded_whatever_comes() {
    let limits = Limits { max_head: 4096, max_item: 1000, max_pending: 4, max_decoded: 100_000 };
    let agreed = format!("{SWITCH}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    let mut zeros = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    zeros.write_all(&[0; 100_000]).unwrap();
    let endless: [(&[u8], Vec<u8>); 5] = [
        (b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", vec![7; 100]),
        (b"", frame(0x02, None, b"fragment without end")),
        (b"\x02\x01a", frame(0x00, None, b"fragment without end")),
        (b"\xc2\x01\x00", frame(0xc2, None, &zeros.finish().unwrap())),
        (b"", frame(0x89, None, &[b'p'; 125])),
    ];
    for (start, repeated) in endless {
        let mut connection = Connection::new(limits);
        let mut notes = Notes::default();
        connection.push(Direction::Egress, 0, 0, ASK.as_bytes(), &mut notes);
        connection.push(Direction::Ingress, 0, 0, agreed.as_bytes(), &mut notes);
        let mut offset = agreed.len() as u64;
        for piece in std::iter::once(start.to_vec()).chain(std::iter::repeat_n(repeated, 5000)) {
            connection.push(Direction::Ingress, offset, 0, &piece, &mut notes);
            offset += piece.len() as u64;
            assert!(connection.held_bytes() < 60_000, "{start:?}: {}", connection.held_bytes());
        }
    }
}
