//! The files that have probes: shared, upgraded, overwritten, deleted.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use agent_capture::CaptureConfig;

use crate::harness::{Server, Session, Stream, go_on, read_line};

/// The system's libssl.
fn libssl() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found =
        folders.iter().map(|folder| Path::new(folder).join("libssl.so.3")).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no libssl.so.3");
    }
    found
}

/// Runs a client that loads libssl from a folder. `changed` is done once it has loaded it.
fn run(
    session: &mut Session,
    server: &Server,
    folder: &Path,
    changed: impl FnOnce(&mut Session, &mut Child),
) {
    let mut command = server.client(&["say:loaded", "wait", "get:/echo", "read:65536"]);
    command.env("LD_LIBRARY_PATH", folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let guard = session.capture.inherit_from_self().unwrap();
    let mut child = command.spawn().unwrap();
    drop(guard);
    assert_eq!(read_line(&mut child), "loaded");
    let pid = child.id();
    // The file is found when it is mapped; asking again waits until it was looked at.
    session.capture.add_pid(pid).unwrap();
    changed(session, &mut child);
    go_on(&mut child);
    session.wait(child);
    let id = session.collected.order.iter().rfind(|id| id.tgid == pid).unwrap();
    let number = session.collected.order.len() - 1;
    assert_eq!(Stream::whole(&session.collected.streams[id].egress), server.kept(number).0);
}

#[test]
fn a_library_that_is_upgraded_overwritten_or_deleted_is_followed() {
    let Some(system) = libssl() else { return };
    let config = CaptureConfig {
        detach_unused: Duration::from_millis(200),
        watchdog_ms: 0,
        ..CaptureConfig::default()
    };
    let Some(mut session) = Session::start(&config) else { return };
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("libssl.so.3");
    std::fs::copy(&system, &library).unwrap();
    run(&mut session, &server, directory.path(), |_, _| {});
    // Upgraded as package managers do it: another file under the same name.
    std::fs::copy(&system, directory.path().join("new")).unwrap();
    std::fs::rename(directory.path().join("new"), &library).unwrap();
    run(&mut session, &server, directory.path(), |_, _| {});
    // Overwritten in place: the same file, with other content.
    let mut content = std::fs::read(&system).unwrap();
    content.push(0);
    std::fs::write(&library, content).unwrap();
    run(&mut session, &server, directory.path(), |_, _| {});
    // Deleted while a process uses it: its probes stay for as long as it does.
    run(&mut session, &server, directory.path(), |session, _| {
        std::fs::remove_file(&library).unwrap();
        assert!(session.stats().attached_objects > 0);
    });
    // Each was in use before anybody knew it.
    assert!(session.stats().late_objects > 0, "{:?}", session.stats());
    // Nobody has any of them mapped any more.
    session.poll_until("detaching", |session| session.stats().attached_objects == 0);
    assert_eq!(session.stats().attached_probes, 0);
    assert_eq!(session.stats().failed_objects, 0);
}

#[test]
fn a_library_of_many_processes_is_attached_once() {
    // The processes are started without a look at the events in between.
    let config = CaptureConfig { watchdog_ms: 0, ..CaptureConfig::default() };
    let Some(mut session) = Session::start(&config) else { return };
    let server = Server::start();
    session.run(&mut server.client(&["get:/echo", "read:65536"]));
    let once = session.stats();
    let children: Vec<_> =
        (0..40).map(|_| session.spawn(&mut server.client(&["get:/echo", "read:65536"]))).collect();
    for child in children {
        session.wait(child);
    }
    let stats = session.stats();
    assert_eq!(
        (stats.attached_objects, stats.attached_probes),
        (once.attached_objects, once.attached_probes)
    );
    assert_eq!(session.collected.order.len(), 41);
}
