use flate2::{Compress, Compression, FlushCompress};

use super::*;
use crate::headers::Headers;

type Told = (WsKind, String, bool);

const LIMITS: Limits = Limits { max_head: 1000, max_item: 50, max_pending: 1, max_decoded: 100_000 };

fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(masked | u8::try_from(length).unwrap()),
        length @ 126..0x1_0000 => {
            bytes.push(masked | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(masked | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask.unwrap_or_default().iter().filter(|_| mask.is_some()));
    let key = mask.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

fn session(extensions: &str) -> Session {
    let headers: Headers = [("Sec-WebSocket-Extensions", extensions)].into_iter().collect();
    Session::agreed(&headers)
}

/// Compresses as RFC 7692 section 7.2.1 says.
fn compress(state: &mut Compress, text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * text.len() + 100);
    state.compress_vec(text, &mut bytes, FlushCompress::Sync).unwrap();
    bytes.truncate(bytes.len() - 4);
    bytes
}

fn take(told: &mut Vec<Told>) -> impl FnMut(Body<'_>) -> ControlFlow<()> {
    |body: Body<'_>| {
        let Body::Frame(message) = body else { panic!("no message: {body:?}") };
        told.push((message.kind, String::from_utf8_lossy(message.data).into_owned(), message.truncated));
        ControlFlow::Continue(())
    }
}

/// Messages, the fault, bytes taken, payload bytes.
fn run(session: Session, client: bool, pieces: &[&[u8]]) -> (Vec<Told>, Option<String>, u64, u64) {
    let mut decoder = WsDecoder::new(session, client, &LIMITS);
    let mut told = Vec::new();
    for piece in pieces {
        assert!(decoder.feed(piece, &mut take(&mut told)).is_continue());
        assert!(decoder.held_bytes() < 50_000);
    }
    assert!(decoder.finish(false, &mut take(&mut told)).is_continue());
    (told, decoder.fault().map(str::to_owned), decoder.passed(), decoder.decoded())
}

fn told(kind: WsKind, text: &str, truncated: bool) -> Told {
    (kind, text.to_owned(), truncated)
}

#[test]
fn messages_wherever_they_are_cut() {
    let long = "x".repeat(300);
    for mask in [None, Some([1, 2, 3, 200]), Some([0; 4])] {
        let input = [
            frame(0x81, mask, "{\"é\":1}".as_bytes()),
            frame(0x01, mask, b"one "),
            frame(0x89, mask, b"ping"),
            frame(0x00, mask, b"two "),
            frame(0x8a, mask, b""),
            frame(0x80, mask, b"three"),
            frame(0x82, mask, long.as_bytes()),
            frame(0x81, mask, b""),
            frame(0x02, mask, b""),
            frame(0x80, mask, b"b"),
            frame(0x88, mask, b"\x03\xe8bye"),
        ]
        .concat();
        let behind = [&input[..], b"anything"].concat();
        let expected = (
            vec![
                told(WsKind::Text, "{\"é\":1}", false),
                told(WsKind::Ping, "ping", false),
                told(WsKind::Pong, "", false),
                told(WsKind::Text, "one two three", false),
                told(WsKind::Binary, &"x".repeat(50), true),
                told(WsKind::Text, "", false),
                told(WsKind::Binary, "b", false),
                told(WsKind::Close, "\u{3}\u{fffd}bye", false),
            ],
            None,
            input.len() as u64,
            8 + 4 + 13 + 300 + 1 + 5,
        );
        assert_eq!(run(Session::default(), true, &[&behind]), expected);
        assert_eq!(run(Session::default(), true, &behind.chunks(1).collect::<Vec<_>>()), expected);
        for at in 0..behind.len() {
            assert_eq!(
                run(Session::default(), true, &[&behind[..at], &behind[at..]]),
                expected,
                "cut at {at}"
            );
        }
    }
}

#[test]
fn lengths_of_every_size() {
    for length in [125, 126, 127, 65_535, 65_536, 100_000] {
        let input =
            [frame(0x82, Some([9, 8, 7, 6]), &vec![b'a'; length]), frame(0x81, None, b"next")].concat();
        let (told, fault, passed, decoded) = run(Session::default(), true, &[&input]);
        assert_eq!((told.len(), fault, passed), (2, None, input.len() as u64), "{length}");
        assert_eq!((told[0].1.as_str(), decoded), ("a".repeat(50).as_str(), length as u64 + 4));
    }
}

