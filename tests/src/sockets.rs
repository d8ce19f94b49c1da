//! A provider over WebSocket: a Python server of its own beside the stand-in, with the stand-in's certificate, and what it saw.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

use agent_capture::{CaptureEvent, Direction as Way};
use agent_wire::{
    Body, Connection, Direction, ExchangeEnd, ExchangeId, Interest, Limits, MessageEnd, Nanos, RequestHead,
    ResponseHead, Sink, WsKind,
};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use wirespan::capture_file::{Frame, Reader};

use crate::process::{self, Running};
use crate::programs::{self, Program};
use crate::standin::{Facts, Standin};

/// A running server; it stops when dropped.
#[derive(Debug)]
pub struct SocketServer {
    running: Running,
    port: u16,
}

/// What it saw.
#[derive(Debug, Default)]
pub struct Sessions {
    /// What each span must say.
    pub facts: Vec<Facts>,
    /// Each connection's text messages: those of the client, those of the server, in order.
    pub messages: BTreeMap<u64, (Vec<String>, Vec<String>)>,
    /// The extensions agreed on, of each connection.
    pub extensions: Vec<String>,
}

/// One line that it prints.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    port: Option<u16>,
    connection: u64,
    sender: String,
    text: String,
    extensions: Option<String>,
    facts: Option<serde_json::Value>,
}

impl SocketServer {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When Python is not installed for the tests, or the server does not come up.
    pub fn start(standin: &Standin) -> Result<Self> {
        let (certificate, key) = standin.identity();
        let mut command = Command::new(programs::find(Program::Python)?);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(programs::script("websocket/server.py")).arg(certificate).arg(key);
        let mut running = process::start(&mut command)?;
        running.wait_for("its port", |stdout, _| stdout.contains('\n'))?;
        let first: Line = line(running.stdout()?.lines().next().unwrap_or_default())?;
        let port = first.port.context("the server's first line has no port")?;
        Ok(Self { running, port })
    }

    /// `wss://localhost:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("wss://localhost:{}", self.port)
    }

    /// What it saw so far.
    ///
    /// # Errors
    /// When it printed something else.
    pub fn sessions(&mut self) -> Result<Sessions> {
        let mut sessions = Sessions::default();
        for text in self.running.stdout()?.lines().skip(1) {
            let line = line(text)?;
            if let Some(facts) = &line.facts {
                sessions.facts.push(facts_of(facts)?);
                continue;
            }
            sessions.extensions.extend(line.extensions);
            let (client, server) = sessions.messages.entry(line.connection).or_default();
            match line.sender.as_str() {
                "client" => client.push(line.text),
                "server" => server.push(line.text),
                _ => {}
            }
        }
        Ok(sessions)
    }
}

fn line(text: &str) -> Result<Line> {
    serde_json::from_str(text).with_context(|| format!("the server printed {text}"))
}

fn facts_of(value: &serde_json::Value) -> Result<Facts> {
    let text = |key: &str| value.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    Ok(Facts {
        operation: text("operation").context("operation")?,
        model: text("model").context("model")?,
        id: text("id").context("id")?,
        input: value.get("input").and_then(serde_json::Value::as_u64),
        output: value.get("output").and_then(serde_json::Value::as_u64),
        finish: text("finish"),
        stream: value.get("stream").and_then(serde_json::Value::as_bool).unwrap_or_default(),
        ..Facts::default()
    })
}

/// The text messages of one captured connection.
#[derive(Debug, Default)]
struct Heard {
    client: Vec<String>,
    server: Vec<String>,
    fault: Option<String>,
    ended: bool,
}

impl Heard {
    fn take(&mut self, request: bool, body: &Body<'_>) -> Interest {
        match body {
            Body::Frame(message) if message.kind == WsKind::Text => {
                let side = if request { &mut self.client } else { &mut self.server };
                side.push(String::from_utf8_lossy(message.data).into_owned());
                if message.truncated {
                    self.fault = Some("a message is cut".to_owned());
                }
            }
            Body::Frame(_) => {}
            other => self.fault = Some(format!("{other:?}")),
        }
        Interest::Full
    }

    fn end(&mut self, end: &MessageEnd) {
        if end.truncated || end.lost_bytes > 0 || end.undecodable.is_some() {
            self.fault = Some(format!("{end:?}"));
        }
    }
}

impl Sink for Heard {
    fn request_head(&mut self, _: ExchangeId, _: RequestHead, _: Nanos) -> Interest {
        Interest::Full
    }
    fn request_body(&mut self, _: ExchangeId, body: Body<'_>, _: Nanos) -> Interest {
        self.take(true, &body)
    }
    fn request_end(&mut self, _: ExchangeId, end: MessageEnd) {
        self.end(&end);
    }
    fn response_head(&mut self, _: ExchangeId, _: ResponseHead, _: Nanos) -> Interest {
        Interest::Full
    }
    fn response_body(&mut self, _: ExchangeId, body: Body<'_>, _: Nanos) -> Interest {
        self.take(false, &body)
    }
    fn response_end(&mut self, _: ExchangeId, end: MessageEnd) {
        self.end(&end);
    }
    fn exchange_end(&mut self, _: ExchangeId, end: ExchangeEnd) {
        self.ended = end.upgraded;
    }
}

/// The messages in a raw capture file are those of the server, each byte of them.
///
/// # Errors
/// Names what differs.
pub fn equal(file: &Path, sessions: &Sessions) -> Result<()> {
    let input = File::open(file).with_context(|| format!("could not open {}", file.display()))?;
    let mut reader = Reader::new(BufReader::new(input)).with_context(|| format!("{}", file.display()))?;
    let mut connections = BTreeMap::new();
    while let Some(frame) = reader.next_frame().with_context(|| format!("{}", file.display()))? {
        match frame {
            Frame::Event(CaptureEvent::Chunk(chunk)) => {
                let (wire, heard) = connections
                    .entry(chunk.connection)
                    .or_insert_with(|| (Connection::new(Limits::default()), Heard::default()));
                let way = match chunk.direction {
                    Way::Egress => Direction::Egress,
                    Way::Ingress => Direction::Ingress,
                };
                wire.push(way, chunk.offset, chunk.ktime, &chunk.bytes, heard);
            }
            Frame::Event(CaptureEvent::Closed { connection, egress_end, ingress_end, ktime }) => {
                if let Some((wire, heard)) = connections.get_mut(&connection) {
                    wire.close(Some((egress_end, ingress_end)), ktime, heard);
                }
            }
            _ => {}
        }
    }
    let mut wanted: Vec<_> = sessions.messages.values().cloned().collect();
    for (connection, (_, heard)) in connections {
        if let Some(fault) = heard.fault {
            bail!("{connection:?}: {fault}");
        }
        ensure!(heard.ended, "{connection:?}: the session has not ended");
        let found = (heard.client, heard.server);
        let place = wanted.iter().position(|wanted| *wanted == found);
        let place = place.with_context(|| {
            format!(
                "{connection:?}: {} messages of the client and {} of the server are nobody's",
                found.0.len(),
                found.1.len()
            )
        })?;
        wanted.swap_remove(place);
    }
    ensure!(wanted.is_empty(), "{} sessions are not in the capture", wanted.len());
    Ok(())
}
