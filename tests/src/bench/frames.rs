//! Bytes of connections for the measurements: HTTP/1.1 and HTTP/2 messages, WebSocket sessions, gRPC bodies.

use std::io::Write as _;

use serde_json::{Value, json};

use super::codecs::Traffic;

/// A POST and its answer over HTTP/1.1.
pub(super) fn http1(path: &str, request: &[u8], kind: &str, body: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut egress = format!(
        "POST {path} HTTP/1.1\r\nhost: api.example.com\r\ncontent-type: application/json\r\nanthropic-version: 2023-06-01\r\ncontent-length: {}\r\n\r\n",
        request.len()
    )
    .into_bytes();
    egress.extend_from_slice(request);
    (egress, answer(&format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len()), body))
}

fn answer(fields: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The answer in chunks of 100 bytes.
pub(super) fn chunked(kind: &str, body: &[u8]) -> Traffic {
    let mut coded = Vec::new();
    for chunk in body.chunks(100) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    let (egress, _) = http1("/x", b"{}", kind, b"");
    Traffic {
        egress,
        ingress: answer(&format!("content-type: {kind}\r\ntransfer-encoding: chunked\r\n"), &coded),
        calls: 1,
    }
}

/// The answer compressed.
pub(super) fn gzip(kind: &str, body: &[u8]) -> Traffic {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(body);
    let coded = encoder.finish().unwrap_or_default();
    let (egress, _) = http1("/x", b"{}", kind, b"");
    let fields =
        format!("content-type: {kind}\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n", coded.len());
    Traffic { egress, ingress: answer(&fields, &coded), calls: 1 }
}

/// An HTTP/2 frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(length.get(1..).unwrap_or_default());
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A header block of literal fields without indexing or Huffman coding (RFC 7541 section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            out.push(u8::try_from(text.len()).unwrap_or(126).min(126));
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

fn http2_of(kind: &str, body: &[u8], trailers: &[(&str, &str)]) -> Traffic {
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    let mut egress = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let mut ingress = Vec::new();
    frame(4, 0, 0, &[], &mut egress);
    frame(4, 0, 0, &[], &mut ingress);
    let request = block(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/x"),
        (":authority", "api.example.com"),
        ("content-type", if kind.starts_with("application/grpc") { kind } else { "application/json" }),
    ]);
    frame(1, END_HEADERS, 1, &request, &mut egress);
    frame(0, END_STREAM, 1, b"", &mut egress);
    frame(1, END_HEADERS, 1, &block(&[(":status", "200"), ("content-type", kind)]), &mut ingress);
    for piece in body.chunks(8 << 10) {
        frame(0, 0, 1, piece, &mut ingress);
    }
    if trailers.is_empty() {
        frame(0, END_STREAM, 1, b"", &mut ingress);
    } else {
        frame(1, END_HEADERS | END_STREAM, 1, &block(trailers), &mut ingress);
    }
    Traffic { egress, ingress, calls: 1 }
}

/// An exchange over HTTP/2.
pub(super) fn http2(kind: &str, body: &[u8]) -> Traffic {
    http2_of(kind, body, &[])
}

/// A gRPC stream of these messages.
pub(super) fn grpc(messages: &[Vec<u8>]) -> Traffic {
    let mut body = Vec::new();
    for message in messages {
        body.push(0);
        body.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
        body.extend_from_slice(message);
    }
    http2_of("application/grpc", &body, &[("grpc-status", "0")])
}

/// A WebSocket frame of text (RFC 6455 section 5.2). A client's is masked; with a mask of zeros the payload is as it was.
fn text_frame(text: &[u8], masked: bool, out: &mut Vec<u8>) {
    out.push(0x81);
    let mask = if masked { 0x80 } else { 0 };
    match text.len() {
        length @ 0..126 => out.push(mask | u8::try_from(length).unwrap_or(125)),
        length @ 126..0x1_0000 => {
            out.push(mask | 126);
            out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        }
        length => {
            out.push(mask | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if masked {
        out.extend_from_slice(&[0; 4]);
    }
    out.extend_from_slice(text);
}

fn session(path: &str, sent: &[Vec<u8>], received: &[Vec<u8>], calls: usize) -> Traffic {
    let mut egress = format!(
        "GET {path} HTTP/1.1\r\nhost: api.example.com\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    .into_bytes();
    let mut ingress = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: x\r\n\r\n".to_vec();
    sent.iter().for_each(|text| text_frame(text, true, &mut egress));
    received.iter().for_each(|text| text_frame(text, false, &mut ingress));
    Traffic { egress, ingress, calls }
}

/// A session in which the server says these messages.
pub(super) fn websocket(messages: &[Vec<u8>]) -> Traffic {
    session("/x", &[], messages, 1)
}

/// A Realtime session of that many responses, each of these pieces of text.
pub(super) fn realtime(words: &[String], responses: usize) -> Traffic {
    let mut sent = Vec::new();
    let mut received = vec![json!({"type": "session.created", "session": {"id": "s", "model": "m"}})];
    for number in 0..responses {
        let id = format!("resp_{number}");
        sent.push(json!({"type": "response.create"}).to_string().into_bytes());
        received.push(json!({"type": "response.created", "response": {"id": id}}));
        for word in words {
            received.push(json!({"type": "response.output_text.delta", "response_id": id, "output_index": 0, "content_index": 0, "delta": word}));
        }
        let output = json!([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": words.concat()}]}]);
        received.push(
            json!({"type": "response.done", "response": {"id": id, "status": "completed", "output": output,
            "usage": {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14}}}),
        );
    }
    let received: Vec<Vec<u8>> =
        received.iter().map(|value: &Value| value.to_string().into_bytes()).collect();
    session("/v1/realtime?model=m", &sent, &received, responses)
}
