//! Recorded raw connections (`raw-wire/*.jsonl` of the corpus that `WIRESPAN_CORPUS` names): every exchange comes out complete.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failure is a failed test"
)]

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use agent_wire::{Limits, RequestHead, ResponseHead, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Feed, Item, Note, Notes};
use serde_json::Value;

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("WIRESPAN_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: WIRESPAN_CORPUS is not set, so that there are no recordings to replay");
    }
    folder
}

fn lines(folder: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let lines: Vec<(String, Value)> = text
            .lines()
            .enumerate()
            .map(|(n, line)| (format!("{name}:{}", n + 1), serde_json::from_str(line).unwrap()))
            .collect();
        lines
    };
    files.into_iter().flat_map(read).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).unwrap()
}

/// Replays the segments as they were sent, each in pieces of at most `most` bytes. `None` when the recorder's order is impossible.
fn play(connection: &Value, most: usize) -> Notes {
    let [c2s, s2c] = ["c2s", "s2c"].map(|name| bytes(&connection[name]));
    let mut rest: HashMap<&str, &[u8]> = [("c2s", c2s.as_slice()), ("s2c", s2c.as_slice())].into();
    let mut feed = Feed::new();
    for segment in connection["seq"].as_array().unwrap() {
        let direction = segment[0].as_str().unwrap();
        let length = usize::try_from(segment[1].as_u64().unwrap()).unwrap();
        let (piece, after) = rest[direction].split_at(length);
        rest.insert(direction, after);
        for part in piece.chunks(most) {
            feed.send(direction == "s2c", part);
        }
    }
    assert!(rest.values().all(|rest| rest.is_empty()), "the segments are all of the bytes");
    feed.close();
    feed.notes
}

fn chunked(response: &[Note]) -> bool {
    matches!(response.first(), Some(Note::Response(_, head)) if head.headers.get("transfer-encoding") == Some("chunked"))
}

#[test]
fn recorded_connections_come_out_complete() {
    let Some(folder) = corpus() else { return };
    let (mut exchanges, mut events) = (0, 0);
    for (name, connection) in lines(&folder.join("raw-wire")) {
        let notes = play(&connection, usize::MAX);
        let whole = notes.per_exchange();
        let heads = bytes(&connection["c2s"]).windows(11).filter(|part| part == b" HTTP/1.1\r\n").count();
        assert_eq!(whole.len(), heads, "{name}");
        let ends_with_last_chunk = bytes(&connection["s2c"]).ends_with(b"\r\n0\r\n\r\n");
        for (id, requests, responses, end) in &whole {
            let (Some(Note::RequestEnd(_, request)), Some(Note::ResponseEnd(_, response))) =
                (requests.last(), responses.last())
            else {
                panic!("{name} exchange {id} has no end: {responses:?}");
            };
            // A client that had enough of an event stream hung up: what was recorded stops in the middle of it.
            let cut_off = *id + 1 == heads as u64 && chunked(responses) && !ends_with_last_chunk;
            assert_eq!(
                (request.truncated, response.truncated),
                (false, cut_off),
                "{name} exchange {id}: {response:?}"
            );
            assert_eq!((request.lost_bytes, response.lost_bytes), (0, 0), "{name} exchange {id}");
            assert_eq!((&request.undecodable, &response.undecodable), (&None, &None), "{name} exchange {id}");
            assert!(!end.as_ref().unwrap().attached_mid_stream, "{name} exchange {id}");
            for item in notes.response_items(*id) {
                if matches!(item, Item::Event { data, .. } if serde_json::from_slice::<Value>(&data).is_ok())
                {
                    events += 1;
                }
            }
            exchanges += 1;
        }
        for most in [1, 13] {
            assert_eq!(play(&connection, most).per_exchange(), whole, "{name} in pieces of {most}");
        }
    }
    assert!(exchanges > 100 && events > 50, "{exchanges} exchanges, {events} events with JSON");
}

