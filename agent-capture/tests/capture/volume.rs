//! Much at once: nothing is lost with the default settings, and what is lost with others is counted to the byte.

use agent_capture::CaptureConfig;

use crate::harness::{Server, Session, Stream, patient};

fn everything_is_captured(count: usize, size: usize) {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    let read = format!("read:{size}");
    session.run(&mut server.client(&[&format!("get:/many/{count}/{size}"), &read]));
    let stream = session.collected.only();
    let (received, sent) = server.kept(0);
    assert!(sent.len() > count * size);
    assert_eq!(session.stats().lost_bytes(), 0, "{:?}", session.stats());
    assert_eq!(Stream::whole(&stream.egress), received);
    assert!(Stream::whole(&stream.ingress) == sent, "the bytes read differ from those sent");
    assert_eq!(stream.closed, Some((received.len() as u64, sent.len() as u64)));
}

#[test]
fn many_small_reads() {
    everything_is_captured(20_000, 200);
}

#[test]
fn many_full_reads() {
    everything_is_captured(4000, 16_384);
}

#[test]
fn many_threads_on_connections_of_their_own() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    let steps = ["post:3000", "read:65536"].repeat(40);
    session.run(&mut server.client(&[&["threads:12"], steps.as_slice()].concat()));
    assert_eq!(session.stats().lost_bytes(), 0, "{:?}", session.stats());
    let mut captured: Vec<_> = session.collected.streams.values().collect();
    let mut captured: Vec<_> = captured
        .drain(..)
        .map(|stream| (Stream::whole(&stream.egress), Stream::whole(&stream.ingress)))
        .collect();
    let mut kept: Vec<_> = (0..12).map(|number| server.kept(number)).collect();
    captured.sort_unstable();
    kept.sort_unstable();
    assert!(captured == kept, "the streams differ from what the server saw");
}

#[test]
fn one_write_of_twenty_megabytes() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    session.run(&mut server.client(&["post:20971520", "read:65536"]));
    let stream = session.collected.only();
    let (received, _) = server.kept(0);
    assert_eq!(session.stats().lost_bytes(), 0, "{:?}", session.stats());
    assert!(Stream::whole(&stream.egress) == received, "the bytes written differ from those received");
}

#[test]
fn what_a_small_ring_loses_is_counted_to_the_byte() {
    // The watchdog would keep the ring from filling.
    let config = CaptureConfig { ring_bytes: 256 << 10, drain_interval_ms: 200, watchdog_ms: 0, ..patient() };
    let Some(mut session) = Session::start(&config) else { return };
    let server = Server::start();
    // Nothing is taken until the client has ended, so most of it must be lost.
    let mut child = session.spawn(&mut server.client(&["get:/many/500/16384", "read:16384"]));
    assert!(child.wait().unwrap().success());
    session.drain();
    let stats = session.stats();
    let stream = session.collected.only();
    let (received, sent) = server.kept(0);
    assert!(stats.lost_ring_full_bytes > 7 << 20, "{stats:?}");
    assert_eq!(stats.lost_bytes(), stats.lost_ring_full_bytes);
    assert_eq!(stats.bytes + stats.lost_bytes() + stats.skipped_bytes, (received.len() + sent.len()) as u64);
    // What did come is at its right place.
    for (offset, chunk) in &stream.ingress {
        let offset = usize::try_from(*offset).unwrap();
        assert!(sent[offset..offset + chunk.len()] == chunk[..]);
    }
}

#[test]
fn the_tail_of_a_call_past_the_bound_is_counted() {
    let config = CaptureConfig { max_call_bytes: 100_000, ..patient() };
    let Some(mut session) = Session::start(&config) else { return };
    let server = Server::start();
    session.run(&mut server.client(&["post:150000", "read:65536", "post:10", "read:65536"]));
    let stats = session.stats();
    let stream = session.collected.only();
    let (received, _) = server.kept(0);
    assert_eq!(stats.lost_call_bound_bytes, 50_000);
    assert_eq!(Stream::bytes(&stream.egress) + 50_000, received.len() as u64);
    let (offset, last) = stream.egress.last().unwrap();
    assert_eq!(*offset + last.len() as u64, received.len() as u64, "the offset goes on past what was lost");
}

#[test]
fn connections_past_the_table_are_counted() {
    let config = CaptureConfig { max_connections: 1, ..patient() };
    let Some(mut session) = Session::start(&config) else { return };
    let server = Server::start();
    session.run(&mut server.client(&["get:/echo", "read:65536", "fork", "get:/echo", "read:65536"]));
    let kept = |number| {
        let (received, sent) = server.kept(number);
        (received.len() + sent.len()) as u64
    };
    assert_eq!(session.stats().bytes, kept(0));
    assert_eq!(session.stats().lost_table_full_bytes, kept(1));
}
