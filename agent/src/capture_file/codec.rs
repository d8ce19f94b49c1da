//! Payloads of the frames: capture events to bytes and back.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use agent_capture::{CaptureEvent, ConnectionId, Direction, Peer, ProcessInfo, StreamChunk};

use super::Frame;

/// Kinds of frame. Never reuse a number.
pub(super) mod kind {
    pub(crate) const HEADER: u8 = 0;
    pub(crate) const PROCESS: u8 = 1;
    pub(crate) const CHUNK: u8 = 2;
    pub(crate) const SHUTDOWN: u8 = 3;
    pub(crate) const CLOSED: u8 = 4;
    pub(crate) const EXITED: u8 = 5;
    pub(crate) const CLOCK: u8 = 6;
    pub(crate) const TICK: u8 = 7;
    pub(crate) const TOTALS: u8 = 8;
    pub(crate) const PEER: u8 = 9;
}

/// Appends the payload to `out` and returns the frame's kind.
pub(super) fn encode(frame: &Frame, out: &mut Vec<u8>) -> u8 {
    match frame {
        Frame::Event(event) => encode_event(event, out),
        Frame::Clock(offset) => {
            out.extend_from_slice(&offset.to_le_bytes());
            kind::CLOCK
        }
        Frame::Tick(ktime) => {
            put_u64(out, *ktime);
            kind::TICK
        }
        Frame::Totals { chunks, bytes, lost_bytes } => {
            put_u64(out, *chunks);
            put_u64(out, *bytes);
            put_u64(out, *lost_bytes);
            kind::TOTALS
        }
    }
}

/// As [`encode`], for an event that is borrowed.
pub(super) fn encode_event(event: &CaptureEvent, out: &mut Vec<u8>) -> u8 {
    match event {
        CaptureEvent::Process(info) => {
            let ProcessInfo {
                pid,
                parent_pid,
                namespace_pid,
                start_time,
                command,
                executable,
                arguments,
                environment,
                cgroup,
                uid,
            } = info.as_ref();
            for number in [*pid, *parent_pid, *namespace_pid, *uid] {
                put_u32(out, number);
            }
            put_u64(out, *start_time);
            put_text(out, command);
            put_text(out, &executable.to_string_lossy());
            put_text(out, cgroup);
            put_u32(out, count(arguments.len()));
            for argument in arguments {
                put_text(out, argument);
            }
            put_u32(out, count(environment.len()));
            for (name, value) in environment {
                put_text(out, name);
                put_text(out, value);
            }
            kind::PROCESS
        }
        CaptureEvent::Chunk(StreamChunk { connection, direction, offset, ktime, bytes }) => {
            put_connection(out, connection);
            out.push(match direction {
                Direction::Egress => 0,
                Direction::Ingress => 1,
            });
            put_u64(out, *offset);
            put_u64(out, *ktime);
            out.extend_from_slice(bytes);
            kind::CHUNK
        }
        CaptureEvent::Shutdown { connection, ktime } => {
            put_connection(out, connection);
            put_u64(out, *ktime);
            kind::SHUTDOWN
        }
        CaptureEvent::Peer { connection, peer, ktime } => {
            put_connection(out, connection);
            put_u64(out, *ktime);
            let Peer { remote, local_port } = peer;
            out.extend_from_slice(&local_port.unwrap_or_default().to_le_bytes());
            // Zero bytes of an address that is not known, four, or sixteen.
            if let Some(remote) = remote {
                out.extend_from_slice(&remote.port().to_le_bytes());
                match remote.ip() {
                    IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                    IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
                }
            }
            kind::PEER
        }
        CaptureEvent::Closed { connection, egress_end, ingress_end, ktime } => {
            put_connection(out, connection);
            put_u64(out, *egress_end);
            put_u64(out, *ingress_end);
            put_u64(out, *ktime);
            kind::CLOSED
        }
        CaptureEvent::Exited { pid, ktime } => {
            put_u32(out, *pid);
            put_u64(out, *ktime);
            kind::EXITED
        }
    }
}

