//! Recorded connections, byte by byte as they were on the wire: every MCP request is one span, in both eras of the protocol, wherever its
//! answer came; every search in a vector store is one.
//!
//! The recordings are in the folder named by `WIRESPAN_CORPUS`; without it the test says so and ends.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::{collections::BTreeMap, fs, io, path::Path};

use agent_genai::{Compat, PriceTable, Record};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use wirespan::{
    config::ContentSection,
    decode::{Receiver, Replay, Replayer, decode},
    engine::{Bounds, Settings},
};

#[derive(Default)]
struct Got(Vec<Record>, Vec<String>);

impl Receiver for Got {
    fn record(&mut self, record: Record) -> io::Result<()> {
        self.0.push(record);
        Ok(())
    }

    fn problem(&mut self, message: &str) {
        self.1.push(message.to_owned());
    }
}

fn records(path: &Path) -> Vec<Record> {
    let settings = Settings {
        content: ContentSection::default(),
        max_body: 1 << 20,
        hosts: Vec::new(),
        compat: Compat::default(),
        prices: PriceTable::embedded(),
        source: "recording",
    };
    let replayer = Replayer::new(false, Vec::new(), Compat::default(), PriceTable::embedded());
    let replay = Replay { settings, bounds: Bounds::default(), service_names: Vec::new() };
    let mut got = Got::default();
    let file = fs::File::open(path).expect("opens");
    decode("in", file, &replayer, &replay, &mut got).expect("reads");
    assert!(got.1.is_empty(), "{:?}", got.1);
    got.0
}

/// Bodies of the requests of one direction, cut by their lengths: apart from the decoder's own framing.
fn bodies(mut bytes: &[u8]) -> Vec<Value> {
    let mut found = Vec::new();
    while let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        let (head, rest) = bytes.split_at(at + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let (body, rest) = rest.split_at(length.unwrap_or(0));
        bytes = rest;
        found.extend(serde_json::from_slice::<Value>(body));
    }
    found
}

/// Name of the span that a request must give, and how often; searches by their path are counted apart.
fn expected(path: &Path) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for line in fs::read_to_string(path).expect("reads").lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let bytes = STANDARD.decode(line["c2s"].as_str().expect("text")).expect("base64");
        for body in bodies(&bytes).iter().filter(|body| body["jsonrpc"] == "2.0" && !body["id"].is_null()) {
            let method = body["method"].as_str().expect("a method").to_owned();
            let about = body["params"]["name"]
                .as_str()
                .filter(|_| matches!(method.as_str(), "tools/call" | "prompts/get"));
            *names.entry(about.map_or(method.clone(), |about| format!("{method} {about}"))).or_default() += 1;
        }
    }
    names
}

fn text<'a>(record: &'a Record, key: &str) -> Option<&'a str> {
    record.attributes.get(key).and_then(Value::as_str)
}

#[test]
fn every_request_of_a_recorded_session_is_a_span() {
    let Some(folder) = std::env::var_os("WIRESPAN_CORPUS") else {
        eprintln!("skipped: WIRESPAN_CORPUS names no folder of recordings");
        return;
    };
    let files = fs::read_dir(Path::new(&folder).join("raw-wire")).expect("raw-wire");
    let mut sessions = 0;
    for path in files.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let records = records(&path);
        if name.starts_with("chroma") {
            let searches: Vec<&Record> = records.iter().collect();
            assert!(
                !searches.is_empty()
                    && searches.iter().all(|record| text(record, "db.system.name") == Some("chroma"))
            );
            continue;
        }
        sessions += 1;
        let expected = expected(&path);
        let mut found = BTreeMap::<String, usize>::new();
        for record in &records {
            *found.entry(record.name.clone()).or_default() += 1;
        }
        assert_eq!(found, expected, "{name}");
        for record in &records {
            assert_eq!(
                (record.kind.as_str(), record.capture.complete),
                ("CLIENT", true),
                "{name} {}",
                record.name
            );
            let error = text(record, "error.type");
            let arguments_refused = record.name == "tools/call add" && error == Some("tool_error");
            match record.name.as_str() {
                "tools/call fail" | "tools/call nope" => {
                    assert!(
                        matches!(error, Some("tool_error" | "-32602")),
                        "{name} {}: {error:?}",
                        record.name
                    );
                }
                "server/discover" | "ping" | "tools/call add" if error.is_some() => {
                    // An elder server knows no discovery, a younger one no ping.
                    assert!(
                        arguments_refused || matches!(error, Some("-32600" | "-32601")),
                        "{name} {error:?}"
                    );
                }
                _ => assert_eq!(error, None, "{name} {}", record.name),
            }
        }
        let listed = records.iter().find(|record| record.name == "tools/list").expect("a listing");
        assert_eq!(listed.attributes["wirespan.mcp.tools"].as_array().map(Vec::len), Some(5), "{name}");
        let refused = records
            .iter()
            .filter(|record| record.name == "tools/call add" && record.attributes.contains_key("error.type"));
        assert_eq!(refused.count(), 1, "{name}: one call of add has wrong arguments");
    }
    assert!(sessions > 0, "no recorded sessions");
}
