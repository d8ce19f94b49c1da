//! Bytes captured are the bytes that the server saw.

use std::process::Command;

use crate::harness::{Server, Session, Stream, program};

#[test]
fn a_python_client_is_captured_byte_for_byte() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    session.run(&mut server.client(&["post:1000", "read:65536", "post:300000", "read:65536"]));
    let stream = session.collected.only();
    let (received, sent) = server.kept(0);
    assert!(received.len() > 301_000);
    assert_eq!(Stream::whole(&stream.egress), received);
    assert_eq!(Stream::whole(&stream.ingress), sent);
    assert_eq!(stream.closed, Some((received.len() as u64, sent.len() as u64)));
    assert_eq!(session.stats().lost_bytes(), 0);
    let process =
        session.collected.processes.iter().rfind(|process| process.pid == session.collected.order[0].tgid);
    let process = process.unwrap();
    assert!(
        process.command.starts_with("python")
            && process.arguments.iter().any(|text| text.ends_with("client.py"))
    );
    assert_eq!(process.start_time, session.collected.order[0].start_time);
}

#[test]
fn curl_is_captured_from_its_first_byte() {
    let (Some(curl), Some(mut session)) = (program("curl"), Session::default()) else { return };
    let server = Server::start();
    session.run(Command::new(curl).args(["-sk", "--http1.1", "-d", "hello", &server.url("/echo")]));
    let stream = session.collected.only();
    let (received, sent) = server.kept(0);
    assert!(Stream::whole(&stream.egress).starts_with(b"POST /echo HTTP/1.1\r\n"));
    assert_eq!(Stream::whole(&stream.egress), received);
    assert_eq!(Stream::whole(&stream.ingress), sent);
}

#[test]
fn wget_is_captured_through_gnutls() {
    let (Some(wget), Some(mut session)) = (program("wget"), Session::default()) else { return };
    let server = Server::start();
    let (body, answer) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(body.path(), "w".repeat(300_000)).unwrap();
    let mut command = Command::new(wget);
    command
        .args(["-q", "--no-check-certificate", "-O"])
        .arg(answer.path())
        .arg("--post-file")
        .arg(body.path());
    session.run(command.arg(server.url("/echo")));
    assert_eq!(std::fs::read(answer.path()).unwrap(), [b'w'; 300_000]);
    let stream = session.collected.only();
    let (received, sent) = server.kept(0);
    assert_eq!(Stream::whole(&stream.egress), received);
    assert_eq!(Stream::whole(&stream.ingress), sent);
    assert_eq!(session.stats().lost_bytes(), 0);
}

#[test]
fn node_is_captured_through_its_own_executable() {
    let (Some(node), Some(mut session)) = (program("node"), Session::default()) else { return };
    let server = Server::start();
    let script = format!(
        "process.env.NODE_TLS_REJECT_UNAUTHORIZED='0';
         (async () => {{ for (let i = 0; i < 3; i++) {{
            const answer = await fetch('{}', {{ method: 'POST', body: 'n'.repeat(50000) }});
            if ((await answer.text()).length != 50000) process.exit(1);
         }} }})()",
        server.url("/echo"),
    );
    session.run(Command::new(node).args(["--no-warnings", "-e", &script]));
    // It may open a second connection when the first is not free yet.
    let mut total = 0;
    for (number, id) in session.collected.order.iter().enumerate() {
        let stream = &session.collected.streams[id];
        let (received, sent) = server.kept(number);
        total += received.len();
        assert_eq!(Stream::whole(&stream.egress), received);
        assert_eq!(Stream::whole(&stream.ingress), sent);
    }
    assert!(total > 150_000);
}

#[test]
fn a_request_head_in_tiny_writes_is_captured() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    let steps = ["write:G", "write:ET", "write: /echo HTTP/1.1\\r\\nhost: x\\r\\n", "write:\\r\\n", "read:1"];
    session.run(&mut server.client(&steps));
    let stream = session.collected.only();
    let (received, sent) = server.kept(0);
    assert_eq!(Stream::whole(&stream.egress), received);
    assert_eq!(Stream::whole(&stream.ingress), sent);
}

#[test]
fn what_is_not_http_is_skipped_and_counted() {
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    session.run(&mut server.client(&[
        "write:\\x16\\x03 not http at all",
        "raw:18",
        "write:EHLO example\\r\\n",
        "raw:14",
    ]));
    assert!(session.collected.streams.is_empty());
    let stats = session.stats();
    assert_eq!((stats.chunks, stats.skipped_bytes, stats.lost_bytes()), (0, 2 * (18 + 14), 0));
}

#[test]
fn each_of_many_short_clients_is_captured_whole() {
    let (Some(curl), Some(mut session)) = (program("curl"), Session::default()) else { return };
    let server = Server::start();
    for _ in 0..50 {
        session.run(Command::new(&curl).args(["-sk", "--http1.1", "-d", "hello", &server.url("/echo")]));
    }
    assert_eq!(session.collected.order.len(), 50);
    for (number, id) in session.collected.order.iter().enumerate() {
        let stream = &session.collected.streams[id];
        let (received, sent) = server.kept(number);
        assert_eq!(Stream::whole(&stream.egress), received);
        assert_eq!(Stream::whole(&stream.ingress), sent);
        assert!(stream.closed.is_some());
    }
    assert_eq!(session.collected.exited.len(), 50);
    assert_eq!(session.stats().processes, 0);
}
