//! Lost bytes and captures that begin in the middle.

mod common;

use common::{Feed, Item, chunks, ok, post};

fn clean_exchange_follows(feed: &mut Feed) {
    let next = feed.notes.exchanges() as u64;
    feed.request(post("{\"clean\":true}")).response(ok("{\"yes\":1}"));
    assert_eq!(feed.notes.request_body(next), b"{\"clean\":true}", "{:#?}", feed.notes.notes);
    assert_eq!(feed.notes.response_body(next), b"{\"yes\":1}", "{:#?}", feed.notes.notes);
    let (request, response) = (feed.notes.request_end(next), feed.notes.response_end(next));
    assert!(!request.truncated && !response.truncated && request.lost_bytes + response.lost_bytes == 0);
    let end = feed.notes.end(next);
    assert!(!end.no_response && !end.attached_mid_stream);
    feed.close();
    feed.notes.per_exchange();
}

#[test]
fn a_gap_inside_a_body_of_known_length_is_absorbed() {
    let mut feed = Feed::new();
    let request = post("0123456789");
    feed.request(&request[..request.len() - 8]).lose(false, 3).request("56789").response(ok("a"));
    assert_eq!((feed.notes.request_end(0).lost_bytes, feed.notes.request_end(0).truncated), (3, false));
    assert_eq!(feed.notes.request_body(0), b"0156789");
    assert_eq!(feed.connection.gaps(), 3);
    let response = ok("0123456789");
    feed.request(post("b")).response(&response[..response.len() - 8]).lose(true, 8);
    clean_exchange_follows(&mut feed);
    assert_eq!(feed.notes.response_items(1), [Item::Data(b"01".to_vec()), Item::Gap(8)]);
    assert!(!feed.notes.response_end(1).truncated);
}

#[test]
fn a_gap_inside_a_chunk_is_absorbed() {
    let mut feed = Feed::new();
    feed.request(post("b"))
        .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nab")
        .lose(true, 4);
    feed.response("gh\r\n0\r\n\r\n");
    assert_eq!(
        feed.notes.response_items(0),
        [Item::Data(b"ab".to_vec()), Item::Gap(4), Item::Data(b"gh".to_vec())]
    );
    assert_eq!((feed.notes.response_end(0).lost_bytes, feed.notes.response_end(0).truncated), (4, false));
    clean_exchange_follows(&mut feed);
}

#[test]
fn a_gap_over_the_end_of_a_chunk_ends_the_exchange() {
    let mut feed = Feed::new();
    feed.request(post("b"))
        .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nab")
        .lose(true, 9);
    feed.response("rest\r\n0\r\n\r\n");
    assert!(feed.notes.response_end(0).truncated && feed.notes.response_end(0).lost_bytes == 9);
    clean_exchange_follows(&mut feed);
}

#[test]
fn a_lost_response_does_not_shift_the_pairing() {
    let mut feed = Feed::new();
    feed.request(post("0")).response(ok("0"));
    // The whole response is lost; that shows only when the next one comes.
    feed.request(post("1")).lose(true, ok("1").len() as u64);
    feed.request(post("2")).response(ok("2"));
    assert!(feed.notes.end(1).no_response);
    assert_eq!(feed.notes.response_body(2), b"2");
    // The end of one and the beginning of the next.
    let (third, fourth) = (ok("3333"), ok("4444"));
    feed.request(post("3")).response(&third[..third.len() - 2]).lose(true, 12);
    feed.request(post("4")).response(&fourth[10..]);
    assert!(feed.notes.response_end(3).truncated && feed.notes.response_end(3).lost_bytes == 2);
    clean_exchange_follows(&mut feed);
    assert!(feed.notes.end(4).no_response);
}

#[test]
fn a_lost_request_leaves_its_response_without_one() {
    let mut feed = Feed::new();
    feed.request(post("0")).response(ok("0"));
    feed.lose(false, post("1").len() as u64).response(ok("1"));
    assert_eq!(feed.notes.request(1).method, "");
    assert!(feed.notes.end(1).attached_mid_stream && feed.notes.request_end(1).truncated);
    assert_eq!(feed.notes.response_body(1), b"1");
    clean_exchange_follows(&mut feed);
}

