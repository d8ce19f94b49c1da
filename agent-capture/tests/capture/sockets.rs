//! Connections without TLS: every system call that moves bytes, byte for byte.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread::JoinHandle;

use agent_capture::{CaptureConfig, PlainHttp, PlainMode};

use crate::harness::{Session, Stream, patient, python};

/// A client that uses this call after that: each line of `steps` is one. It ends its direction, and reads to the end.
const CLIENT: &str = "
import os, socket, sys, tempfile
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
s.sendall(b'POST /x HTTP/1.1\\r\\n')
file = tempfile.TemporaryFile()
file.write(b'f' * 5000)
file.seek(0)
exec(sys.argv[2])
s.shutdown(socket.SHUT_WR)
while s.recv(65536): pass
s.close()
";

/// Sends `answer` and then takes everything that comes, which it returns.
fn server(answer: &'static [u8]) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(answer).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received
    });
    (port, thread)
}

fn on_port(port: u16) -> CaptureConfig {
    let plain_http = PlainHttp { mode: PlainMode::Ports, ports: vec![port], ..PlainHttp::default() };
    CaptureConfig { plain_http, ..patient() }
}

fn run(port: u16, steps: &str) -> Option<Session> {
    let mut session = Session::start(&on_port(port))?;
    session.run(Command::new(python()).args(["-c", CLIENT, &port.to_string(), steps]));
    Some(session)
}

#[test]
fn every_call_on_a_socket_is_accounted() {
    let (port, thread) = server(b"HTTP/1.1 200 OK\r\n\r\nabcdefghijklmnopqrstuvwxyz");
    let steps = "
s.send(b'a: b\\r\\n')
os.write(s.fileno(), b'c: d\\r\\n')
os.writev(s.fileno(), [b'e', b'', b': ', b'f\\r\\n'])
s.sendmsg([b'g: ', b'h\\r\\n\\r\\n', b'x' * 100000])
s.sendmsg([b'%02d' % n for n in range(20)])
assert s.recv(10, socket.MSG_PEEK) == s.recv(10)
assert len(os.read(s.fileno(), 3)) == 3
one, two = bytearray(4), bytearray(5)
assert os.readv(s.fileno(), [one, two]) == 9
assert s.recvmsg_into([one, two], 0, socket.MSG_PEEK)[0] == 9
assert s.recvmsg_into([one, two])[0] == 9
s.setblocking(False)
s.setblocking(True)
";
    let Some(session) = run(port, steps) else { return };
    let received = thread.join().unwrap();
    let stream = session.collected.only();
    assert_eq!(Stream::whole(&stream.egress), received);
    assert_eq!(Stream::whole(&stream.ingress), b"HTTP/1.1 200 OK\r\n\r\nabcdefghijklmnopqrstuvwxyz");
    assert_eq!(stream.closed, Some((received.len() as u64, 45)));
    assert_eq!(stream.shutdowns, 1);
    let remote = stream.peer.and_then(|peer| peer.remote).unwrap();
    assert_eq!(remote.to_string(), format!("127.0.0.1:{port}"));
    assert_eq!(session.stats().lost_bytes(), 0);
}

#[test]
fn what_shows_no_buffer_is_counted_and_what_follows_is_in_its_place() {
    let (port, thread) = server(b"");
    let steps = "
s.send(b'content-length: 5040\\r\\n\\r\\n')
assert os.sendfile(s.fileno(), file.fileno(), 0, 5000) == 5000
assert s.sendmsg([b'y'] * 40) == 40
s.send(b'end')
";
    let Some(session) = run(port, steps) else { return };
    let received = thread.join().unwrap();
    let stream = session.collected.only();
    let captured = Stream::bytes(&stream.egress);
    let stats = session.stats();
    assert!(stats.lost_unseen_bytes >= 5000, "{stats:?}");
    assert_eq!(captured + stats.lost_bytes(), received.len() as u64, "captured and counted is sent");
    for (offset, bytes) in &stream.egress {
        let offset = usize::try_from(*offset).unwrap();
        assert_eq!(bytes[..], received[offset..][..bytes.len()]);
    }
    assert_eq!(stream.closed, Some((received.len() as u64, 0)));
}

#[test]
fn other_ports_and_tls_records_are_left_alone() {
    let (port, thread) = server(b"");
    let Some(mut session) = Session::start(&on_port(port.wrapping_add(1))) else { return };
    session.run(Command::new(python()).args(["-c", CLIENT, &port.to_string(), ""]));
    thread.join().unwrap();
    assert!(session.collected.streams.is_empty());
    drop(session);
    let (port, thread) = server(b"");
    // A client whose first bytes are a TLS record, and whose later ones look like a request.
    let client = CLIENT.replace("POST /x HTTP/1.1\\r\\n", "\\x16\\x03\\x01\\x00\\x05");
    let Some(mut session) = Session::start(&on_port(port)) else { return };
    let steps = "s.send(b'POST / HTTP/1.1\\r\\n\\r\\n')";
    session.run(Command::new(python()).args(["-c", &client, &port.to_string(), steps]));
    thread.join().unwrap();
    assert!(session.collected.streams.is_empty());
}
