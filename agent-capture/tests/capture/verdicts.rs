//! Verdicts, and how the kernel switches itself back on.

use agent_capture::{Verdict, Verdicts};

use crate::harness::{Server, Session, Stream, go_on, read_line};

/// Two requests with a pause in between, in which the verdict is set with `seen` bytes of egress.
fn with_verdict_between(verdict: Verdict, seen: impl Fn(u64) -> u64) -> Option<(Session, Server)> {
    let mut session = Session::default()?;
    let server = Server::start();
    let steps = [
        "get:/many/3/1000",
        "read:65536",
        "say:first",
        "wait",
        "write:x",
        "write:y",
        "say:second",
        "wait",
        "post:700",
        "read:65536",
    ];
    let mut child = session.spawn(&mut server.client(&steps));
    assert_eq!(read_line(&mut child), "first");
    session.drain();
    let id = session.collected.order[0];
    let egress = Stream::bytes(&session.collected.streams[&id].egress);
    let verdicts: Verdicts = session.capture.verdicts();
    assert!(verdicts.set(&id, verdict, seen(egress)).unwrap());
    go_on(&mut child);
    assert_eq!(read_line(&mut child), "second");
    go_on(&mut child);
    // The server takes the two stray bytes for the beginning of the next request's method, and answers all the same.
    session.wait(child);
    assert_eq!(session.collected.disorder, Vec::<String>::new());
    Some((session, server))
}

#[test]
fn heads_only_ends_with_the_next_request() {
    let Some((session, server)) = with_verdict_between(Verdict::HeadsOnly, |seen| seen) else { return };
    let (received, sent) = server.kept(0);
    let stream = session.collected.only();
    let first = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let mut expected = received.clone();
    expected.drain(first..first + 2);
    let captured: Vec<u8> = stream.egress.iter().flat_map(|(_, chunk)| chunk.clone()).collect();
    assert_eq!(
        captured, expected,
        "the two bytes between the requests are skipped, the request after them is whole"
    );
    assert!(
        stream
            .egress
            .iter()
            .any(|(offset, chunk)| *offset == first as u64 + 2 && chunk.starts_with(b"POST "))
    );
    assert_eq!(Stream::whole(&stream.ingress), sent);
    assert_eq!(session.stats().skipped_bytes, 2);
}

#[test]
fn a_verdict_from_before_the_newest_request_is_dropped() {
    let Some((session, server)) = with_verdict_between(Verdict::Ignore, |_| 0) else { return };
    assert_eq!(Stream::whole(&session.collected.only().egress), server.kept(0).0);
    assert_eq!(session.stats().skipped_bytes, 0);
}

#[test]
fn ignore_is_for_good() {
    let Some((session, server)) = with_verdict_between(Verdict::Ignore, |seen| seen) else { return };
    let (received, sent) = server.kept(0);
    let stats = session.stats();
    assert!(stats.skipped_bytes > 700);
    assert_eq!(stats.bytes + stats.skipped_bytes, (received.len() + sent.len()) as u64);
    let stream = session.collected.only();
    assert_eq!(
        stream.closed,
        Some((received.len() as u64, sent.len() as u64)),
        "the ends count what was skipped"
    );
}

#[test]
fn a_verdict_for_a_connection_that_is_gone_is_no_error() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    session.run(&mut server.client(&["get:/echo", "read:65536"]));
    let id = session.collected.order[0];
    assert!(!session.capture.set_verdict(&id, Verdict::Ignore, 1).unwrap());
}
