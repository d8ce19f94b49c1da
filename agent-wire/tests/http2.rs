//! HTTP/2 connections, from the preface to the end.

mod common;
#[path = "common/frames.rs"]
mod frames;

use agent_wire::{Interest, Limits, Protocol, Role, Version};
use common::{Feed, Item};
use frames::{Encoder, PREFACE, data, frame, padded, settings, window};

/// A client's connection with both directions' encoders, after the preface.
struct Line {
    feed: Feed,
    client: Encoder,
    server: Encoder,
}

impl Line {
    fn new() -> Self {
        Self::with(Feed::new())
    }

    fn with(mut feed: Feed) -> Self {
        feed.request([PREFACE, &settings(), &window(0)].concat());
        feed.response([settings(), frame(4, 1, 0, &[])].concat()).request(frame(4, 1, 0, &[]));
        Self { feed, client: Encoder::default(), server: Encoder::default() }
    }

    /// A whole exchange on a stream.
    fn exchange(&mut self, stream: u32, body: &[u8], answer: &[u8]) {
        let head = self.client.post(stream, body.len());
        self.feed.request(head).request(data(stream, body, true));
        let head = self.server.ok(stream, "application/json");
        self.feed.response([head, data(stream, answer, true)].concat());
    }
}

#[test]
fn requests_and_responses() {
    let mut line = Line::new();
    assert_eq!(line.feed.connection.protocol(), Protocol::Http2);
    assert_eq!(line.feed.connection.role(), Some(Role::Client));
    line.exchange(1, b"{\"in\":1}", b"{\"out\":1}");
    line.exchange(3, b"{\"in\":2}", b"{\"out\":2}");
    let notes = &line.feed.notes;
    for (id, n) in [(0, 1), (1, 2)] {
        let request = notes.request(id);
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/chat"));
        assert_eq!((request.version, request.authority()), (Version::Http2, Some("api.example.com")));
        assert_eq!(request.headers.get("content-type"), Some("application/json"));
        assert_eq!(notes.request_body(id), format!("{{\"in\":{n}}}").into_bytes());
        assert_eq!(
            (notes.response(id).status, notes.response(id).headers.get("server")),
            (200, Some("test"))
        );
        assert_eq!(notes.response_body(id), format!("{{\"out\":{n}}}").into_bytes());
        let (request, response) = (notes.request_end(id), notes.response_end(id));
        assert!(!request.truncated && !response.truncated);
        assert_eq!((request.decoded_bytes, response.decoded_bytes), (8, 9));
        assert_eq!(*notes.end(id), agent_wire::ExchangeEnd::default());
    }
    // Head, body and two frame headers; the second head is shorter.
    assert_eq!(notes.response_end(0).wire_bytes, 9 + 9 + 9 + u64::try_from(1 + 18 + 13).unwrap());
    assert_eq!(notes.response_end(1).wire_bytes, 9 + 3 + 9 + 9);
    line.feed.close();
    line.feed.notes.per_exchange();
}

#[test]
fn a_server_is_seen_from_the_other_side() {
    let mut feed = Feed::new();
    feed.client = false;
    let mut line = Line::with(feed);
    line.exchange(1, b"{}", b"{}");
    assert_eq!(line.feed.connection.role(), Some(Role::Server));
    assert_eq!(line.feed.notes.response_body(0), b"{}");
}

#[test]
fn streams_interleave() {
    let mut line = Line::new();
    let numbers: Vec<u32> = (0..50).map(|n| 2 * n + 1).collect();
    for stream in &numbers {
        let head = line.client.post(*stream, 6);
        line.feed.request(head).request(data(*stream, b"{\"a\":", false));
    }
    for stream in numbers.iter().rev() {
        line.feed.request(data(*stream, b"1", false)).request(data(*stream, b"}", true));
        let head = line.server.ok(*stream, "text/event-stream");
        line.feed.response(head);
    }
    for turn in 0..3 {
        for stream in &numbers {
            line.feed.response(data(*stream, format!("data: {stream} {turn}\n\n").as_bytes(), turn == 2));
        }
    }
    for (id, stream) in numbers.iter().enumerate() {
        let id = id as u64;
        assert_eq!(line.feed.notes.request_body(id), b"{\"a\":1}");
        let events: Vec<String> = line
            .feed
            .notes
            .response_items(id)
            .into_iter()
            .filter_map(
                |item| if let Item::Event { data, .. } = item { String::from_utf8(data).ok() } else { None },
            )
            .collect();
        assert_eq!(events, [format!("{stream} 0"), format!("{stream} 1"), format!("{stream} 2")]);
    }
    assert_eq!(line.feed.notes.per_exchange().len(), 50);
    assert!(line.feed.connection.held_bytes() < 20_000, "{}", line.feed.connection.held_bytes());
}

