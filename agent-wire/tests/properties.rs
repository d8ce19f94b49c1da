//! The same bytes give the same exchanges however they are cut; loss and garbage do no harm and end at the next clean exchange.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failure is a failed test")]

mod common;

use std::io::Write;

use agent_wire::{
    Body, Connection, Direction, ExchangeEnd, ExchangeId, Interest, Limits, MessageEnd, RequestHead,
    ResponseHead, Sink,
};
use common::{Feed, Note, Notes, Told, chunks, event_message, ok, post};
use proptest::prelude::*;

/// One message pair: what the client sends and what the server answers.
type Turn = (Vec<u8>, Vec<u8>);

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// One of every kind of exchange.
fn turns() -> Vec<Turn> {
    let events =
        "\u{feff}: hi\r\ndata: {\"a\":1}\r\n\r\nevent: x\rid: 7\rdata: é\rdata: 2\r\rdata: [DONE]\n\n";
    let lines = "{\"a\":1}\r\n\n{\"b\":2}\n{\"c\":3}";
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
    let coded = gzip(events.as_bytes());
    let messages =
        [event_message("chunk", b"{\"bytes\":\"e30=\"}"), event_message("metadata", b"{}")].concat();
    let zstd = zstd::bulk::compress(lines.as_bytes(), 1).unwrap();
    vec![
        (post("{\"stream\":true}").into_bytes(), ok("{\"x\":[1,2,3]}").into_bytes()),
        (
            [b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n".to_vec(), chunks(&gzip(b"{\"in\":1}"), 5)].concat(),
            [head("Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"), chunks(events.as_bytes(), 7)].concat(),
        ),
        (
            b"\r\nGET /gzip HTTP/1.1\nA: b\n  folded\n\n".to_vec(),
            [
                head("Content-Type: application/json\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
                chunks(&coded, 9),
            ]
            .concat(),
        ),
        (b"HEAD / HTTP/1.1\r\n\r\n".to_vec(), head("Content-Length: 100\r\n")),
        (
            b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n".to_vec(),
            [b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()].concat(),
        ),
        (
            post("x").into_bytes(),
            [
                head(&format!("Content-Type: application/x-ndjson\r\nContent-Encoding: zstd\r\nContent-Length: {}\r\n", zstd.len())),
                zstd.clone(),
            ]
            .concat(),
        ),
        (
            post("t").into_bytes(),
            [head("Transfer-Encoding: chunked\r\n"), b"3;x=y\r\nabc\r\n0\r\nSum: 1\r\n\r\n".to_vec()].concat(),
        ),
        (
            [&b"POST /x.Y/Z HTTP/1.1\r\nContent-Type: application/grpc\r\nContent-Length: 8\r\n\r\n"[..], b"\0\0\0\0\x03abc"].concat(),
            [
                head("Content-Type: application/grpc+proto\r\nTransfer-Encoding: chunked\r\n"),
                chunks(b"\x01\0\0\0\x05hello\0\0\0\0\0\0\0\0\0\x01x", 3),
            ]
            .concat(),
        ),
        (
            post(" [ {\"jsonrpc\":\"2.0\"},{\"a\":[\"]\\\"\"]}]").into_bytes(),
            [head("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"), chunks(b"[{\"a\":1}\r\n,{\"b\":[{}]}\n]\n", 4)].concat(),
        ),
        (
            [format!("POST /up HTTP/1.1\r\nContent-Length: {}\r\n\r\n", messages.len()).as_bytes(), &messages].concat(),
            [head("Content-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n"), chunks(&messages, 11)].concat(),
        ),
        (b"GET /close HTTP/1.0\r\n\r\n".to_vec(), [head("Content-Type: text/plain\r\n"), b"until the end".to_vec()].concat()),
    ]
}

fn play(turns: &[Turn], client: bool, mut cut: impl FnMut(usize) -> usize) -> Vec<Told> {
    let mut feed = Feed::new();
    feed.client = client;
    for (request, response) in turns {
        for (is_response, mut bytes) in [(false, request.as_slice()), (true, response.as_slice())] {
            while !bytes.is_empty() {
                let (piece, rest) = bytes.split_at(cut(bytes.len()).clamp(1, bytes.len()));
                feed.send(is_response, piece);
                bytes = rest;
            }
        }
    }
    feed.close();
    feed.notes.per_exchange()
}

