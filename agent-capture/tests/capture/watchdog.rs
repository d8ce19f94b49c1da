//! A reader that does not come by: nothing is copied meanwhile, every byte of it is counted, and capturing goes on by itself.

use std::time::Duration;

use agent_capture::CaptureConfig;

use crate::harness::{Server, Session, Stream, go_on, read_line};

#[test]
fn a_stalled_reader_quiets_the_probes_and_what_they_leave_out_is_counted() {
    let config = CaptureConfig { watchdog_ms: 300, ..CaptureConfig::default() };
    let Some(mut session) = Session::start(&config) else { return };
    let server = Server::start();
    let turn = ["post:3000", "read:65536"];
    let steps = [&["say:ready", "wait"], &turn[..], &turn, &["say:done", "wait"], &turn].concat();
    let mut child = session.spawn(&mut server.client(&steps));
    assert_eq!(read_line(&mut child), "ready");
    // Nobody polls for twice as long as the programs wait for that.
    std::thread::sleep(Duration::from_millis(600));
    go_on(&mut child);
    assert_eq!(read_line(&mut child), "done");
    let quiet = session.stats();
    let (received, sent) = server.kept(0);
    assert_eq!(quiet.lost_quiet_bytes, (received.len() + sent.len()) as u64, "{quiet:?}");
    assert_eq!(quiet.lost_bytes(), quiet.lost_quiet_bytes);
    session.drain();
    assert_eq!(session.stats().bytes, 0, "something was copied");
    go_on(&mut child);
    assert!(session.wait(child).status.success());
    let stats = session.stats();
    let (received_in_all, sent_in_all) = server.kept(0);
    assert_eq!(stats.bytes + stats.lost_bytes(), (received_in_all.len() + sent_in_all.len()) as u64);
    assert_eq!(stats.lost_bytes(), quiet.lost_quiet_bytes, "{stats:?}");
    // The first byte that was captured is at its right place.
    let stream = session.collected.only();
    let (offset, first) = &stream.egress[0];
    assert_eq!(*offset, received.len() as u64);
    assert!(first.starts_with(b"POST /sum"));
    assert_eq!(Stream::bytes(&stream.egress), (received_in_all.len() - received.len()) as u64);
    assert_eq!(stream.closed, Some((received_in_all.len() as u64, sent_in_all.len() as u64)));
}