#[test]
fn padding_priority_continuation_and_other_frames() {
    let mut line = Line::new();
    let fields = [(":method", "POST"), (":scheme", "https"), (":path", "/p"), ("x-long", &"y".repeat(300))];
    let head = line.client.cut_headers(1, &fields, false);
    line.feed.request(head).request(padded(1, b"in", 5, false)).request(frame(2, 0, 1, &[0, 0, 0, 0, 9]));
    line.feed.request(padded(1, b"", 0, true));
    line.feed.response(frame(0x42, 0xff, 77, b"a type that nobody knows")).response(frame(6, 0, 0, &[7; 8]));
    let head = line.server.cut_headers(1, &[(":status", "201"), ("server", "x")], false);
    line.feed.response(head).response(window(1)).response(data(1, b"", false));
    line.feed.response(padded(1, b"out", 255, true));
    let notes = &line.feed.notes;
    assert_eq!(
        (notes.request(0).path(), notes.request(0).headers.get("x-long").map(str::len)),
        ("/p", Some(300))
    );
    assert_eq!((notes.request_body(0), notes.response_body(0)), (b"in".to_vec(), b"out".to_vec()));
    assert_eq!(notes.response(0).status, 201);
    let head = 27 + 1 + 5 + 3 + 1 + 4 + 1 + 7 + 2;
    assert_eq!(notes.response_end(0).wire_bytes, head + 9 + (9 + 1 + 3 + 255));
    assert!(!notes.response_end(0).truncated);
    line.feed.close();
    line.feed.notes.per_exchange();
}

#[test]
fn interim_responses_trailers_and_responses_that_are_nothing_but_a_head() {
    let mut line = Line::new();
    let head = line.client.post(1, 2);
    line.feed.request(head);
    let early = line.server.headers(1, &[(":status", "103"), ("link", "x")], false);
    line.feed.response(line.server.headers(1, &[(":status", "100")], false)).response(early);
    line.feed.request(data(1, b"{}", false)).request(line.client.headers(1, &[("sum", "1")], true));
    let head = line.server.ok(1, "application/grpc");
    line.feed.response(head).response(data(1, b"\0\0\0\0\x02hi", false));
    line.feed.response(line.server.headers(1, &[("grpc-status", "0"), ("grpc-message", "")], true));
    assert_eq!(line.feed.notes.request_end(0).trailers.get("sum"), Some("1"));
    assert_eq!(line.feed.notes.response(0).status, 200);
    assert_eq!(line.feed.notes.response_end(0).trailers.get("grpc-status"), Some("0"));
    let head = line.client.post(3, 0);
    line.feed.request(head);
    let fields = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")];
    line.feed.response(line.server.headers(3, &fields, true));
    assert_eq!(line.feed.notes.response_end(1).trailers.get("grpc-status"), Some("12"));
    assert_eq!(line.feed.notes.response(1).headers.get("grpc-status"), Some("12"));
    assert_eq!(line.feed.notes.per_exchange().len(), 2);
}

#[test]
fn content_codings_are_undone() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"data: 1\n\ndata: 2\n\n").unwrap();
    let coded = encoder.finish().unwrap();
    let mut line = Line::new();
    let head = line.client.post(1, 0);
    line.feed.request(head);
    let fields = [(":status", "200"), ("content-type", "text/event-stream"), ("content-encoding", "gzip")];
    line.feed.response(line.server.headers(1, &fields, false));
    let (first, second) = coded.split_at(coded.len() / 2);
    line.feed.response(data(1, first, false)).response(data(1, second, true));
    assert_eq!(line.feed.notes.response_items(0).len(), 2);
    assert_eq!(line.feed.notes.response_end(0).undecodable, None);
}

