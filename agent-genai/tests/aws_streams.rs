//! AWS event streams as bytes of a connection: what is packed in them, pieces of other streams, failures under way.

#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

#[path = "sink/mod.rs"]
mod sink;

use agent_genai::call::{Api, Operation};
use agent_genai::{Call, Decoder, DecoderOptions};
use agent_wire::{Connection, Direction, Limits};
use base64::Engine;
use serde_json::{Value, json};
use sink::Calls;

/// CRC-32 as gzip has it, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// One message with string headers.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    for (name, value) in headers {
        fields.push(u8::try_from(name.len()).unwrap());
        fields.extend_from_slice(name.as_bytes());
        fields.push(7);
        fields.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        fields.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + fields.len() + payload.len()).unwrap();
    let mut out = total.to_be_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(fields.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&crc(&out).to_be_bytes());
    out.extend_from_slice(&fields);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc(&out).to_be_bytes());
    out
}

fn event(kind: &str, payload: &[u8]) -> Vec<u8> {
    message(&[(":message-type", "event"), (":event-type", kind)], payload)
}

fn chunk(object: &Value) -> Vec<u8> {
    let bytes = base64::engine::general_purpose::STANDARD.encode(object.to_string());
    event("chunk", json!({"bytes": bytes, "p": "abcd"}).to_string().as_bytes())
}

/// One exchange, content off; the answer's media type is an event stream's.
fn exchange(host: &str, path: &str, request: &Value, response: &[Vec<u8>]) -> Vec<Call> {
    let body = request.to_string();
    let signature = "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/bedrock/aws4_request, Signature=0";
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signature}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let body = response.concat();
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);

    let decoder = Decoder::new(DecoderOptions { content: false, ..DecoderOptions::default() });
    let mut sink = Calls::new(&decoder);
    let mut connection = Connection::new(Limits::default());
    for (direction, bytes) in
        [(Direction::Egress, request.as_bytes()), (Direction::Ingress, answer.as_slice())]
    {
        let mut offset = 0;
        for piece in bytes.chunks(1000) {
            connection.push(direction, offset, 0, piece, &mut sink);
            offset += piece.len() as u64;
        }
    }
    connection.close(None, 0, &mut sink);
    sink.calls
}

#[test]
fn a_long_packed_object_is_read_whole_without_content() {
    let text = "word ".repeat(20_000);
    let object = json!({"outputText": text, "index": 0, "totalOutputTextTokenCount": 7, "inputTextTokenCount": 5,
        "completionReason": "FINISH", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 7}});
    let path = "/model/amazon.titan-text-express-v1/invoke-with-response-stream";
    let calls = exchange("localhost", path, &json!({"inputText": "x"}), &[chunk(&object)]);
    let [call] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    assert_eq!((call.usage.input, call.usage.output), (Some(5), Some(7)));
    assert_eq!(
        (call.response.finish_reasons.as_slice(), call.error.is_none()),
        (&["FINISH".to_owned()][..], true)
    );
    assert_eq!((call.http.region.as_deref(), call.provider.as_str()), (Some("eu-west-1"), "aws.bedrock"));
    assert!(call.response.messages.is_empty() && call.completeness.is_complete());
}

#[test]
fn an_exception_ends_a_stream() {
    let slow = message(
        &[(":message-type", "exception"), (":exception-type", "throttlingException")],
        br#"{"message":"slow down"}"#,
    );
    let start = event("messageStart", br#"{"role":"assistant"}"#);
    let calls = exchange("localhost", "/model/m/converse-stream", &json!({"messages": []}), &[start, slow]);
    let error = calls.first().and_then(|call| call.error.as_ref()).unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("throttlingException", "slow down"));
}

#[test]
fn endpoints_of_language_models_are_told_from_others() {
    let host = "runtime.sagemaker.us-east-1.amazonaws.com";
    let path = "/endpoints/mine/invocations-response-stream";
    let request = json!({"inputs": "x", "parameters": {"max_new_tokens": 5}});
    // A stream of its own, cut anywhere.
    let lines = "data:{\"token\":{\"id\":1,\"text\":\"a\",\"special\":false},\"generated_text\":null}\n\ndata:{\"token\":{\"id\":2,\"text\":\"b\",\"special\":false},\"generated_text\":\"ab\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":2,\"input_length\":4}}\n\n";
    let parts: Vec<Vec<u8>> = lines.as_bytes().chunks(31).map(|part| event("PayloadPart", part)).collect();
    let calls = exchange(host, path, &request, &parts);
    let [call] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    assert_eq!((call.api, call.operation), (Api::SageMaker, Operation::TextCompletion));
    assert_eq!((call.provider.as_str(), call.request.model.as_deref()), ("aws.sagemaker", Some("mine")));
    assert_eq!((call.usage.input, call.usage.output), (Some(4), Some(2)));
    assert_eq!(
        (call.response.finish_reasons.as_slice(), call.error.is_none()),
        (&["length".to_owned()][..], true)
    );

    let labels = event("PayloadPart", b"{\"label\":\"POSITIVE\",\"score\":0.9}\n");
    assert!(exchange(host, path, &request, &[labels]).is_empty());
}
