//! Server-sent events: any bytes as an event stream, the same however they are cut.
#![no_main]

mod wire;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (sizes, body) = wire::sizes(input);
    for media_type in ["text/event-stream", "application/json"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\n\r\n");
        let response = [head.as_bytes(), body].concat();
        let request = b"GET / HTTP/1.1\r\n\r\n";
        let whole = wire::exchange(request, &response, &[usize::MAX]);
        assert_eq!(wire::exchange(request, &response, &[1]), whole);
        assert_eq!(wire::exchange(request, &response, &sizes), whole);
        let end = whole.0[&0].response_end.as_ref().expect("a response");
        assert_eq!(end.decoded_bytes, body.len() as u64);
    }
});
