use super::*;

type Message = (String, String, String, String, Vec<u8>, bool);

fn string(name: &str, value: &str) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &[7], &length, value.as_bytes()].concat()
}

fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = u32::try_from(headers.len() + payload.len() + 16).unwrap().to_be_bytes();
    let prelude = [total, u32::try_from(headers.len()).unwrap().to_be_bytes()].concat();
    let mut bytes = [&prelude[..], &crc32fast::hash(&prelude).to_be_bytes(), headers, payload].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn event(kind: &str, payload: &str) -> Vec<u8> {
    let headers = [
        string(":event-type", kind),
        string(":content-type", "application/json"),
        string(":message-type", "event"),
    ];
    frame(&headers.concat(), payload.as_bytes())
}

fn take(messages: &mut Vec<Message>) -> impl FnMut(Body<'_>) -> ControlFlow<()> {
    |body: Body<'_>| {
        let Body::Message(message) = body else { panic!("no message: {body:?}") };
        messages.push((
            message.message_type.to_owned(),
            message.kind.to_owned(),
            message.content_type.to_owned(),
            message.error.to_owned(),
            message.payload.to_vec(),
            message.truncated,
        ));
        ControlFlow::Continue(())
    }
}

fn run(pieces: &[&[u8]], max_item: usize) -> (Vec<Message>, Option<String>) {
    let mut decoder = EventStreamDecoder::new(max_item);
    let mut messages = Vec::new();
    for piece in pieces {
        assert!(decoder.feed(piece, &mut take(&mut messages)).is_continue());
        assert!(decoder.held_bytes() <= 2 * (max_item + 1000));
    }
    decoder.finish(false);
    (messages, decoder.fault().map(str::to_owned))
}

fn payloads(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8_lossy(&message.4).into_owned()).collect()
}

#[test]
fn messages_wherever_they_are_cut() {
    let error = [
        string(":message-type", "error"),
        string(":error-code", "InternalFailure"),
        string(":error-message", "é broke"),
    ];
    let exception = [string(":exception-type", "throttlingException"), string(":message-type", "exception")];
    let input = [
        event("chunk", "{\"bytes\":\"e30=\"}"),
        frame(&exception.concat(), b"{\"message\":\"slow\"}"),
        frame(&[], b""),
        event("long", "0123456789012345678901234567890123456789"),
        frame(&error.concat(), b""),
    ]
    .concat();
    let (whole, fault) = run(&[&input], 20);
    assert_eq!(fault, None);
    let expected = [
        ("event", "chunk", "application/json", "", "{\"bytes\":\"e30=\"}", false),
        ("exception", "throttlingException", "", "", "{\"message\":\"slow\"}", false),
        ("", "", "", "", "", false),
        ("event", "long", "application/json", "", "01234567890123456789", true),
        ("error", "InternalFailure", "", "é broke", "", false),
    ];
    let owned = expected.map(|(kind, name, content, error, payload, cut)| {
        (
            kind.to_owned(),
            name.to_owned(),
            content.to_owned(),
            error.to_owned(),
            payload.as_bytes().to_vec(),
            cut,
        )
    });
    assert_eq!(whole, owned);
    assert_eq!(run(&input.chunks(1).collect::<Vec<_>>(), 20), (whole.clone(), None));
    for at in 0..input.len() {
        assert_eq!(run(&[&input[..at], &input[at..]], 20), (whole.clone(), None), "cut at {at}");
    }
}

