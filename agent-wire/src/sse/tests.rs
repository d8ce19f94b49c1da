//! The rules of the standard, one by one, each cut at every place.

use std::ops::ControlFlow;

use super::*;

type Event = (String, String, String, bool);

fn run(pieces: &[&[u8]], max_item: usize) -> Vec<Event> {
    let mut decoder = SseDecoder::new(max_item);
    let mut events = Vec::new();
    let mut out = |body: Body<'_>| {
        let Body::Event(event) = body else { panic!("no event: {body:?}") };
        let data = String::from_utf8_lossy(event.data).into_owned();
        events.push((event.event.to_owned(), data, event.id.to_owned(), event.truncated));
        ControlFlow::Continue(())
    };
    for piece in pieces {
        assert!(decoder.feed(piece, &mut out).is_continue());
    }
    assert!(decoder.finish(false, &mut out).is_continue());
    events
}

/// The same events wherever the input is cut.
fn all(input: &str, max_item: usize) -> Vec<Event> {
    let input = input.as_bytes();
    let whole = run(&[input], max_item);
    assert_eq!(run(&input.chunks(1).collect::<Vec<_>>(), max_item), whole, "byte by byte");
    for cut in 0..input.len() {
        assert_eq!(run(&[&input[..cut], &input[cut..]], max_item), whole, "cut at {cut}");
    }
    whole
}

fn data(input: &str) -> Vec<String> {
    all(input, 1000)
        .into_iter()
        .map(|(_, data, _, truncated)| if truncated { panic!("truncated") } else { data })
        .collect()
}

#[test]
fn line_ends_of_every_kind() {
    for end in ["\n", "\r", "\r\n"] {
        assert_eq!(data(&"data: a|data: b||data: c||".replace('|', end)), ["a\nb", "c"], "{end:?}");
    }
    assert_eq!(data("data: a\r\n\ndata: b\n\r\ndata: c\r\r"), ["a", "b", "c"]);
}

#[test]
fn fields() {
    assert_eq!(data("\u{feff}data: a\n\n"), ["a"]);
    assert_eq!(data("data: a\n\n\u{feff}data: b\n\n"), ["a"]);
    assert_eq!(data("data:a\n\ndata:  b\n\ndata\n\ndata:\n\n"), ["a", " b", "", ""]);
    assert_eq!(data("data\ndata\n\n"), ["\n"]);
    assert_eq!(
        data(": comment\n\ndata: a\n: in between\ndata: b\nretry: 5\nother: x\nother\n\n\n\n"),
        ["a\nb"]
    );
    assert_eq!(data("data: a:b\n\n"), ["a:b"]);
    let events = all(
        "event: one\nid: 1\ndata: a\n\ndata: b\n\nevent: lost\n\nid: x\0y\ndata: c\n\nid\ndata: d\n\n",
        1000,
    );
    let expected = [("one", "a", "1"), ("", "b", "1"), ("", "c", "1"), ("", "d", "")];
    assert_eq!(
        events.iter().map(|(e, d, i, _)| (e.as_str(), d.as_str(), i.as_str())).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn the_last_event_needs_no_blank_line() {
    assert_eq!(data("data: a\n\ndata: b\n"), ["a", "b"]);
    assert_eq!(data("data: a\n\ndata: b"), ["a", "b"]);
    assert_eq!(data("data: a\n\nevent: b"), ["a"]);
    let mut decoder = SseDecoder::new(100);
    let mut seen = Vec::new();
    let mut out = |body: Body<'_>| {
        if let Body::Event(event) = body {
            seen.push((event.data.to_vec(), event.truncated));
        }
        ControlFlow::Continue(())
    };
    let _ = decoder.feed(b"data: half", &mut out);
    let _ = decoder.finish(true, &mut out);
    assert_eq!(seen, [(b"half".to_vec(), true)]);
}

#[test]
fn long_events_are_cut_and_the_next_is_whole() {
    let long = "x".repeat(50);
    let events = all(&format!("data: {long}\n\ndata: {long}\ndata: y\n\nevent: e\ndata: 0123456789\n\n"), 10);
    let cut = "x".repeat(10);
    let expected = [("", cut.as_str(), true), ("", cut.as_str(), true), ("e", "0123456789", false)];
    assert_eq!(events.iter().map(|(e, d, _, t)| (e.as_str(), d.as_str(), *t)).collect::<Vec<_>>(), expected);
    let huge = "y".repeat(5000);
    let events = all(&format!("event: {huge}\nid: {huge}\n:{huge}\ndata: a\n\n"), 10);
    assert_eq!(events, [(huge[..1024].to_owned(), "a".to_owned(), huge[..1024].to_owned(), false)]);
}

#[test]
fn memory_is_bounded() {
    let mut decoder = SseDecoder::new(1000);
    for piece in [&b"data: "[..], &[b'x'; 100_000], b"\ndata: ", &[b'y'; 100_000], b"\n:", &[b'z'; 100_000]] {
        for part in piece.chunks(777) {
            let _ = decoder.feed(part, &mut |_| ControlFlow::Continue(()));
            assert!(decoder.held_bytes() < 10_000, "{}", decoder.held_bytes());
        }
    }
}

#[test]
fn a_gap_costs_the_events_it_touches() {
    let mut decoder = SseDecoder::new(1000);
    let mut seen = Vec::new();
    let mut out = |body: Body<'_>| {
        if let Body::Event(event) = body {
            seen.push(String::from_utf8_lossy(event.data).into_owned());
        }
        ControlFlow::Continue(())
    };
    let _ = decoder.feed(b"data: 1\n\ndata: 2", &mut out);
    decoder.gap();
    let _ = decoder.feed(b"\ndata: part of the torn one\n\ndata: 3\n\n", &mut out);
    decoder.gap();
    let _ = decoder.feed(b"\n\ndata: 4\n\n", &mut out);
    assert_eq!(seen, ["1", "3", "4"]);
}

#[test]
fn it_stops_when_nothing_more_is_wanted() {
    let mut count = 0;
    let flow = SseDecoder::new(100).feed(b"data: 1\n\ndata: 2\n\n", &mut |_| {
        count += 1;
        ControlFlow::Break(())
    });
    assert!(flow.is_break() && count == 1);
}

/// The standard's algorithm written down as it stands, on a whole text.
fn reference(input: &str) -> Vec<(String, String, String)> {
    let input = input.strip_prefix('\u{feff}').unwrap_or(input).replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut event, mut data, mut id) = (Vec::new(), String::new(), String::new(), String::new());
    let mut lines: Vec<&str> = input.split('\n').collect();
    // Not in the standard: the end of the stream ends the last event.
    lines.push("");
    for line in lines {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                events.push((event.clone(), data.clone(), id.clone()));
            }
            data.clear();
            event.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "event" => value.clone_into(&mut event),
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            _ => {}
        }
    }
    events
}

proptest::proptest! {
    #[test]
    fn agrees_with_the_standard(parts in proptest::collection::vec(proptest::sample::select(vec![
        "data", "event", "id", ":", " ", "\n", "\r", "\r\n", "x", "\0", "data: {}", "\n\n", "\u{feff}", "é",
    ]), 0..60), sizes in proptest::collection::vec(1..9_usize, 1..20)) {
        let input: String = parts.concat();
        let mut pieces = Vec::new();
        let mut rest = input.as_bytes();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let events: Vec<_> = run(&pieces, 10_000).into_iter().map(|(event, data, id, _)| (event, data, id)).collect();
        proptest::prop_assert_eq!(events, reference(&input));
    }
}