/// All requests first, then all responses.
fn pipelined(turns: &[Turn]) -> Vec<Turn> {
    vec![(
        turns.iter().flat_map(|turn| turn.0.clone()).collect(),
        turns.iter().flat_map(|turn| turn.1.clone()).collect(),
    )]
}

#[test]
fn every_boundary_gives_the_same() {
    let turns = turns();
    let whole = play(&turns, true, |length| length);
    assert_eq!(whole.len(), turns.len());
    for (id, requests, responses, end) in &whole {
        let (Some(Note::RequestEnd(_, request)), Some(Note::ResponseEnd(_, response))) =
            (requests.last(), responses.last())
        else {
            panic!("{id} is not whole");
        };
        assert!(!request.truncated && !response.truncated, "{id}");
        assert_eq!((&request.undecodable, &response.undecodable), (&None, &None), "{id}");
        assert_eq!(end, &Some(ExchangeEnd::default()), "{id}");
    }
    for size in 1..40 {
        assert_eq!(play(&turns, size % 2 == 0, |_| size), whole, "pieces of {size}");
        assert_eq!(play(&pipelined(&turns), true, |_| size), whole, "pipelined in pieces of {size}");
    }
    // One cut, at every place of every message.
    for at in 0..turns.len() {
        let one = &turns[at..=at];
        let whole = play(one, true, |length| length);
        for cut in 1..one[0].0.len().max(one[0].1.len()) {
            let mut pieces = [cut, usize::MAX].into_iter().cycle();
            assert_eq!(play(one, true, |_| pieces.next().unwrap()), whole, "turn {at} cut at {cut}");
        }
    }
}

/// Takes everything and keeps nothing, but checks the order of the calls.
#[derive(Default)]
struct Order(std::collections::HashMap<u64, [u8; 3]>);

impl Order {
    fn at(&mut self, id: ExchangeId) -> &mut [u8; 3] {
        let state = self.0.get_mut(&id.0).expect("a request head comes first");
        assert_eq!(state[2], 0, "after the end");
        state
    }
}

impl Sink for Order {
    fn request_head(&mut self, id: ExchangeId, _: RequestHead, _: u64) -> Interest {
        assert!(self.0.insert(id.0, [1, 0, 0]).is_none(), "a number comes once");
        Interest::Full
    }
    fn request_body(&mut self, id: ExchangeId, _: Body<'_>, _: u64) -> Interest {
        assert_eq!(self.at(id)[0], 1);
        Interest::Full
    }
    fn request_end(&mut self, id: ExchangeId, _: MessageEnd) {
        assert_eq!(std::mem::replace(&mut self.at(id)[0], 2), 1);
    }
    fn response_head(&mut self, id: ExchangeId, _: ResponseHead, _: u64) -> Interest {
        assert_eq!(std::mem::replace(&mut self.at(id)[1], 1), 0);
        Interest::Full
    }
    fn response_body(&mut self, id: ExchangeId, _: Body<'_>, _: u64) -> Interest {
        assert_eq!(self.at(id)[1], 1);
        Interest::Full
    }
    fn response_end(&mut self, id: ExchangeId, _: MessageEnd) {
        assert_eq!(std::mem::replace(&mut self.at(id)[1], 2), 1);
    }
    fn exchange_end(&mut self, id: ExchangeId, end: ExchangeEnd) {
        let state = self.at(id);
        assert!(state[0] == 2 && state[1] != 1, "{state:?}");
        assert_eq!(end.no_response, state[1] == 0);
        state[2] = 1;
    }
}

fn small() -> Limits {
    Limits { max_head: 4096, max_item: 1000, max_pending: 4, max_decoded: 100_000 }
}

