//! The two forms of probes: multi-uprobe links, and perf events for kernels before 6.6.

use std::time::Instant;

use agent_capture::CaptureConfig;

use crate::harness::{Server, Session, Stream, patient};

/// Whether this kernel has multi-uprobe links, by its version.
fn has_multi_links() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers =
        release.split(|letter: char| !letter.is_ascii_digit()).map(|part| part.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (6u32, 6u32)
}

/// Links of this process that are multi-uprobe links, as the kernel describes them.
fn multi_links() -> usize {
    let entries = std::fs::read_dir("/proc/self/fdinfo").unwrap();
    let texts = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    texts.filter(|text| text.contains("uprobe_multi")).count()
}

#[test]
fn both_forms_capture_the_same() {
    for perf_events in [false, true] {
        let Some(mut session) = Session::start(&CaptureConfig { perf_events, ..patient() }) else {
            return;
        };
        let server = Server::start();
        session.run(&mut server.client(&["get:/echo", "read:65536", "post:5000", "read:65536"]));
        let stream = session.collected.only();
        let (received, sent) = server.kept(0);
        assert_eq!(Stream::whole(&stream.egress), received);
        assert_eq!(Stream::whole(&stream.ingress), sent);
        assert_eq!(session.capture.has_multi_links(), !perf_events && has_multi_links());
        assert_eq!(multi_links() > 0, session.capture.has_multi_links());
        let probes = session.stats().attached_probes;
        let begun = Instant::now();
        drop(session);
        println!("perf events: {perf_events}: {probes} probes detached in {:?}", begun.elapsed());
    }
}
