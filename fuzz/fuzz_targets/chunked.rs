//! The chunked coding: any bytes behind the head of a chunked response, the same in one piece, byte by byte and otherwise cut.
#![no_main]

mod wire;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (sizes, body) = wire::sizes(input);
    let response =
        [b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n", body].concat();
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let whole = wire::exchange(request, &response, &[usize::MAX]);
    assert_eq!(wire::exchange(request, &response, &[1]), whole);
    assert_eq!(wire::exchange(request, &response, &sizes), whole);
});