/// Reads a payload. `None` in `Ok` is a kind that this version does not know.
pub(super) fn decode(kind: u8, payload: &[u8]) -> Result<Option<Frame>, String> {
    let mut input = Input(payload);
    let frame = match kind {
        kind::PROCESS => Frame::Event(CaptureEvent::Process(Box::new(process(&mut input)?))),
        kind::CHUNK => {
            let connection = input.connection()?;
            let direction = match input.u8()? {
                0 => Direction::Egress,
                1 => Direction::Ingress,
                other => return Err(format!("{other} is no direction")),
            };
            let (offset, ktime) = (input.u64()?, input.u64()?);
            let bytes = std::mem::take(&mut input.0).to_vec();
            Frame::Event(CaptureEvent::Chunk(StreamChunk { connection, direction, offset, ktime, bytes }))
        }
        kind::PEER => {
            let (connection, ktime) = (input.connection()?, input.u64()?);
            let peer = peer(&mut input)?;
            Frame::Event(CaptureEvent::Peer { connection, peer, ktime })
        }
        kind::SHUTDOWN => {
            Frame::Event(CaptureEvent::Shutdown { connection: input.connection()?, ktime: input.u64()? })
        }
        kind::CLOSED => Frame::Event(CaptureEvent::Closed {
            connection: input.connection()?,
            egress_end: input.u64()?,
            ingress_end: input.u64()?,
            ktime: input.u64()?,
        }),
        kind::EXITED => Frame::Event(CaptureEvent::Exited { pid: input.u32()?, ktime: input.u64()? }),
        kind::CLOCK => Frame::Clock(i64::from_le_bytes(input.array()?)),
        kind::TICK => Frame::Tick(input.u64()?),
        kind::TOTALS => Frame::Totals { chunks: input.u64()?, bytes: input.u64()?, lost_bytes: input.u64()? },
        _ => return Ok(None),
    };
    if input.0.is_empty() { Ok(Some(frame)) } else { Err(format!("{} bytes too many", input.0.len())) }
}

fn process(input: &mut Input<'_>) -> Result<ProcessInfo, String> {
    let (pid, parent_pid, namespace_pid, uid) = (input.u32()?, input.u32()?, input.u32()?, input.u32()?);
    let start_time = input.u64()?;
    let command = input.text()?;
    let executable = PathBuf::from(input.text()?);
    let cgroup = input.text()?;
    // Counts come from the file: nothing is reserved by them, and each item takes at least four bytes of it.
    let mut arguments = Vec::new();
    for _ in 0..input.u32()? {
        arguments.push(input.text()?);
    }
    let mut environment = Vec::new();
    for _ in 0..input.u32()? {
        environment.push((input.text()?, input.text()?));
    }
    Ok(ProcessInfo {
        pid,
        parent_pid,
        namespace_pid,
        start_time,
        command,
        executable,
        arguments,
        environment,
        cgroup,
        uid,
    })
}

fn peer(input: &mut Input<'_>) -> Result<Peer, String> {
    let local_port = Some(u16::from_le_bytes(input.array()?)).filter(|port| *port != 0);
    if input.0.is_empty() {
        return Ok(Peer { remote: None, local_port });
    }
    let port = u16::from_le_bytes(input.array()?);
    let ip = if input.0.len() == 4 {
        IpAddr::from(input.array::<4>()?)
    } else {
        IpAddr::from(input.array::<16>()?)
    };
    Ok(Peer { remote: Some(SocketAddr::new(ip, port)), local_port })
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or("it is too short")?;
        self.0 = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, String> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.u32()? as usize;
        let (text, rest) = self.0.split_at_checked(length).ok_or("a text is longer than the frame")?;
        self.0 = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn connection(&mut self) -> Result<ConnectionId, String> {
        Ok(ConnectionId {
            tgid: self.u32()?,
            start_time: self.u64()?,
            handle: self.u64()?,
            generation: self.u64()?,
        })
    }
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u32(out, count(text.len()));
    out.extend_from_slice(text.as_bytes());
}

fn put_connection(out: &mut Vec<u8>, connection: &ConnectionId) {
    let ConnectionId { tgid, start_time, handle, generation } = connection;
    put_u32(out, *tgid);
    put_u64(out, *start_time);
    put_u64(out, *handle);
    put_u64(out, *generation);
}

/// Lengths come from /proc and are far below 4 GiB; a longer one makes the frame unreadable rather than the writer fail.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
