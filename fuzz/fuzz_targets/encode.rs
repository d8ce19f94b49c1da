//! Any bytes as an exchange of one form, written in every form: nothing panics, and what is written is read again as a call.
#![no_main]

use agent_genai::encode::{self, Form, StreamEncoder};
use agent_genai::{Call, Decoder, DecoderOptions};
use agent_wire::{Body, ExchangeEnd, MessageEnd, RequestHead, ResponseHead, Role, Version};
use libfuzzer_sys::fuzz_target;

fn read(path: &str, request: &[u8], response: &[u8]) -> Option<Call> {
    let head = RequestHead {
        method: "POST".to_owned(),
        target: path.to_owned(),
        version: Version::Http11,
        headers: [("content-type", "application/json"), ("anthropic-version", "2023-06-01")]
            .into_iter()
            .collect(),
    };
    let options = DecoderOptions { content: true, max_body: 256 << 10, hosts: Vec::new() };
    let mut fold = Decoder::new(options).begin(&head, Role::Client, true, 0)?;
    fold.request_body(Body::Data(request), 1);
    fold.request_end(&MessageEnd::default());
    let answer = ResponseHead {
        status: 200,
        version: Version::Http11,
        headers: [("content-type", "application/json")].into_iter().collect(),
    };
    fold.response_head(&answer, 2);
    fold.response_body(Body::Data(response), 3);
    fold.response_end(&MessageEnd::default());
    fold.finish(&ExchangeEnd::default()).into_iter().next()
}

fuzz_target!(|data: &[u8]| {
    let paths = [
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1beta/models/m:generateContent",
        "/model/m/converse",
    ];
    let Some((first, rest)) = data.split_first() else { return };
    let mut halves = rest.splitn(2, |byte| *byte == 0);
    let request = halves.next().unwrap_or_default();
    let response = halves.next().unwrap_or_default();
    let Some(call) = read(paths[usize::from(*first) % paths.len()], request, response) else { return };
    for form in Form::ALL {
        let written = encode::request(form, &call.request).value;
        let answer = encode::response(form, &call).value.to_string();
        let _ = encode::stream(form, &call);
        let _ = StreamEncoder::new(form);
        if call.request.model.as_ref().is_some_and(|model| !model.is_empty())
            && !call.request.messages.is_empty()
        {
            assert!(
                read(&written.path, written.body.to_string().as_bytes(), answer.as_bytes()).is_some(),
                "{form:?}: {}",
                written.body
            );
        }
    }
});
