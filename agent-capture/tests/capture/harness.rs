//! What the tests share: a recording TLS server, clients, and a capture whose events are collected.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent_capture::{
    Capture, CaptureConfig, CaptureEvent, CaptureStats, ConnectionId, Direction, InheritGuard, Peer,
    ProcessInfo, StreamChunk,
};

/// Longest that a client may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Captures run one after the other, because a capture takes in the children of this process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A capture for a test, or `None` when this host does not allow one (which fails the test where `WIRESPAN_REQUIRE_BPF` is 1).
pub(crate) fn start(config: &CaptureConfig) -> Option<(Capture, MutexGuard<'static, ()>)> {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    match Capture::start(config) {
        Ok(capture) => Some((capture, turn)),
        Err(error) => {
            let required = std::env::var_os("WIRESPAN_REQUIRE_BPF").is_some_and(|value| value == "1");
            assert!(!required, "WIRESPAN_REQUIRE_BPF is set, and the capture did not start: {error}");
            println!("skipped: {error}");
            None
        }
    }
}

/// Default settings without the watchdog: tests wait for their clients without polling, and on a slow machine that is longer than it allows.
pub(crate) fn patient() -> CaptureConfig {
    CaptureConfig { watchdog_ms: 0, ..CaptureConfig::default() }
}

/// A program that the tests need, or `None` with a message when it is not installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found =
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: {name} is not installed");
    }
    found
}

/// The real Python interpreter, not a script in front of it.
pub(crate) fn python() -> PathBuf {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/capture").join(name)
}

/// A TLS server that keeps what it received and sent.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    directory: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", "/CN=localhost", "-keyout"])
            .args([&key, Path::new("-out"), &certificate])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let mut child = Command::new(python())
            .arg(source("server.py"))
            .args([directory.path(), &certificate, &key])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap(), directory }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// What the server received and sent on its `number`th connection.
    pub(crate) fn kept(&self, number: usize) -> (Vec<u8>, Vec<u8>) {
        let read = |end| fs::read(self.directory.path().join(format!("{number}.{end}"))).unwrap();
        (read("in"), read("out"))
    }

    /// `client.py` with these steps, not started yet.
    pub(crate) fn client(&self, steps: &[&str]) -> Command {
        let mut command = Command::new(python());
        command.arg(source("client.py")).arg(self.port.to_string()).args(steps);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection as it was captured.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) egress: Vec<(u64, Vec<u8>)>,
    pub(crate) ingress: Vec<(u64, Vec<u8>)>,
    /// Ends of egress and ingress.
    pub(crate) closed: Option<(u64, u64)>,
    pub(crate) peer: Option<Peer>,
    pub(crate) shutdowns: usize,
}

impl Stream {
    /// The bytes of one direction, which must be without a hole from offset 0 on.
    pub(crate) fn whole(chunks: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (offset, chunk) in chunks {
            assert_eq!(*offset, bytes.len() as u64, "a hole, or chunks out of order");
            bytes.extend_from_slice(chunk);
        }
        bytes
    }

    pub(crate) fn bytes(chunks: &[(u64, Vec<u8>)]) -> u64 {
        chunks.iter().map(|(_, chunk)| chunk.len() as u64).sum()
    }
}

/// Everything that a capture handed over.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) processes: Vec<ProcessInfo>,
    pub(crate) exited: Vec<u32>,
    /// In order of appearance.
    pub(crate) order: Vec<ConnectionId>,
    pub(crate) streams: HashMap<ConnectionId, Stream>,
    /// Whether a chunk came before its process, or after its connection's end.
    pub(crate) disorder: Vec<String>,
}

impl Collected {
    pub(crate) fn take(&mut self, event: CaptureEvent) {
        match event {
            CaptureEvent::Process(info) => self.processes.push(*info),
            CaptureEvent::Chunk(StreamChunk { connection, direction, offset, bytes, .. }) => {
                if !self.processes.iter().any(|process| process.pid == connection.tgid) {
                    self.disorder.push(format!("a chunk of {connection:?} before its process"));
                }
                let stream = self.stream(connection);
                if stream.closed.is_some() {
                    self.disorder.push(format!("a chunk of {connection:?} after its end"));
                }
                let stream = self.stream(connection);
                match direction {
                    Direction::Egress => stream.egress.push((offset, bytes)),
                    Direction::Ingress => stream.ingress.push((offset, bytes)),
                }
            }
            CaptureEvent::Shutdown { connection, .. } => self.stream(connection).shutdowns += 1,
            CaptureEvent::Peer { connection, peer, .. } => {
                if self.stream(connection).peer.replace(peer).is_some() {
                    self.disorder.push(format!("a second peer of {connection:?}"));
                }
            }
            CaptureEvent::Closed { connection, egress_end, ingress_end, .. } => {
                self.stream(connection).closed = Some((egress_end, ingress_end));
            }
            CaptureEvent::Exited { pid, .. } => self.exited.push(pid),
        }
    }

    fn stream(&mut self, connection: ConnectionId) -> &mut Stream {
        if !self.streams.contains_key(&connection) {
            self.order.push(connection);
        }
        self.streams.entry(connection).or_default()
    }

    /// The only stream.
    pub(crate) fn only(&self) -> &Stream {
        assert_eq!(self.streams.len(), 1, "connections: {:?}", self.order);
        &self.streams[&self.order[0]]
    }
}

/// A capture whose events are collected.
pub(crate) struct Session {
    pub(crate) capture: Capture,
    pub(crate) collected: Collected,
    _turn: MutexGuard<'static, ()>,
}

impl Session {
    pub(crate) fn start(config: &CaptureConfig) -> Option<Self> {
        let (capture, turn) = start(config)?;
        Some(Self { capture, collected: Collected::default(), _turn: turn })
    }

    /// With default settings, but patient.
    pub(crate) fn default() -> Option<Self> {
        Self::start(&patient())
    }

    pub(crate) fn poll(&mut self, timeout: Duration) -> usize {
        let Self { capture, collected, .. } = self;
        capture.poll(timeout, &mut |event| collected.take(event))
    }

    /// Polls until `reached` says so.
    pub(crate) fn poll_until(&mut self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !reached(self) {
            assert!(Instant::now() < deadline, "{what} did not happen");
            self.poll(Duration::from_millis(20));
        }
    }

    /// Starts a command whose whole life is captured.
    pub(crate) fn spawn(&mut self, command: &mut Command) -> Child {
        self.capture.prepare(command.get_program(), std::env::var_os("PATH").as_deref()).unwrap();
        let _guard: InheritGuard = self.capture.inherit_from_self().unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for a command while events are taken, then takes the rest.
    pub(crate) fn wait(&mut self, mut child: Child) -> Output {
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the client hangs");
            self.poll(Duration::from_millis(20));
        }
        self.drain();
        child.wait_with_output().unwrap()
    }

    pub(crate) fn drain(&mut self) {
        let Self { capture, collected, .. } = self;
        capture.drain(&mut |event| collected.take(event)).unwrap();
    }

    /// Runs a command to its end. It must succeed.
    pub(crate) fn run(&mut self, command: &mut Command) -> Output {
        let child = self.spawn(command);
        let output = self.wait(child);
        assert!(output.status.success(), "{command:?}: {}", output.status);
        assert_eq!(self.collected.disorder, Vec::<String>::new());
        output
    }

    pub(crate) fn stats(&self) -> CaptureStats {
        self.capture.stats()
    }
}

/// Lets a client that waits for a line go on.
pub(crate) fn go_on(child: &mut Child) {
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
}

/// Waits for a line of a client's output.
pub(crate) fn read_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}
