//! Framing of streams: server-sent events, and AWS event-stream messages.

use serde_json::Value;

/// Writes a server-sent event.
pub(super) fn sse(event: Option<&str>, data: &Value, out: &mut Vec<u8>) {
    if let Some(event) = event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    // JSON texts hold no line break.
    out.extend_from_slice(data.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Writes an event of an AWS event stream: lengths, checksum of them, headers, payload, checksum of everything.
pub(super) fn aws(event: &str, data: &Value, out: &mut Vec<u8>) {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", event), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let payload = data.to_string();
    let total = 16 + headers.len() + payload.len();
    let start = out.len();
    for length in [total, headers.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    let prelude = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&prelude.to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload.as_bytes());
    let message = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&message.to_be_bytes());
}