/// Bytes that often look like something.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"GET / HTTP/1.1\r\n",
        b"POST /x HTTP/1.1\r\n",
        b"HEAD / HTTP/1.0\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 C\r\n",
        b"HTTP/1.1 101 S\r\n",
        b"Upgrade: websocket\r\n",
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n",
        b"\x81\x02{}",
        b"\xc1\x85\0\0\0\0\xaa\xae\x05\0\0",
        b"\x01\x81abcd.",
        b"\x88\0",
        b"HTTP/1.0 204 N\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: br, zstd\r\n",
        b"Content-Type: text/event-stream\r\n",
        b"Content-Type: application/x-ndjson\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"3;x\r\n",
        b"data: {}\n\n",
        b"{\"a\":1}\n",
        b"\x1f\x8b\x08\0",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\x28\xb5\x2f\xfd",
        b"hello",
        b" HTTP/1.1",
        b"\0",
    ];
    let word = prop_oneof![
        8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn random_cuts_give_the_same(sizes in proptest::collection::vec(1..200_usize, 1..50), client: bool, pipeline: bool) {
        let turns = turns();
        let whole = play(&turns, true, |length| length);
        let mut sizes = sizes.into_iter().cycle();
        let turns = if pipeline { pipelined(&turns) } else { turns };
        prop_assert_eq!(play(&turns, client, |_| sizes.next().unwrap()), whole);
    }

    #[test]
    fn interleaved_pieces_give_the_same(order in proptest::collection::vec((any::<bool>(), 1..60_usize), 0..200)) {
        // Pipelined: a response piece may come any time after its request.
        let turns = turns();
        let whole = play(&turns, true, |length| length);
        let mut feed = Feed::new();
        let (requests, responses) = pipelined(&turns).remove(0);
        let (mut requests, mut responses) = (requests.as_slice(), responses.as_slice());
        // How much of the responses may be sent when how much is left of the requests.
        let allowed = |left: usize| {
            let sent = turns.iter().map(|turn| turn.0.len()).sum::<usize>() - left;
            let mut request_end = 0;
            turns.iter().take_while(|turn| { request_end += turn.0.len(); request_end <= sent }).map(|turn| turn.1.len()).sum::<usize>()
        };
        let total = responses.len();
        for (response, size) in order.into_iter().chain([(false, usize::MAX), (true, usize::MAX)]) {
            let unsent = requests.len();
            let from = if response { &mut responses } else { &mut requests };
            let mut size = size.min(from.len());
            if response {
                size = size.min(allowed(unsent).saturating_sub(total - from.len()));
            }
            let (piece, rest) = from.split_at(size);
            *from = rest;
            feed.send(response, piece);
        }
        feed.close();
        prop_assert_eq!(feed.notes.per_exchange(), whole);
    }

    #[test]
    fn garbage_does_no_harm(pieces in proptest::collection::vec((any::<bool>(), fragments(), 0..4_u64, 0..20_u8), 0..30)) {
        let mut connection = Connection::new(small());
        let mut sink = Order::default();
        let mut offsets = [0, 0];
        for (egress, bytes, gap, other) in pieces {
            let direction = if egress { Direction::Egress } else { Direction::Ingress };
            let offset = &mut offsets[usize::from(egress)];
            if gap == 3 { *offset += u64::from(other); }
            if other == 19 { connection.half_close(direction, 1, &mut sink); }
            connection.push(direction, *offset, 1, &bytes, &mut sink);
            *offset += bytes.len() as u64;
        }
        connection.close(Some((offsets[1] + 3, offsets[0])), 2, &mut sink);
        prop_assert!(sink.0.values().all(|state| state[2] == 1), "all have ended");
    }

    #[test]
    fn after_any_gap_a_clean_exchange_is_whole(
        cuts in proptest::collection::vec((any::<bool>(), 1..120_usize, proptest::bool::weighted(0.15)), 0..80),
        client: bool,
    ) {
        let turns = turns();
        let turns = &turns[..turns.len() - 1];
        let mut feed = Feed::new();
        feed.client = client;
        let mut cuts = cuts.into_iter();
        for (request, response) in turns {
            for (is_response, mut bytes) in [(false, request.as_slice()), (true, response.as_slice())] {
                while !bytes.is_empty() {
                    let (_, size, lost) = cuts.next().unwrap_or((false, usize::MAX, false));
                    let (piece, rest) = bytes.split_at(size.min(bytes.len()));
                    bytes = rest;
                    if lost { feed.lose(is_response, piece.len() as u64); } else { feed.send(is_response, piece); }
                }
            }
        }
        // No exchange may have got another's response: the targets and statuses of the conversation tell.
        for _ in 0..2 {
            feed.request(post("{\"clean\":true}")).response(ok("{\"yes\":1}"));
        }
        feed.close();
        let all = feed.notes.per_exchange();
        let (id, ..) = all.last().unwrap();
        prop_assert_eq!(feed.notes.request_body(*id), b"{\"clean\":true}");
        prop_assert_eq!(feed.notes.response_body(*id), b"{\"yes\":1}");
        let (request, response) = (feed.notes.request_end(*id), feed.notes.response_end(*id));
        prop_assert!(!request.truncated && !response.truncated && request.lost_bytes + response.lost_bytes == 0);
        prop_assert!(!feed.notes.end(*id).attached_mid_stream);
    }

    #[test]
    fn responses_never_shift(lost in proptest::collection::vec((any::<bool>(), 0..60_usize, 1..200_usize), 1..6)) {
        // Every response carries the number of its request. Whatever is lost, no request gets another's.
        let count = 12;
        let mut feed = Feed::new();
        let mut lost = lost.into_iter();
        let mut next = lost.next();
        let mut left = next.map_or(usize::MAX, |(_, skip, _)| skip);
        for n in 0..count {
            let request = format!("POST /{n} HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789");
            let response = format!("HTTP/1.1 200 OK\r\nX-Number: {n}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
            for (is_response, bytes) in [(false, request), (true, response)] {
                let mut bytes = bytes.as_bytes();
                while !bytes.is_empty() {
                    let hit = matches!(next, Some((of, ..)) if of == is_response);
                    let (piece, rest) = bytes.split_at(if hit { left.min(bytes.len()) } else { bytes.len() });
                    feed.send(is_response, piece);
                    bytes = rest;
                    if !hit { break; }
                    left -= piece.len();
                    if left > 0 { break; }
                    let Some((_, _, size)) = next else { break };
                    let (gone, rest) = bytes.split_at(size.min(bytes.len()));
                    feed.lose(is_response, gone.len() as u64);
                    bytes = rest;
                    // What is lost with no byte behind it cannot be known yet.
                    feed.send(is_response, "");
                    next = lost.next();
                    left = next.map_or(usize::MAX, |(_, skip, _)| skip);
                    if next.is_none() { feed.send(is_response, bytes); break; }
                }
            }
        }
        feed.close();
        for (id, requests, responses, _) in feed.notes.per_exchange() {
            let (Some(Note::Request(_, request)), Some(Note::Response(_, response))) = (requests.first(), responses.first()) else { continue };
            if !request.method.is_empty() {
                prop_assert_eq!(request.target.strip_prefix('/'), response.headers.get("x-number"), "exchange {}", id);
            }
        }
    }
}

#[test]
fn memory_stays_bounded_whatever_comes() {
    let limits = small();
    let bound = 200_000;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    // A prelude that announces almost 4 GiB, with headers of 128 KiB; its checksum is right.
    let mut huge = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n".to_vec();
    let lengths = [0xff, 0xff, 0xff, 0xff, 0, 2, 0, 0];
    huge.extend([&lengths[..], &crc32fast::hash(&lengths).to_be_bytes()].concat());
    let array = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[{\"a\":\"";
    let endless: [(&[u8], Vec<u8>); 10] = [
        (b"GET / HTTP/1.1\r\nA: ", vec![b'x'; 100]),
        (b"GET / HTTP/1.1\r\n", b"A: b\r\n".to_vec()),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n".to_vec()),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"extension".to_vec()),
        (b"garbage ", b"GET / HTTP/1.1\r\n".to_vec()),
        (head.as_bytes(), b"data: without end ".to_vec()),
        (head.as_bytes(), b"event: x\ndata: y\n".to_vec()),
        (&huge, vec![0; 100]),
        (array.as_bytes(), vec![b'x'; 100]),
        (array.as_bytes(), b"\"},{\"b\":[[[[[[\"".to_vec()),
    ];
    for (start, repeated) in endless {
        let mut connection = Connection::new(limits);
        let mut notes = Notes::default();
        connection.push(Direction::Ingress, 0, 0, start, &mut notes);
        let mut offset = start.len() as u64;
        for _ in 0..20_000 {
            connection.push(Direction::Ingress, offset, 0, &repeated, &mut notes);
            offset += repeated.len() as u64;
            assert!(
                connection.held_bytes() < bound,
                "{}: {}",
                String::from_utf8_lossy(start),
                connection.held_bytes()
            );
        }
    }
}