#[test]
fn every_type_of_header_is_read_past() {
    let values: [(u8, &[u8]); 10] = [
        (0, &[]),
        (1, &[]),
        (2, &[1]),
        (3, &[1, 2]),
        (4, &[1, 2, 3, 4]),
        (5, &[0; 8]),
        (6, &[0, 3, 7, 7, 7]),
        (7, &[0, 1, b'x']),
        (8, &[9; 8]),
        (9, &[9; 16]),
    ];
    let mut headers = Vec::new();
    for (kind, value) in values {
        headers.extend([&[1, b'a', kind], value].concat());
    }
    headers.extend(string(":event-type", "seen"));
    let known = Known::parse(&headers).unwrap();
    assert_eq!(known, Known { event: Some("seen"), ..Known::default() });
    for cut in 1..string(":event-type", "seen").len() {
        assert_eq!(Known::parse(&headers[..headers.len() - cut]), None, "without {cut} bytes");
    }
    assert_eq!(Known::parse(&[1, b'a', 10]), None, "an unknown type has no known length");
    // A name of which only the type is wrong is not taken for text, and what is not UTF-8 is no text.
    assert_eq!(Known::parse(&[&[11], &b":event-type"[..], &[6, 0, 1, b'x']].concat()).unwrap().event, None);
    assert_eq!(Known::parse(&[&[11], &b":event-type"[..], &[7, 0, 1, 0xff]].concat()).unwrap().event, None);
}

#[test]
fn nothing_behind_a_wrong_checksum() {
    let good = event("a", "{\"n\":1}");
    let stream = [good.clone(), event("a", "{\"n\":2}"), event("a", "{\"n\":3}")].concat();
    for at in good.len()..2 * good.len() {
        let mut broken = stream.clone();
        broken[at] ^= 0x10;
        let (messages, fault) = run(&[&broken], 100);
        assert_eq!(payloads(&messages), ["{\"n\":1}"], "byte {at}");
        let fault = fault.unwrap();
        let of = if at < good.len() + PRELUDE { "of a prelude" } else { "of a message" };
        assert!(fault.contains("checksum") && fault.contains(of), "{at}: {fault}");
        assert_eq!(run(&broken.chunks(3).collect::<Vec<_>>(), 100), (messages, Some(fault)), "byte {at}");
    }
    let (messages, fault) = run(&[&stream[..stream.len() - 1]], 100);
    assert_eq!((messages.len(), fault.as_deref()), (2, Some("the body ends inside a message")));
    let (messages, fault) = run(&[&frame(&[1, b'a', 77], b"x"), &good], 100);
    assert_eq!((messages.len(), fault.as_deref()), (1, Some("the headers of a message are malformed")));
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    for (total, headers) in [(15_u32, 0_u32), (20, 5), (u32::MAX, MAX_HEADERS + 1)] {
        let lengths = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        let prelude = [&lengths[..], &crc32fast::hash(&lengths).to_be_bytes()].concat();
        let (messages, fault) = run(&[&prelude], 100);
        assert!(messages.is_empty() && fault.unwrap().contains("cannot have"), "{total} {headers}");
    }
}

#[test]
fn a_gap_inside_one_message_costs_that_message() {
    let stream = [event("a", "{\"n\":1}"), event("a", "{\"n\":2}"), event("a", "{\"n\":3}")].concat();
    let one = stream.len() / 3;
    for from in 0..stream.len() {
        for lost in [1, 5, 20, one] {
            let Some(rest) = stream.get(from + lost..) else { continue };
            let mut decoder = EventStreamDecoder::new(100);
            let mut messages = Vec::new();
            let _ = decoder.feed(&stream[..from], &mut take(&mut messages));
            decoder.gap(lost as u64, true);
            let _ = decoder.feed(rest, &mut take(&mut messages));
            decoder.finish(false);
            let within = from % one >= PRELUDE && from % one + lost <= one;
            let whole: Vec<usize> =
                (0..3).filter(|n| (n + 1) * one <= from || (within && n * one > from)).collect();
            let expected: Vec<String> = whole.iter().map(|n| format!("{{\"n\":{}}}", n + 1)).collect();
            assert_eq!(payloads(&messages), expected, "{lost} bytes from {from}");
            assert_eq!(decoder.fault().is_none(), within, "{lost} bytes from {from}");
        }
    }
}

#[test]
fn only_a_right_prelude_is_one() {
    let stream = event("a", "{}");
    assert_eq!(starts_with_prelude(&stream), Some(true));
    assert_eq!((starts_with_prelude(&stream[..11]), starts_with_prelude(b"")), (None, None));
    assert_eq!(starts_with_prelude(b"{"), Some(false));
    assert_eq!(starts_with_prelude(&[0; 12]), Some(false));
}
