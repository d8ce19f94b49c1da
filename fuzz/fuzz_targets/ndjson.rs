//! NDJSON: any bytes as lines; the same however they are cut, and what the lines are is what splitting the text gives.
#![no_main]

mod wire;

use libfuzzer_sys::fuzz_target;
use wire::Item;

fuzz_target!(|input: &[u8]| {
    let (sizes, body) = wire::sizes(input);
    let response = [b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n", body].concat();
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let whole = wire::exchange(request, &response, &[usize::MAX]);
    assert_eq!(wire::exchange(request, &response, &[1]), whole);
    assert_eq!(wire::exchange(request, &response, &sizes), whole);
    let items = &whole.0[&0].response_items;
    if items.iter().any(|item| !matches!(item, Item::Line(..))) {
        // It began like an event stream.
        return;
    }
    let most = wire::limits().max_item;
    let mut lines = body.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for item in items {
        let Item::Line(data, truncated) = item else { unreachable!() };
        let line = lines
            .find(|line| !line[..line.len().min(most)].iter().all(u8::is_ascii_whitespace))
            .expect("every line comes from the body");
        assert_eq!((data.as_slice(), *truncated), (&line[..line.len().min(most)], line.len() > most));
    }
});
