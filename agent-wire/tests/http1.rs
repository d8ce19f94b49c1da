//! HTTP/1.x conversations without any loss.

mod common;

use agent_wire::{Direction, Interest, Limits, Protocol, Role};
use common::{Feed, Item, chunks, ok, post};

#[test]
fn keep_alive_exchanges_complete_one_by_one() {
    let mut feed = Feed::new();
    for n in 0..3_u64 {
        feed.request(post("{\"a\":1}")).response(ok("{}"));
        assert_eq!(feed.notes.request(n).target, "/v1/chat");
        assert_eq!(feed.notes.request_body(n), b"{\"a\":1}");
        assert_eq!(
            (feed.notes.response(n).status, feed.notes.response_body(n).as_slice()),
            (200, &b"{}"[..])
        );
        let end = feed.notes.request_end(n);
        assert_eq!(
            (end.wire_bytes, end.decoded_bytes, end.truncated),
            (post("{\"a\":1}").len() as u64, 7, false)
        );
        assert!(!feed.notes.end(n).no_response && !feed.notes.end(n).attached_mid_stream);
    }
    assert_eq!((feed.connection.role(), feed.connection.protocol()), (Some(Role::Client), Protocol::Http1));
    assert_eq!(feed.connection.gaps(), 0);
    feed.close();
    assert_eq!(feed.notes.per_exchange().len(), 3);
}

#[test]
fn the_role_is_found_from_the_bytes() {
    let mut feed = Feed::new();
    feed.client = false;
    feed.request(post("x")).response(ok("y"));
    assert_eq!(feed.connection.role(), Some(Role::Server));
    assert_eq!(feed.notes.response_body(0), b"y");
}

#[test]
fn pipelined_responses_belong_to_their_requests() {
    let mut feed = Feed::new();
    feed.request([post("1"), "HEAD /h HTTP/1.1\r\n\r\n".into(), post("3")].concat());
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    feed.response([&ok("one"), head, &ok("three")].concat()).close();
    assert_eq!(feed.notes.response_body(0), b"one");
    assert_eq!((feed.notes.response_body(1).len(), feed.notes.response_end(1).truncated), (0, false));
    assert_eq!(feed.notes.response_body(2), b"three");
    assert_eq!(feed.notes.per_exchange().len(), 3);
}

