//! JSONL with one exchange a line, bodies in base64, as test recorders write it; and the raw-wire form, one connection a line.

use std::collections::BTreeMap;

use agent_wire::{Direction, Headers, RequestHead, ResponseHead, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

use super::recorded::{Recorded, is_tls};

/// What a line holds.
pub(super) enum Line {
    /// One exchange.
    Exchange(Box<Recorded>),
    /// The bytes of one connection.
    Wire(Wire),
    /// The messages of a WebSocket session.
    WebSocket(Transcript),
}

/// The messages of one WebSocket session in order: sent by the client or not, and the text.
pub(super) struct Transcript {
    pub(super) id: String,
    pub(super) url: Option<String>,
    pub(super) messages: Vec<(bool, Vec<u8>)>,
}

/// Both directions of a connection and the order in which their pieces were seen.
pub(super) struct Wire {
    pub(super) id: String,
    client: Vec<u8>,
    server: Vec<u8>,
    sequence: Vec<(Direction, usize)>,
}

impl Wire {
    /// The pieces in order. Bytes that the sequence does not cover come at the end.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Direction, &[u8])> {
        let (mut client, mut server) = (self.client.as_slice(), self.server.as_slice());
        let mut pieces = Vec::with_capacity(self.sequence.len() + 2);
        for (direction, length) in &self.sequence {
            let rest = match direction {
                Direction::Egress => &mut client,
                Direction::Ingress => &mut server,
            };
            let (piece, after) = rest.split_at_checked(*length).unwrap_or((rest, &[]));
            *rest = after;
            pieces.push((*direction, piece));
        }
        pieces.push((Direction::Egress, client));
        pieces.push((Direction::Ingress, server));
        pieces.into_iter().filter(|(_, piece)| !piece.is_empty())
    }
}

#[derive(Deserialize)]
struct ExchangeLine {
    id: Option<Value>,
    request: RequestLine,
    response: Option<ResponseLine>,
    #[serde(default)]
    content_encoding_state: String,
}

#[derive(Deserialize)]
struct RequestLine {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    #[serde(default)]
    body_b64: Option<String>,
}

#[derive(Deserialize)]
struct ResponseLine {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    #[serde(default)]
    body_b64: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct WireLine {
    conn: Value,
    #[serde(default)]
    c2s: String,
    #[serde(default)]
    s2c: String,
    #[serde(default)]
    seq: Vec<(Side, usize)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    C2s,
    S2c,
}

/// Reads a line. `number` (from 1) is the id of an exchange that has none.
pub(super) fn parse(line: &[u8], number: u64) -> Result<Line, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
    let has = |key: &str| value.get(key).is_some();
    if has("request") {
        exchange(value, number).map(|recorded| Line::Exchange(Box::new(recorded)))
    } else if has("c2s") || has("s2c") {
        wire(value).map(Line::Wire)
    } else if has("frames") {
        transcript(&value, number).map(Line::WebSocket)
    } else {
        Err("neither an exchange (`request`, `response`) nor a raw connection (`conn`, `c2s`, `s2c`)"
            .to_owned())
    }
}

fn exchange(value: Value, number: u64) -> Result<Recorded, String> {
    let line: ExchangeLine =
        serde_json::from_value(value).map_err(|error| format!("not an exchange: {error}"))?;
    let already_decoded = line.content_encoding_state == "already-removed";
    let heads = |fields: BTreeMap<String, Values>| {
        let mut headers = Headers::new();
        for (name, values) in fields {
            match values {
                Values::One(value) => headers.push(name, value),
                Values::Many(values) => {
                    values.into_iter().for_each(|value| headers.push(name.clone(), value));
                }
            }
        }
        if already_decoded {
            headers.retain(|name, _| !name.eq_ignore_ascii_case("content-encoding"));
        }
        headers
    };
    let response = match line.response {
        Some(ResponseLine { status, headers, body_b64 }) => Some((
            ResponseHead { status, version: Version::Http11, headers: heads(headers) },
            bytes("response.body_b64", body_b64.as_deref())?,
        )),
        None => None,
    };
    let RequestLine { method, url, headers, body_b64 } = line.request;
    Ok(Recorded {
        id: line.id.map_or_else(|| number.to_string(), text),
        tls: is_tls(&url),
        request_body: bytes("request.body_b64", body_b64.as_deref())?,
        request: RequestHead { method, target: url, version: Version::Http11, headers: heads(headers) },
        response,
        times: None,
    })
}

fn transcript(value: &Value, number: u64) -> Result<Transcript, String> {
    let word = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let frames = value.get("frames").and_then(Value::as_array).ok_or("`frames` is no array")?;
    let messages = frames.iter().filter(|frame| frame.get("kind").is_none_or(|kind| kind == "message"));
    let messages = messages.map(|frame| {
        let sent = frame.get("direction").is_some_and(|direction| direction == "sent");
        let data = match frame.get("data") {
            Some(Value::String(text)) => text.clone().into_bytes(),
            Some(data) => data.to_string().into_bytes(),
            None => Vec::new(),
        };
        (sent, data)
    });
    let id = word("id").or_else(|| word("source")).unwrap_or_else(|| number.to_string());
    Ok(Transcript { id, url: word("url"), messages: messages.collect() })
}

fn wire(value: Value) -> Result<Wire, String> {
    let line: WireLine =
        serde_json::from_value(value).map_err(|error| format!("not a raw connection: {error}"))?;
    Ok(Wire {
        id: text(line.conn),
        client: bytes("c2s", Some(&line.c2s))?,
        server: bytes("s2c", Some(&line.s2c))?,
        sequence: line
            .seq
            .into_iter()
            .map(|(side, length)| {
                (if matches!(side, Side::C2s) { Direction::Egress } else { Direction::Ingress }, length)
            })
            .collect(),
    })
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn bytes(field: &str, text: Option<&str>) -> Result<Vec<u8>, String> {
    STANDARD.decode(text.unwrap_or_default()).map_err(|error| format!("`{field}` is not base64: {error}"))
}