#[test]
fn compressed_messages_refer_back_to_earlier_ones() {
    for (extensions, takeover) in
        [("permessage-deflate", true), ("permessage-deflate; server_no_context_takeover", false)]
    {
        let mut state = Compress::new(Compression::best(), false);
        let mut input = Vec::new();
        let texts = [
            "{\"type\":\"one\",\"value\":17}",
            "{\"type\":\"two\",\"value\":17}",
            "",
            "{\"type\":\"one\",\"value\":18}",
        ];
        for text in texts {
            if !takeover {
                state.reset();
            }
            let bytes = compress(&mut state, text.as_bytes());
            let (first, second) = bytes.split_at(bytes.len() / 2);
            input.extend(frame(0x41, None, first));
            input.extend(frame(0x89, None, b"!"));
            input.extend(frame(0x80, None, second));
            input.extend(frame(0x81, None, b"plain"));
        }
        let expected: Vec<Told> = texts
            .iter()
            .flat_map(|text| {
                [
                    told(WsKind::Ping, "!", false),
                    told(WsKind::Text, text, false),
                    told(WsKind::Text, "plain", false),
                ]
            })
            .collect();
        let whole = run(session(extensions), false, &[&input]);
        assert_eq!((&whole.0, &whole.1), (&expected, &None), "{extensions}");
        assert_eq!(run(session(extensions), false, &input.chunks(1).collect::<Vec<_>>()), whole);
        for at in 0..input.len() {
            assert_eq!(run(session(extensions), false, &[&input[..at], &input[at..]]), whole, "cut at {at}");
        }
    }
}

#[test]
fn a_sender_may_end_its_deflate_stream() {
    let mut input = Vec::new();
    for text in ["first", "second"] {
        let mut bytes = Vec::with_capacity(100);
        let mut state = Compress::new(Compression::fast(), false);
        state.compress_vec(text.as_bytes(), &mut bytes, FlushCompress::Finish).unwrap();
        bytes.push(0);
        input.extend(frame(0xc1, None, &bytes));
    }
    let (messages, fault, ..) = run(session("permessage-deflate"), false, &[&input]);
    assert_eq!(messages, [told(WsKind::Text, "first", false), told(WsKind::Text, "second", false)]);
    assert_eq!(fault, None);
}

#[test]
fn what_inflates_to_too_much_is_cut() {
    let mut state = Compress::new(Compression::best(), false);
    let bomb = compress(&mut state, &vec![b'x'; 90_000]);
    let again = compress(&mut state, &vec![b'x'; 90_000]);
    let small = compress(&mut state, b"small");
    let input = [
        frame(0xc1, None, &bomb),
        frame(0xc1, None, &again),
        frame(0xc1, None, &small),
        frame(0x81, None, b"plain"),
    ];
    let (messages, fault, _, decoded) = run(session("permessage-deflate"), false, &[&input.concat()]);
    let cut = told(WsKind::Text, &"x".repeat(50), true);
    assert_eq!(
        messages,
        [cut.clone(), cut, told(WsKind::Text, "", true), told(WsKind::Text, "plain", false)]
    );
    assert!(fault.unwrap().contains("more than 100000 bytes"));
    assert_eq!(decoded, 100_005);
}

#[test]
fn what_cannot_be_inflated_is_cut() {
    let broken = frame(0xc1, None, &[0x07, 0xff, 0xff, 0xff]);
    for (extensions, later) in
        [("permessage-deflate", ""), ("permessage-deflate; server_no_context_takeover", "later")]
    {
        let compressed = compress(&mut Compress::new(Compression::fast(), false), b"later");
        let input = [broken.clone(), frame(0xc1, None, &compressed), frame(0x81, None, b"plain")].concat();
        let (messages, fault, ..) = run(session(extensions), false, &[&input]);
        let expected = [
            told(WsKind::Text, "", true),
            told(WsKind::Text, later, later.is_empty()),
            told(WsKind::Text, "plain", false),
        ];
        assert_eq!(messages, expected, "{extensions}");
        assert!(fault.unwrap().starts_with("a compressed message is broken"));
    }
}

