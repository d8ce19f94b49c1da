//! Content codings: any bytes under any of them, alone and stacked. Where the decoder sees whole bytes the result does not depend on
//! the pieces; broken brotli and zstd may lose what the piece with the fault held, but nothing is ever different.
#![no_main]

mod wire;

use libfuzzer_sys::fuzz_target;
use wire::{Item, Notes};

const CODINGS: [&str; 10] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, br",
    "x-gzip, gzip",
    "zstd, deflate",
    "br, zstd, gzip",
    "identity, gzip",
    "deflate, deflate",
];

fn body(notes: &Notes) -> Vec<u8> {
    let items = notes.0[&0].response_items.iter();
    items
        .flat_map(|item| if let Item::Data(data) = item { data.clone() } else { panic!("{item:?}") })
        .collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((coding, input)) = input.split_first() else { return };
    let coding = CODINGS[usize::from(*coding) % CODINGS.len()];
    let (sizes, coded) = wire::sizes(input);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {coding}\r\n\r\n");
    let response = [head.as_bytes(), coded].concat();
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let whole = wire::exchange(request, &response, &[usize::MAX]);
    let end = whole.0[&0].response_end.as_ref().expect("a response");
    assert!(
        end.decoded_bytes <= wire::limits().max_decoded && end.decoded_bytes == body(&whole).len() as u64
    );
    for sizes in [&[1][..], &sizes] {
        let parts = wire::exchange(request, &response, sizes);
        let broken = end.undecodable.is_some();
        if broken && (coding.contains("br") || coding.contains("zstd")) {
            let (whole, parts) = (body(&whole), body(&parts));
            assert!(whole.starts_with(&parts) || parts.starts_with(&whole));
        } else {
            assert_eq!(parts, whole, "{coding}");
        }
    }
});