#[test]
fn streams_that_are_given_up() {
    let mut line = Line::new();
    for stream in [1, 3, 5, 7] {
        let head = line.client.post(stream, 2);
        line.feed.request(head).request(data(stream, b"{}", true));
    }
    // Cancelled in the middle of the response; what was under way to the client still arrives.
    let head = line.server.ok(1, "text/event-stream");
    line.feed.response(head).response(data(1, b"data: 1\n\n", false)).request(frame(3, 0, 1, &[0, 0, 0, 8]));
    line.feed.response(data(1, b"data: 2\n\n", false));
    assert!(line.feed.notes.response_end(0).truncated && !line.feed.notes.end(0).no_response);
    // Refused, and not served because the server goes away.
    line.feed.response(frame(3, 0, 3, &[0, 0, 0, 7])).response(frame(
        7,
        0,
        0,
        &[0, 0, 0, 5, 0, 0, 0, 0, b'x'],
    ));
    assert!(line.feed.notes.end(1).no_response && line.feed.notes.end(3).no_response);
    let head = line.server.ok(5, "application/json");
    line.feed.response(head).response(data(5, b"{}", true));
    assert!(!line.feed.notes.response_end(2).truncated);
    assert_eq!(line.feed.notes.per_exchange().len(), 4, "nothing is made of what comes late");
}

#[test]
fn a_reset_after_the_whole_response_takes_nothing_from_it() {
    let mut line = Line::new();
    let head = line.client.post(1, 100);
    line.feed.request(head).request(data(1, b"{", false));
    let head = line.server.ok(1, "application/json");
    line.feed.response(head).response(data(1, b"{}", true)).response(frame(3, 0, 1, &[0; 4]));
    assert!(line.feed.notes.request_end(0).truncated && !line.feed.notes.response_end(0).truncated);
    assert_eq!(line.feed.notes.response_body(0), b"{}");
}

#[test]
fn a_close_cuts_what_is_under_way() {
    let mut line = Line::new();
    for stream in [1, 3] {
        let head = line.client.post(stream, 2);
        line.feed.request(head).request(data(stream, b"{}", true));
    }
    let head = line.server.ok(1, "application/json");
    line.feed.response(head).response(data(1, b"{", false)).half_close(true);
    assert!(line.feed.notes.response_end(0).truncated);
    assert!(line.feed.notes.end(1).no_response);
    line.feed.close();
    line.feed.notes.per_exchange();
}

#[test]
fn pushed_streams_are_read_past() {
    let mut line = Line::new();
    let head = line.client.post(1, 0);
    line.feed.request(head);
    let promise =
        [&[0, 0, 0, 2][..], &line.server.block(&[(":method", "GET"), (":path", "/pushed")])].concat();
    line.feed.response(frame(5, 4, 1, &promise));
    let head = line.server.headers(2, &[(":status", "200"), ("pushed", "yes")], false);
    line.feed.response(head).response(data(2, b"pushed", true));
    let head = line.server.headers(1, &[(":status", "200"), ("pushed", "yes")], false);
    line.feed.response(head).response(data(1, b"{}", true));
    assert_eq!(line.feed.notes.response(0).headers.get("pushed"), Some("yes"), "the table is kept right");
    assert_eq!(line.feed.notes.per_exchange().len(), 1);
}

#[test]
fn extended_connect_is_an_exchange() {
    let mut line = Line::new();
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "connect-ip"),
        (":scheme", "https"),
        (":path", "/v1/realtime?model=x"),
        (":authority", "a"),
    ];
    line.feed.request(line.client.headers(1, &fields, false));
    line.feed.response(line.server.headers(1, &[(":status", "200")], false));
    line.feed.request(data(1, b"\x01up", false)).response(data(1, b"\x02down", false));
    line.exchange(3, b"{}", b"{}");
    line.feed.response(data(1, b"more", true)).request(data(1, b"", true));
    let request = line.feed.notes.request(0);
    assert_eq!((request.method.as_str(), request.headers.get(":protocol")), ("CONNECT", Some("connect-ip")));
    assert_eq!(request.path(), "/v1/realtime");
    assert!(!line.feed.notes.end(0).upgraded && line.feed.connection.protocol() == Protocol::Http2);
    assert_eq!(line.feed.notes.response_end(0).wire_bytes, 9 + 1 + 2 * 9 + 9);
    line.feed.notes.per_exchange();
}