#[test]
fn what_cannot_be_a_frame_ends_it() {
    for (bytes, why) in [
        (frame(0x83, None, b"x"), "opcode 3"),
        (frame(0x91, None, b"x"), "reserved bit"),
        (frame(0xc1, None, b"x"), "reserved bit"),
        (frame(0x80, None, b"x"), "continues nothing"),
        ([frame(0x01, None, b"x"), frame(0x81, None, b"y")].concat(), "inside another"),
        (frame(0x09, None, b"x"), "fragments"),
        (frame(0x89, None, &[b'x'; 126]), "125"),
        (vec![0x81, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0], "too long"),
    ] {
        let input = [frame(0x81, None, b"good"), bytes, frame(0x81, None, b"never")].concat();
        let (messages, fault, passed, _) = run(Session::default(), false, &[&input]);
        assert_eq!(messages[0], told(WsKind::Text, "good", false), "{why}");
        assert!(messages[1..].iter().all(|message| message.2), "{why}: {messages:?}");
        assert!(fault.as_ref().is_some_and(|fault| fault.contains(why)), "{why}: {fault:?}");
        assert_eq!(passed, input.len() as u64, "what cannot be read is counted");
    }
    let (messages, fault, ..) = run(Session::default(), false, &[&frame(0x81, None, b"unfinished")[..9]]);
    assert_eq!(messages, [told(WsKind::Text, "unfinis", true)]);
    assert_eq!(fault.as_deref(), Some("it ends inside a message"));
}

/// Loses `lost` bytes from `from` on.
fn with_gap(session: Session, input: &[u8], from: usize, lost: usize) -> (Vec<Told>, Option<String>) {
    let mut decoder = WsDecoder::new(session, true, &LIMITS);
    let mut messages = Vec::new();
    let _ = decoder.feed(&input[..from], &mut take(&mut messages));
    let _ = decoder.gap(lost as u64, true, &mut take(&mut messages));
    let _ = decoder.feed(&input[from + lost..], &mut take(&mut messages));
    let _ = decoder.finish(false, &mut take(&mut messages));
    (messages, decoder.fault().map(str::to_owned))
}

#[test]
fn a_gap_inside_a_frame_costs_its_message() {
    let mask = Some([7, 77, 177, 1]);
    let input =
        [frame(0x81, mask, b"0123456789"), frame(0x89, mask, b"abcdef"), frame(0x81, mask, b"0123456789")]
            .concat();
    for from in 0..input.len() {
        for lost in [1, 5, 16] {
            if from + lost > input.len() {
                continue;
            }
            let (messages, fault) = with_gap(Session::default(), &input, from, lost);
            // Payloads of the three frames.
            let hit = [(6, 16), (22, 28), (34, 44)]
                .iter()
                .position(|(start, end)| from >= *start && from + lost <= *end);
            assert_eq!(fault.is_none(), hit.is_some(), "{lost} bytes from {from}: {fault:?}");
            for (kind, text, truncated) in &messages {
                let whole = if *kind == WsKind::Ping { "abcdef" } else { "0123456789" };
                assert!(whole.starts_with(text), "{lost} bytes from {from}: {text}");
                assert_eq!(text != whole, *truncated, "{lost} bytes from {from}");
            }
            if let Some(hit) = hit {
                let cut: Vec<bool> = messages.iter().map(|message| message.2).collect();
                assert_eq!(cut, [hit == 0, hit == 1, hit == 2], "{lost} bytes from {from}");
            }
        }
    }
}

#[test]
fn after_a_gap_only_what_does_not_refer_back_is_inflated() {
    for (extensions, later) in
        [("permessage-deflate", false), ("permessage-deflate; client_no_context_takeover", true)]
    {
        let mut state = Compress::new(Compression::best(), false);
        let mut input = Vec::new();
        for _ in 0..2 {
            if later {
                state.reset();
            }
            input.extend(frame(0xc1, Some([1, 2, 3, 4]), &compress(&mut state, b"0123456789 and more")));
        }
        input.extend(frame(0x81, None, b"plain"));
        let (messages, fault) = with_gap(session(extensions), &input, 10, 3);
        assert_eq!(messages.len(), 3, "{extensions}");
        assert!(messages[0].2 && "0123456789 and more".starts_with(&messages[0].1));
        let second = if later { ("0123456789 and more", false) } else { ("", true) };
        assert_eq!((messages[1].1.as_str(), messages[1].2), second, "{extensions}");
        assert_eq!(messages[2], told(WsKind::Text, "plain", false));
        assert_eq!(fault.is_some_and(|why| why.contains("cannot be inflated")), !later, "{extensions}");
    }
}

#[test]
fn it_stops_when_nothing_more_is_wanted() {
    let mut decoder = WsDecoder::new(Session::default(), true, &LIMITS);
    let mut count = 0;
    let mut out = |_: Body<'_>| {
        count += 1;
        ControlFlow::Break(())
    };
    let input = [frame(0x81, None, b"a"), frame(0x81, None, b"b")].concat();
    assert!(decoder.feed(&input, &mut out).is_break());
    assert_eq!(count, 1);
}