#[test]
fn interim_and_bodiless_responses() {
    let mut feed = Feed::new();
    feed.request("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    feed.response("HTTP/1.1 100 Continue\r\n\r\n").request("ab");
    feed.response(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    );
    assert_eq!((feed.notes.response(0).status, feed.notes.request_body(0)), (204, b"ab".to_vec()));
    feed.request("GET / HTTP/1.1\r\n\r\n")
        .response("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(!feed.notes.end(1).no_response);
}

#[test]
fn chunked_both_ways_with_trailers_and_extensions() {
    let mut feed = Feed::new();
    feed.request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n");
    feed.request("3;a=b\r\nabc\r\n2\nde\n0\r\nX-Sum: 5\r\n\r\n");
    feed.response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .response(chunks(b"hello world", 4));
    assert_eq!(feed.notes.request_body(0), b"abcde");
    assert_eq!(feed.notes.request_end(0).trailers.get("x-sum"), Some("5"));
    assert_eq!(feed.notes.response_body(0), b"hello world");
    assert_eq!(feed.notes.response_end(0).decoded_bytes, 11);
}

#[test]
fn until_close_ends_with_the_close() {
    for half in [false, true] {
        let mut feed = Feed::new();
        feed.request("GET / HTTP/1.0\r\n\r\n").response("HTTP/1.0 200 OK\r\n\r\nabc").response("def");
        if half {
            feed.half_close(true);
        } else {
            feed.close();
        }
        assert_eq!(
            (feed.notes.response_body(0), feed.notes.response_end(0).truncated),
            (b"abcdef".to_vec(), false)
        );
        assert!(!feed.notes.end(0).no_response);
    }
}

#[test]
fn what_a_close_cuts_off_is_truncated() {
    let mut feed = Feed::new();
    feed.request(post("a")).response(&ok("whole")[..ok("whole").len() - 1]).close();
    assert!(feed.notes.response_end(0).truncated);
    let mut feed = Feed::new();
    feed.request(&post("abc")[..post("abc").len() - 1]).half_close(false);
    assert!(feed.notes.request_end(0).truncated);
    feed.response("HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n");
    assert!(!feed.notes.end(0).no_response);
    let mut feed = Feed::new();
    feed.request(post("abc")).half_close(true);
    assert!(feed.notes.end(0).no_response);
    let mut feed = Feed::new();
    feed.request(post("abc")).response("HTTP/1.1 200").close();
    assert!(feed.notes.end(0).no_response);
}

#[test]
fn an_early_response_does_not_end_the_request() {
    let mut feed = Feed::new();
    feed.request("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc").response(ok("no"));
    assert_eq!(feed.notes.response_body(0), b"no");
    feed.request("def").request(post("2")).response(ok("2"));
    assert_eq!(feed.notes.request_body(0), b"abcdef");
    assert_eq!(feed.notes.response_body(1), b"2");
    feed.close();
    assert_eq!(feed.notes.per_exchange().len(), 2);
}

#[test]
fn a_body_that_looks_like_frames_of_http2_is_a_body() {
    let mut body = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    for _ in 0..5 {
        // Empty SETTINGS.
        body.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    }
    let head =
        format!("POST /x HTTP/1.1\r\nContent-Type: audio/wav\r\nContent-Length: {}\r\n\r\n", body.len());
    let request = [head.as_bytes(), &body].concat();
    for cut in 0..request.len() {
        for answered_first in [false, true] {
            let mut feed = Feed::new();
            if answered_first {
                // The attach came between a request and its response.
                feed.response(
                    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body]
                        .concat(),
                );
            }
            feed.request(&request[..cut]).request(&request[cut..]).response(ok("{}")).close();
            let id = u64::from(answered_first);
            assert_eq!(feed.notes.request_body(id), body, "cut at {cut}");
            assert_eq!(feed.connection.protocol(), Protocol::Http1);
        }
    }
}

#[test]
fn leaving_http() {
    let mut feed = Feed::new();
    feed.request("GET /x HTTP/1.1\r\nUpgrade: something\r\n\r\n");
    feed.response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: something\r\n\r\n\x01\x05hello")
        .request("\u{1}GET / HTTP/1.1\r\n\r\n");
    assert!(feed.notes.end(0).upgraded && !feed.notes.end(0).no_response);
    assert_eq!((feed.notes.exchanges(), feed.connection.protocol()), (1, Protocol::Other));

    let mut feed = Feed::new();
    feed.request("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
        .response("HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx");
    feed.request("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
        .response("HTTP/1.1 200 OK\r\n\r\n")
        .request("\x16\x03");
    assert!(!feed.notes.end(0).upgraded && feed.notes.end(1).upgraded);

    let mut feed = Feed::new();
    feed.request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").response(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00");
    assert_eq!((feed.connection.protocol(), feed.connection.role()), (Protocol::Http2, Some(Role::Client)));
    assert_eq!(feed.notes.exchanges(), 0);
}

#[test]
fn something_else_is_called_so() {
    let mut feed = Feed::new();
    for _ in 0..16 {
        feed.request([0_u8; 4000]);
        assert_eq!(feed.connection.protocol(), Protocol::Unknown);
    }
    feed.request([0_u8; 4000]);
    assert_eq!(feed.connection.protocol(), Protocol::Other);
    feed.request(post("x"));
    assert_eq!((feed.connection.protocol(), feed.notes.exchanges()), (Protocol::Http1, 1));
}

#[test]
fn contradictory_lengths() {
    let mut feed = Feed::new();
    feed.request(post("1")).response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
    assert!(feed.notes.response_end(0).truncated);
    feed.request(post("2")).response(ok("two"));
    assert_eq!(feed.notes.response_body(1), b"two");
}

#[test]
fn a_skipped_exchange_is_counted_and_not_decoded() {
    let mut feed = Feed::new();
    feed.notes.interest = Interest::Skip;
    feed.request(post("abc"))
        .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .response(chunks(b"hello", 2));
    assert!(feed.notes.response_items(0).is_empty() && feed.notes.request_body(0).is_empty());
    let end = feed.notes.response_end(0).clone();
    assert_eq!((end.decoded_bytes, end.truncated), (0, false));
    assert!(end.wire_bytes > 60);
    feed.notes.interest = Interest::Full;
    feed.notes.skip_after = 1;
    feed.request(post("abc")).response(ok("never seen"));
    assert_eq!(
        (feed.notes.request_body(1), feed.notes.response_items(1)),
        (b"abc".to_vec(), Vec::<Item>::new())
    );
}

#[test]
fn overlaps_are_cut_off() {
    let mut feed = Feed::new();
    let request = post("abcdef");
    let (connection, notes) = (&mut feed.connection, &mut feed.notes);
    connection.push(Direction::Egress, 0, 1, &request.as_bytes()[..60], notes);
    connection.push(Direction::Egress, 50, 2, &request.as_bytes()[50..], notes);
    connection.push(Direction::Egress, 3, 2, &request.as_bytes()[3..20], notes);
    assert_eq!(notes.request_body(0), b"abcdef");
    assert_eq!(connection.gaps(), 0);
}

#[test]
fn too_many_waiting_requests_end_the_oldest_without_shifting_the_rest() {
    let mut feed = Feed::with(Limits { max_pending: 2, ..Limits::default() });
    feed.request([post("0"), post("1"), post("2")].concat());
    assert!(feed.notes.end(0).no_response);
    feed.response([ok("r0"), ok("r1"), ok("r2")].concat()).close();
    assert_eq!(feed.notes.response_body(1), b"r1");
    assert_eq!(feed.notes.response_body(2), b"r2");
    assert_eq!(feed.notes.per_exchange().len(), 3);
    let mut feed = Feed::with(Limits { max_pending: 2, ..Limits::default() });
    for _ in 0..1000 {
        feed.request(post("0"));
        assert!(feed.connection.held_bytes() < 20_000, "{}", feed.connection.held_bytes());
    }
    feed.close();
    assert_eq!(feed.notes.per_exchange().len(), 1000);
}

#[test]
fn a_head_that_is_too_long_is_given_up() {
    let mut feed = Feed::with(Limits { max_head: 1000, ..Limits::default() });
    feed.request(format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(2000)))
        .request(post("next"))
        .response(ok("y"));
    assert_eq!(
        (feed.notes.exchanges(), feed.notes.request_body(0), feed.notes.response_body(0)),
        (1, b"next".to_vec(), b"y".to_vec())
    );
}

#[test]
fn times_are_those_of_the_bytes() {
    #[derive(Default)]
    struct Times(Vec<(&'static str, u64)>);
    impl agent_wire::Sink for Times {
        fn request_head(
            &mut self,
            _: agent_wire::ExchangeId,
            _: agent_wire::RequestHead,
            at: u64,
        ) -> Interest {
            self.0.push(("request", at));
            Interest::Full
        }
        fn request_body(&mut self, _: agent_wire::ExchangeId, _: agent_wire::Body<'_>, at: u64) -> Interest {
            self.0.push(("request body", at));
            Interest::Full
        }
        fn request_end(&mut self, _: agent_wire::ExchangeId, end: agent_wire::MessageEnd) {
            self.0.push(("request end", end.at));
        }
        fn response_head(
            &mut self,
            _: agent_wire::ExchangeId,
            _: agent_wire::ResponseHead,
            at: u64,
        ) -> Interest {
            self.0.push(("response", at));
            Interest::Full
        }
        fn response_body(&mut self, _: agent_wire::ExchangeId, _: agent_wire::Body<'_>, at: u64) -> Interest {
            self.0.push(("response body", at));
            Interest::Full
        }
        fn response_end(&mut self, _: agent_wire::ExchangeId, end: agent_wire::MessageEnd) {
            self.0.push(("response end", end.at));
        }
        fn exchange_end(&mut self, _: agent_wire::ExchangeId, end: agent_wire::ExchangeEnd) {
            self.0.push(("end", end.at));
        }
    }
    let (request, response) = (post("ab"), ok("cd"));
    let mut connection = agent_wire::Connection::new(Limits::default());
    let mut times = Times::default();
    let pieces = [
        (Direction::Egress, &request[..5], 10),
        (Direction::Egress, &request[5..request.len() - 2], 11),
        (Direction::Egress, &request[request.len() - 2..], 12),
        (Direction::Ingress, &response[..9], 20),
        (Direction::Ingress, &response[9..response.len() - 1], 21),
        (Direction::Ingress, &response[response.len() - 1..], 22),
    ];
    let mut offsets = [0, 0];
    for (direction, piece, at) in pieces {
        let offset = &mut offsets[usize::from(direction == Direction::Ingress)];
        connection.push(direction, *offset, at, piece.as_bytes(), &mut times);
        *offset += piece.len() as u64;
    }
    let expected = [
        ("request", 10),
        ("request body", 12),
        ("request end", 12),
        ("response", 20),
        ("response body", 21),
        ("response body", 22),
        ("response end", 22),
        ("end", 22),
    ];
    assert_eq!(times.0, expected);
}