#[test]
fn an_upgrade_makes_the_request_stream_1() {
    let mut feed = Feed::new();
    feed.request("GET /old HTTP/1.1\r\nHost: a\r\n\r\n").response("HTTP/1.1 204 No Content\r\n\r\n");
    let head = "POST /v1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\
                Content-Length: 2\r\n\r\n{}";
    let mut server = Encoder::default();
    let answer = [settings(), server.ok(1, "application/json"), data(1, b"{\"a\":1}", true)].concat();
    feed.request(head);
    feed.response(
        [b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", &answer[..]]
            .concat(),
    );
    feed.request([PREFACE, &settings()].concat());
    assert_eq!((feed.notes.response(1).status, feed.notes.response(1).version), (200, Version::Http2));
    assert_eq!(
        (feed.notes.request_body(1), feed.notes.response_body(1)),
        (b"{}".to_vec(), b"{\"a\":1}".to_vec())
    );
    assert!(!feed.notes.end(1).upgraded);
    let mut client = Encoder::default();
    feed.request(client.post(3, 0)).response(server.ok(3, "application/json")).response(data(3, b"{}", true));
    assert_eq!(feed.notes.request(2).path(), "/v1/chat");
    assert_eq!(feed.notes.per_exchange().len(), 3);
    assert_eq!(feed.connection.protocol(), Protocol::Http2);
}

#[test]
fn unwanted_streams_are_counted_and_not_decoded() {
    let mut line = Line::new();
    line.feed.notes.interest = Interest::Skip;
    line.exchange(1, b"{\"in\":1}", b"{\"out\":1}");
    assert_eq!(
        (line.feed.notes.request_end(0).decoded_bytes, line.feed.notes.response_end(0).decoded_bytes),
        (0, 0)
    );
    assert_eq!(line.feed.notes.response_end(0).wire_bytes, 9 + 32 + 9 + 9);
    assert_eq!(line.feed.connection.unwanted_bytes(), 17);
    // One stream's interest says nothing of another's.
    line.feed.notes.interest = Interest::Full;
    line.exchange(3, b"{\"in\":1}", b"{\"out\":1}");
    assert_eq!(line.feed.notes.response_body(1), b"{\"out\":1}");
    assert_eq!(line.feed.connection.unwanted_bytes(), 17);
    line.feed.notes.skip_after = 1;
    line.exchange(5, b"{\"in\":1}", b"{\"out\":1}");
    assert_eq!(
        (line.feed.notes.request_body(2), line.feed.notes.response_body(2)),
        (b"{\"in\":1}".to_vec(), Vec::new())
    );
}

#[test]
fn the_number_of_streams_is_bounded() {
    let mut line = Line::with(Feed::with(Limits { max_pending: 3, ..Limits::default() }));
    for n in 0..10 {
        let head = line.client.post(2 * n + 1, 2);
        line.feed.request(head);
    }
    let ended = (0..10).filter(|id| {
        line.feed.notes.notes.iter().any(|note| matches!(note, common::Note::End(of, _) if of == id))
    });
    assert_eq!(ended.count(), 7);
    line.exchange(21, b"{}", b"{}");
    line.feed.close();
    line.feed.notes.per_exchange();
}

#[test]
fn frames_of_the_server_may_come_before_the_preface() {
    let mut feed = Feed::new();
    feed.response(settings());
    assert_eq!((feed.connection.protocol(), feed.connection.role()), (Protocol::Http2, None));
    feed.request(&PREFACE[..20]).request([&PREFACE[20..], &settings()].concat());
    let (mut client, mut server) = (Encoder::default(), Encoder::default());
    feed.request(client.post(1, 0)).response(server.ok(1, "a/b")).response(data(1, b"x", true));
    assert_eq!(feed.notes.response_body(0), b"x");
    assert_eq!(feed.connection.role(), Some(Role::Client));
}