fn headers(fields: &Value) -> agent_wire::Headers {
    let fields = fields.as_object().into_iter().flatten();
    fields
        .flat_map(|(name, values)| {
            let values = values.as_array().cloned().unwrap_or_default();
            values.into_iter().map(|value| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        })
        .collect()
}

#[test]
fn recorded_bodies_decode_whatever_the_recorder_did_to_them() {
    let Some(folder) = corpus() else { return };
    let (mut streams, mut messages, mut elements, mut coded) = (0, 0, 0, 0);
    for (name, line) in lines(&folder) {
        let (Some(request), Some(response)) = (line["request"].as_object(), line["response"].as_object())
        else {
            continue;
        };
        let request_head = RequestHead {
            method: request["method"].as_str().unwrap_or_default().to_owned(),
            target: request["url"].as_str().unwrap_or_default().to_owned(),
            version: Version::Http11,
            headers: headers(&request["headers"]),
        };
        let response_head = ResponseHead {
            status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
            version: Version::Http11,
            headers: headers(&response["headers"]),
        };
        let (request, response) = (bytes(&request["body_b64"]), bytes(&response["body_b64"]));
        let mut notes = Notes::default();
        let answer = Some((&response_head, response.as_slice()));
        agent_wire::replay((&request_head, &request), answer, Limits::default(), &mut notes);
        let end = notes.response_end(0);
        let known = |fields: &agent_wire::Headers| {
            !fields.get("content-encoding").is_some_and(|name| name.contains("aws-chunked"))
        };
        if known(&request_head.headers) {
            assert_eq!((&notes.request_end(0).undecodable, &end.undecodable), (&None, &None), "{name}");
        }
        let items = notes.response_items(0);
        if line["content_encoding_state"] == "compressed-as-recorded" {
            coded += 1;
            assert_ne!(end.decoded_bytes, response.len() as u64, "{name}");
        } else {
            assert_eq!(end.decoded_bytes, response.len() as u64, "{name}");
        }
        let is_json = |item: &Item| match item {
            Item::Event { data, .. } | Item::Line(data, _) | Item::Element(data, _) => {
                data == b"[DONE]" || serde_json::from_slice::<Value>(data).is_ok()
            }
            Item::Message(_, data, _) => serde_json::from_slice::<Value>(data).is_ok(),
            Item::Data(_) | Item::Frame(..) | Item::Gap(_) | Item::Other(_) => false,
        };
        // What is called a stream may still be an error in one JSON text.
        let whole =
            matches!(items.as_slice(), [Item::Data(data)] if matches!(data.first(), Some(b'{' | b'[')));
        if line["stream"] == "eventstream" && !response.is_empty() && !whole {
            // Every checksum was right, and every message came.
            assert!(items.iter().all(|item| matches!(item, Item::Message(_, _, false))), "{name}: {items:?}");
            let lengths =
                items.iter().map(|item| if let Item::Message(_, data, _) = item { data.len() } else { 0 });
            assert!(lengths.sum::<usize>() > response.len() / 4, "{name}");
            messages += items.len();
        }
        if line["stream"] == "json-array" && !response.is_empty() && !whole {
            assert!(
                items.iter().all(|item| matches!(item, Item::Element(_, false)) && is_json(item)),
                "{name}: {items:?}"
            );
            if line["content_encoding_state"] != "compressed-as-recorded" {
                let all: Vec<Value> = serde_json::from_slice(&response).unwrap();
                assert_eq!(items.len(), all.len(), "{name}");
            }
            elements += items.len();
        }
        if matches!(line["stream"].as_str(), Some("sse" | "ndjson")) && !response.is_empty() && !whole {
            streams += 1;
            assert!(items.iter().any(is_json), "{name}: {items:?}");
        }
    }
    assert!(streams > 100 && coded > 10, "{streams} streams, {coded} coded");
    assert!(elements > 5, "{elements} elements of JSON arrays");
    assert!(messages > 500, "{messages} messages of event streams");
}
