//! gRPC messages: any bytes in both directions, the same however they are cut; sizes add up to what was sent.
#![no_main]

mod wire;

use libfuzzer_sys::fuzz_target;
use wire::Item;

fuzz_target!(|input: &[u8]| {
    let (sizes, body) = wire::sizes(input);
    let fields = "Content-Type: application/grpc\r\nContent-Length";
    let request = [format!("POST / HTTP/1.1\r\n{fields}: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    let response = [format!("HTTP/1.1 200 OK\r\n{fields}: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    let whole = wire::exchange(&request, &response, &[usize::MAX]);
    assert_eq!(wire::exchange(&request, &response, &[1]), whole);
    assert_eq!(wire::exchange(&request, &response, &sizes), whole);
    let told = &whole.0[&0];
    assert_eq!(told.request_items, told.response_items);
    let sizes = told.response_items.iter().map(|item| match item {
        Item::Grpc(_, bytes) => bytes + 5,
        other => panic!("{other:?}"),
    });
    let sum: u64 = sizes.sum();
    let end = told.response_end.as_ref().expect("a response");
    assert!(sum <= body.len() as u64 && (end.undecodable.is_some() || sum == body.len() as u64));
});