#[test]
fn a_request_cut_by_a_gap_keeps_its_response() {
    let mut feed = Feed::new();
    let request = post("0123456789");
    feed.request(&request[..request.len() - 3]).lose(false, 20).request("junk").response(ok("0"));
    assert!(feed.notes.request_end(0).truncated && feed.notes.request_end(0).lost_bytes == 3);
    assert_eq!(feed.notes.response_body(0), b"0");
    clean_exchange_follows(&mut feed);
}

#[test]
fn a_pipelining_connection_is_paired_again_when_it_is_quiet() {
    let mut feed = Feed::new();
    feed.request([post("0"), post("1")].concat()).response([ok("0"), ok("1")].concat());
    feed.request([post("2"), post("3"), post("4")].concat())
        .lose(true, ok("2").len() as u64)
        .response(ok("3"));
    for id in 2..5 {
        assert!(feed.notes.end(id).no_response);
    }
    assert!(feed.notes.end(5).attached_mid_stream);
    feed.response(ok("4"));
    assert_eq!((feed.notes.end(6).attached_mid_stream, feed.notes.response_body(6)), (true, b"4".to_vec()));
    clean_exchange_follows(&mut feed);
}

#[test]
fn attached_in_the_middle_of_a_response() {
    let mut feed = Feed::new();
    feed.response("ta: {\"x\":\"HTTP/1.1\"}\n\n12\r\nfoo\r\n0\r\n\r\n");
    clean_exchange_follows(&mut feed);
    let mut feed = Feed::new();
    feed.request("{\"rest\": \"of a body\"}").response(ok("known"));
    assert!(feed.notes.end(0).attached_mid_stream);
    assert_eq!(feed.notes.response_body(0), b"known");
    clean_exchange_follows(&mut feed);
    // A request directly behind a body, without a line end.
    // Several requests in the first piece.
    let mut feed = Feed::new();
    feed.request(format!("\"of a body\"}}{}{}", post("x"), post("z"))).response([ok("y"), ok("w")].concat());
    assert_eq!((feed.notes.request_body(0), feed.notes.response_body(0)), (b"x".to_vec(), b"y".to_vec()));
    assert_eq!((feed.notes.request_body(1), feed.notes.response_body(1)), (b"z".to_vec(), b"w".to_vec()));
    let mut feed = Feed::new();
    feed.request("\"of a body\"}POS").request(post("x").strip_prefix("POS").unwrap()).response(ok("y"));
    assert_eq!((feed.notes.request_body(0), feed.notes.response_body(0)), (b"x".to_vec(), b"y".to_vec()));
    let mut feed = Feed::new();
    feed.request(format!("of a body\"}}{}", post("x"))).response(ok("y"));
    assert_eq!((feed.notes.request_body(0), feed.notes.response_body(0)), (b"x".to_vec(), b"y".to_vec()));
    clean_exchange_follows(&mut feed);
}

#[test]
fn a_response_of_unknown_length_without_request_does_not_swallow_the_next() {
    let mut feed = Feed::new();
    feed.response("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    clean_exchange_follows(&mut feed);
    assert!(feed.notes.response_end(0).truncated);
}

#[test]
fn events_after_a_gap_begin_behind_a_blank_line() {
    let mut feed = Feed::new();
    feed.request(post("x"))
        .response("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\nda")
        .lose(true, 5);
    feed.response("a: cut\ndata: also cut\n\ndata: 2\n\n").close();
    let items = feed.notes.response_items(0);
    let event = |data: &str| Item::Event {
        event: String::new(),
        data: data.into(),
        id: String::new(),
        truncated: false,
    };
    assert_eq!(items, [event("1"), Item::Gap(5), event("2")]);
}

#[test]
fn a_loss_at_the_very_end_is_a_gap() {
    let mut feed = Feed::new();
    feed.request(post("x")).response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").lose(true, 6).close();
    assert_eq!((feed.notes.response_end(0).lost_bytes, feed.notes.response_end(0).truncated), (6, false));
    assert_eq!(feed.connection.gaps(), 6);
    let mut feed = Feed::new();
    feed.request(post("x"))
        .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .response(&chunks(b"abc", 3)[..9])
        .lose(true, 4);
    feed.close();
    assert_eq!((feed.notes.response_end(0).lost_bytes, feed.notes.response_end(0).truncated), (4, true));
}
