//! OpenSSL and BoringSSL inside executables without symbols.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::harness::{Server, Session, Stream, program};

/// The executable of Bun, where `cargo xtask setup --full` puts it.
fn bun() -> Option<std::path::PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients");
    let clients = std::env::var_os("WIRESPAN_CLIENTS").map_or(target, Into::into);
    let path = clients.join("executables/node_modules/bun/bin/bun");
    if !path.is_file() {
        println!("skipped: no Bun: `cargo xtask setup --full` installs it");
        return None;
    }
    Some(path)
}

#[test]
fn bun_is_captured_though_it_has_no_symbols() {
    let (Some(bun), Some(mut session)) = (bun(), Session::default()) else { return };
    let server = Server::start();
    let script = format!(
        "process.env.NODE_TLS_REJECT_UNAUTHORIZED='0';
         for (let i = 0; i < 3; i++) {{
            const answer = await fetch('{}', {{ method: 'POST', body: 'b'.repeat(500000) }});
            if ((await answer.text()).length != 500000) process.exit(1);
         }}",
        server.url("/echo"),
    );
    session.run(Command::new(bun).args(["-e", &script]));
    let mut total = 0;
    for (number, id) in session.collected.order.iter().enumerate() {
        let stream = &session.collected.streams[id];
        let (received, sent) = server.kept(number);
        total += received.len();
        assert_eq!(Stream::whole(&stream.egress), received);
        assert_eq!(Stream::whole(&stream.ingress), sent);
    }
    assert!(total > 1_500_000, "{total}");
    assert_eq!(session.stats().lost_bytes(), 0);
}

#[test]
fn a_stripped_static_openssl_is_captured_and_its_handles_end() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/capture/static_client.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-s", "-static", "-o"]).args([&program, &source]).args(["-lssl", "-lcrypto"]);
    if !compiler.output().is_ok_and(|made| made.status.success()) {
        println!("skipped: no C compiler, or no static OpenSSL (Debian's libssl-dev)");
        return;
    }
    let Some(mut session) = Session::default() else { return };
    let server = Server::start();
    let port = server.url("").rsplit(':').next().unwrap().to_owned();
    // One after the other, so that they get the same handle: its end leaves no trace, its new beginning does.
    session.run(Command::new(&program).args([&port, "4", "300000"]));
    assert_eq!(session.collected.order.len(), 4);
    for (number, id) in session.collected.order.iter().enumerate() {
        let stream = &session.collected.streams[id];
        let (received, sent) = server.kept(number);
        assert!(received.len() > 300_000);
        assert_eq!(Stream::whole(&stream.egress), received);
        assert_eq!(Stream::whole(&stream.ingress), sent);
    }
    assert_eq!(session.stats().lost_bytes(), 0);
}

#[test]
fn the_tools_of_nss_are_captured() {
    let (Some(client), Some(mut session)) = (program("tstclnt"), Session::default()) else { return };
    let server = Server::start();
    let body = "n".repeat(100_000);
    let request = format!(
        "POST /echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let port = server.url("").rsplit(':').next().unwrap().to_owned();
    // -D: without a data base of certificates; -o: whatever the certificate.
    let mut child = session.spawn(Command::new(client).args(["-D", "-o", "-h", "127.0.0.1", "-p", &port]));
    let mut answer = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut answer, &mut std::io::sink()));
    child.stdin.as_mut().unwrap().write_all(request.as_bytes()).unwrap();
    // It waits for the server to close, and the server for it.
    session.poll_until("the answer", |session| {
        session.collected.streams.values().any(|stream| Stream::bytes(&stream.ingress) > body.len() as u64)
    });
    child.kill().unwrap();
    session.wait(child);
    reader.join().unwrap().unwrap();
    let stream = session.collected.only();
    let (received, sent) = server.kept(0);
    assert!(received.len() > 100_000);
    assert_eq!(Stream::whole(&stream.egress), received);
    assert_eq!(Stream::whole(&stream.ingress), sent);
    assert_eq!(session.stats().lost_bytes(), 0);
}
