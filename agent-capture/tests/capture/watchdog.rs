//! A reader that does not come by: once a part of the ring is full nothing is copied, every byte of it is counted, and capturing goes on by itself.

use std::time::Duration;

use agent_capture::CaptureConfig;

use crate::harness::{Server, Session, go_on, read_line};

/// Bytes of the ring.
const RING: u32 = 256 << 10;
/// What may wait in it, with one record more.
const BACKLOG: u64 = (RING / 8) as u64 + (64 << 10);

#[test]
fn a_stalled_reader_quiets_the_probes_and_what_they_leave_out_is_counted() {
    let config = CaptureConfig { watchdog_ms: 300, ring_bytes: RING, ..CaptureConfig::default() };
    let Some(mut session) = Session::start(&config) else { return };
    let server = Server::start();
    let turn = ["post:50000", "read:65536"];
    let steps =
        [&["say:ready", "wait"], &turn[..], &turn, &turn, &turn, &["say:done", "wait"], &turn].concat();
    let mut child = session.spawn(&mut server.client(&steps));
    assert_eq!(read_line(&mut child), "ready");
    session.drain();
    // Nobody polls for twice as long as the programs wait for that.
    std::thread::sleep(Duration::from_millis(600));
    go_on(&mut child);
    assert_eq!(read_line(&mut child), "done");
    let quiet = session.stats();
    let (received, sent) = server.kept(0);
    assert!(quiet.lost_quiet_bytes > 65_536, "{quiet:?}");
    assert_eq!(quiet.lost_bytes(), quiet.lost_quiet_bytes, "{quiet:?}");
    session.drain();
    let copied = session.stats().bytes;
    assert!(copied <= BACKLOG, "{copied} bytes were copied");
    assert_eq!(copied + quiet.lost_quiet_bytes, (received.len() + sent.len()) as u64);
    go_on(&mut child);
    assert!(session.wait(child).status.success());
    let stats = session.stats();
    let (received_in_all, sent_in_all) = server.kept(0);
    assert_eq!(stats.bytes + stats.lost_bytes(), (received_in_all.len() + sent_in_all.len()) as u64);
    assert_eq!(stats.lost_bytes(), quiet.lost_quiet_bytes, "{stats:?}");
    // What came after the stall is at its right place.
    let stream = session.collected.only();
    let after = stream.egress.iter().find(|(offset, _)| *offset == received.len() as u64);
    assert!(
        after.is_some_and(|(_, bytes)| bytes.starts_with(b"POST /sum")),
        "{} chunks",
        stream.egress.len()
    );
    assert_eq!(stream.closed, Some((received_in_all.len() as u64, sent_in_all.len() as u64)));
}

#[test]
fn a_pause_that_the_ring_bears_loses_nothing() {
    let config = CaptureConfig { watchdog_ms: 100, ..CaptureConfig::default() };
    let Some(mut session) = Session::start(&config) else { return };
    let server = Server::start();
    let steps = ["say:ready", "wait", "post:3000", "read:65536", "say:done", "wait"];
    let mut child = session.spawn(&mut server.client(&steps));
    assert_eq!(read_line(&mut child), "ready");
    session.drain();
    std::thread::sleep(Duration::from_millis(300));
    go_on(&mut child);
    assert_eq!(read_line(&mut child), "done");
    go_on(&mut child);
    assert!(session.wait(child).status.success());
    let stats = session.stats();
    let (received, sent) = server.kept(0);
    assert_eq!((stats.bytes, stats.lost_bytes()), ((received.len() + sent.len()) as u64, 0), "{stats:?}");
}
