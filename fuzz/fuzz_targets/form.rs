//! Any bytes as a form (multipart/form-data), cut anywhere.
#![no_main]

use agent_genai::{Decoder, DecoderOptions};
use agent_wire::{Body, ExchangeEnd, MessageEnd, RequestHead, Role, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((size, body)) = data.split_first() else { return };
    let model = |size: usize| {
        let options = DecoderOptions { content: true, max_body: 4096, hosts: Vec::new() };
        let head = RequestHead {
            method: "POST".to_owned(),
            target: "/v1/audio/transcriptions".to_owned(),
            version: Version::Http11,
            headers: [("content-type", "multipart/form-data; boundary=x")].into_iter().collect(),
        };
        let mut fold = Decoder::new(options).begin(&head, Role::Client, true, 0).expect("a path of the API");
        for piece in body.chunks(size) {
            fold.request_body(Body::Data(piece), 0);
            assert!(fold.held_bytes() < 2 << 20, "{} bytes held", fold.held_bytes());
        }
        fold.request_end(&MessageEnd::default());
        fold.finish(&ExchangeEnd::default())
            .into_iter()
            .next()
            .map(|call| (call.request.model, call.request.messages))
    };
    // Where the body is cut does not matter.
    assert_eq!(model(usize::from(*size) + 1), model(body.len().max(1)));
});
