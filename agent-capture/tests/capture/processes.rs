//! Processes: running already, forked, killed, taken out of scope.

use std::process::Command;
use std::time::Duration;

use agent_capture::{CaptureConfig, Scope};

use crate::harness::{Server, Session, Stream, go_on, patient, program, python, read_line};

#[test]
fn a_running_process_is_captured_from_its_next_request_on() {
    let server = Server::start();
    let mut command =
        server.client(&["get:/echo", "read:65536", "say:ready", "wait", "post:500", "read:65536"]);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    assert_eq!(read_line(&mut child), "ready");
    let Some(mut session) = Session::default() else {
        let _ = child.kill();
        return;
    };
    session.capture.add_pid(child.id()).unwrap();
    go_on(&mut child);
    session.wait(child);
    let stream = session.collected.only();
    let (received, sent) = server.kept(0);
    let egress = Stream::whole(&stream.egress);
    assert!(egress.starts_with(b"POST /sum ") && received.ends_with(&egress));
    assert!(sent.ends_with(&Stream::whole(&stream.ingress)));
    assert_eq!(session.collected.disorder, Vec::<String>::new());
}

#[test]
fn the_scan_at_the_start_finds_a_process_in_scope() {
    let server = Server::start();
    let mut command = server.client(&["say:ready", "wait", "get:/echo", "read:65536"]);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    assert_eq!(read_line(&mut child), "ready");
    let scope = Scope { pids: vec![child.id()], ..Scope::default() };
    let Some(mut session) = Session::start(&CaptureConfig { scope, ..patient() }) else {
        let _ = child.kill();
        return;
    };
    go_on(&mut child);
    session.wait(child);
    assert_eq!(Stream::whole(&session.collected.only().egress), server.kept(0).0);
}

#[test]
fn forked_children_are_followed_and_are_connections_of_their_own() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    session.run(&mut server.client(&["get:/echo", "read:65536", "fork", "post:100", "read:65536"]));
    assert_eq!(session.collected.order.len(), 2);
    let ids = &session.collected.order;
    assert_ne!(ids[0].tgid, ids[1].tgid);
    for (number, id) in ids[..2].iter().enumerate() {
        let (received, _) = server.kept(number);
        let egress = Stream::whole(&session.collected.streams[id].egress);
        assert!(received.starts_with(&egress) && !egress.is_empty());
    }
}

#[test]
fn a_killed_client_gives_the_end_of_its_connection() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    let mut child = session.spawn(&mut server.client(&["loop"]));
    session.poll_until("traffic", |session| session.stats().chunks > 100);
    child.kill().unwrap();
    let pid = child.id();
    session.wait(child);
    let stream = session.collected.only();
    let (egress_end, ingress_end) = stream.closed.unwrap();
    assert_eq!(Stream::bytes(&stream.egress), egress_end);
    assert_eq!(Stream::bytes(&stream.ingress), ingress_end);
    assert!(session.collected.exited.contains(&pid));
    assert_eq!(session.collected.disorder, Vec::<String>::new());
}

#[test]
fn a_command_name_brings_processes_into_scope() {
    let Some(curl) = program("curl") else { return };
    let directory = tempfile::tempdir().unwrap();
    let renamed = directory.path().join("wirespan-curl-x");
    std::fs::copy(curl, &renamed).unwrap();
    let scope = Scope { commands: vec!["wirespan-curl-x".into()], ..Scope::default() };
    let Some(mut session) = Session::start(&CaptureConfig { scope, ..patient() }) else {
        return;
    };
    session.capture.prepare_libraries().unwrap();
    assert_eq!(session.stats().late_objects, 0);
    let server = Server::start();
    for command in [&renamed, &program("curl").unwrap()] {
        let status = Command::new(command).args(["-sk", "--http1.1", &server.url("/echo")]).status().unwrap();
        assert!(status.success());
    }
    session.drain();
    assert_eq!(Stream::whole(&session.collected.only().egress), server.kept(0).0);
}

