//! The API over a real socket: lists, filters, following, lookup, errors, and the socket file itself.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

use agent_genai::Record;
use tokio::sync::watch;

use super::*;
use crate::console::{Filter, StatusFilter, fixture::record};

struct Served {
    store: Arc<Store>,
    path: PathBuf,
    ending: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

async fn serve() -> Served {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run/wirespan.sock");
    let store = Arc::new(Store::new(1 << 20, 100));
    let (ending, receiver) = watch::channel(false);
    let listener = listen(&path, None).await.expect("listens");
    let status = Arc::new(|| StatusReport { version: "9".into(), ..StatusReport::default() });
    let api = Api { store: Arc::clone(&store), status, ending: receiver };
    tokio::spawn(async move { axum::serve(listener, router(api)).await });
    Served { store, path, ending, _folder: folder }
}

fn named(id: &str, model: &str) -> Record {
    let mut record = record();
    record.span_id = id.into();
    record.attributes.insert("gen_ai.request.model".into(), model.into());
    record
}

async fn ids(lines: &mut Lines, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let Some(line) = lines.next().await.expect("a line") else { break };
        ids.push(serde_json::from_slice::<Record>(&line).expect("a record").span_id);
    }
    ids
}

#[tokio::test]
async fn lists_filters_and_lookups() {
    let served = serve().await;
    served.store.push(named("aa01", "gpt-4o"));
    served.store.push(named("aa02", "claude"));
    served.store.push(named("bb03", "gpt-4o"));
    let client = Client::new(&served.path);
    let mut all = client.lines("/v1/calls").await.expect("lines");
    assert_eq!(ids(&mut all, 9).await, ["aa01", "aa02", "bb03"]);
    let query = CallsQuery {
        last: Some(1),
        follow: false,
        filter: Filter { model: Some("gpt*".into()), status: Some(StatusFilter::Ok), ..Filter::default() },
    };
    let mut one = client.lines(&format!("/v1/calls?{}", query.encode())).await.expect("lines");
    assert_eq!(ids(&mut one, 9).await, ["bb03"]);
    let found: Record = client.call("bb").await.expect("found");
    assert_eq!(found.span_id, "bb03");
    let missing = client.call::<Record>("cc").await.expect_err("missing").to_string();
    assert!(missing.contains("no call has the id `cc`"), "{missing}");
    let ambiguous = client.call::<Record>("aa").await.expect_err("ambiguous").to_string();
    assert!(ambiguous.contains("2 calls"), "{ambiguous}");
    let wrong = client.lines("/v1/calls?modell=x").await.expect_err("unknown").to_string();
    assert!(wrong.contains("unknown parameter `modell`"), "{wrong}");
    let status: StatusReport = client.json("/v1/status").await.expect("a report");
    assert_eq!(status.version, "9");
}

#[tokio::test]
async fn followers_are_fed_and_let_go_at_the_end() {
    let served = serve().await;
    served.store.push(named("aa01", "m"));
    let mut lines = Client::new(&served.path).lines("/v1/calls?follow=true&last=1").await.expect("lines");
    assert_eq!(ids(&mut lines, 1).await, ["aa01"]);
    served.store.push(named("aa02", "m"));
    assert_eq!(ids(&mut lines, 1).await, ["aa02"]);
    served.ending.send(true).expect("sent");
    assert!(lines.next().await.expect("an end").is_none());
}

#[tokio::test]
async fn the_socket_is_private_and_never_taken_from_a_living_daemon() {
    let served = serve().await;
    let mode = std::fs::metadata(&served.path).expect("stat").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(matches!(listen(&served.path, None).await, Err(SocketError::InUse(_))));
    let other = served.path.with_file_name("file");
    std::fs::write(&other, "x").expect("write");
    assert!(matches!(listen(&other, None).await, Err(SocketError::NotASocket(_))));
    let stale = served.path.with_file_name("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).expect("bind"));
    assert!(listen(&stale, None).await.is_ok(), "a socket that nobody listens on is replaced");
    let nogroup = listen(&served.path.with_file_name("g"), Some("no-such-group-here")).await;
    assert!(matches!(nogroup, Err(SocketError::NoSuchGroup(_))));
    let absent = Client::new(&served.path.with_file_name("absent")).json::<StatusReport>("/v1/status").await;
    assert!(absent.expect_err("absent").to_string().contains("wirespan run"));
}

#[test]
fn metrics_are_in_the_text_format() {
    let mut report = StatusReport::default();
    report.capture.lost_fault_bytes = 3;
    report.export = vec![Destination { name: "a\"b".into(), sent: 7, ..Destination::default() }];
    let text = prometheus(&report);
    assert!(text.contains("wirespan_lost_bytes_total{cause=\"fault\"} 3\n"), "{text}");
    assert!(text.contains("wirespan_exported_total{destination=\"ab\"} 7\n"), "{text}");
    for line in text.lines() {
        assert!(line.starts_with("# ") || line.starts_with("wirespan_"), "{line}");
    }
}