#[test]
fn an_executable_brings_processes_into_scope_and_its_libraries_are_found_as_they_are_mapped() {
    let scope = Scope { executables: vec![python()], ..Scope::default() };
    let server = Server::start();
    let Some(mut session) = Session::start(&CaptureConfig { scope, ..patient() }) else {
        return;
    };
    // Nothing is prepared: the library is found when Python loads it. The server is Python too, and in scope.
    let mut child = server.client(&["say:loaded", "wait", "get:/echo", "read:65536"]);
    let mut child =
        child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let client = child.id();
    assert_eq!(read_line(&mut child), "loaded");
    session.poll_until("attaching", |session| session.stats().attached_probes > 0);
    go_on(&mut child);
    session.wait(child);
    let id = session.collected.order.iter().find(|id| id.tgid == client).unwrap();
    assert_eq!(Stream::whole(&session.collected.streams[id].egress), server.kept(0).0);
    assert!(session.collected.order.iter().any(|id| id.tgid != client), "the server was not captured");
}

#[test]
fn a_control_group_brings_processes_into_scope() {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let Some(mount) =
        mounts.lines().find(|line| line.contains(" cgroup2 ")).and_then(|line| line.split(' ').nth(1))
    else {
        println!("skipped: control group version 2 is not mounted");
        return;
    };
    let parent = std::path::Path::new(mount).join(format!("wirespan-test-{}", std::process::id()));
    let group = parent.join("inner");
    if let Err(error) = std::fs::create_dir_all(&group) {
        println!("skipped: no control group can be made: {error}");
        return;
    }
    let scope = Scope { cgroups: vec![parent.clone()], ..Scope::default() };
    let session = Session::start(&CaptureConfig { scope, ..patient() });
    if let Some(mut session) = session {
        session.capture.prepare_libraries().unwrap();
        let server = Server::start();
        // One that moves into a group below the one in scope, and one that stays out.
        let url = server.url("/echo");
        let enter = format!("echo $$ > {}/cgroup.procs && exec curl -sk --http1.1 {url}", group.display());
        for script in [enter, format!("exec curl -sk --http1.1 {url}")] {
            assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        }
        session.drain();
        assert_eq!(Stream::whole(&session.collected.only().egress), server.kept(0).0);
    }
    std::fs::remove_dir(&group).unwrap();
    std::fs::remove_dir(&parent).unwrap();
}

#[test]
fn a_new_program_in_the_same_process_is_announced_again() {
    let (Some(_), Some(mut session)) = (program("curl"), Session::default()) else { return };
    let server = Server::start();
    let url = server.url("/echo");
    session.run(
        Command::new("sh").args(["-c", &format!("curl -sk --http1.1 {url}; exec curl -sk --http1.1 {url}")]),
    );
    assert_eq!(session.collected.order.len(), 2);
    for (number, id) in session.collected.order.iter().enumerate() {
        assert_eq!(Stream::whole(&session.collected.streams[id].egress), server.kept(number).0);
        let mut told = session.collected.processes.iter().filter(|process| process.pid == id.tgid);
        assert!(told.next_back().unwrap().command.starts_with("curl"));
    }
}

#[test]
fn a_process_taken_out_of_scope_is_not_captured_any_more() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    let steps = ["get:/echo", "read:65536", "say:first", "wait", "get:/echo", "read:65536"];
    let mut child = session.spawn(&mut server.client(&steps));
    assert_eq!(read_line(&mut child), "first");
    session.drain();
    let before = session.stats().bytes;
    assert!(before > 0);
    session.capture.remove_pid(child.id()).unwrap();
    go_on(&mut child);
    session.wait(child);
    assert_eq!(session.stats().bytes, before);
    assert!(session.collected.only().closed.is_some());
}

#[test]
fn a_process_that_does_not_exist_is_an_error_that_names_it() {
    let Some(session) = Session::default() else { return };
    let error = session.capture.add_pid(4_194_304).unwrap_err().to_string();
    assert!(error.contains("4194304"), "{error}");
    assert_eq!(session.stats().processes, 0);
}

#[test]
fn detaching_under_load_does_not_disturb_the_client() {
    let server = Server::start();
    let mut command = server.client(&["loop"]);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    for _ in 0..5 {
        let Some(mut session) = Session::default() else { break };
        session.capture.add_pid(child.id()).unwrap();
        session.poll_until("traffic", |session| session.stats().chunks > 20);
        assert_eq!(session.stats().lost_bytes(), 0);
        drop(session);
        std::thread::sleep(Duration::from_millis(10));
        assert!(child.try_wait().unwrap().is_none(), "the client ended");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
