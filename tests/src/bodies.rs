//! Bodies out of a raw capture file, to be compared byte for byte with what the server saw.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use agent_capture::{CaptureEvent, ConnectionId, Direction};
use anyhow::{Context, Result, ensure};
use wirespan::capture_file::{Frame, Reader};

use crate::messages;
use crate::standin::{Fingerprint, Seen};

/// The plaintext of each connection, each direction whole from offset 0.
#[derive(Debug, Default)]
pub struct Streams {
    /// What the process wrote.
    pub egress: BTreeMap<ConnectionId, Vec<u8>>,
    /// What the process read.
    pub ingress: BTreeMap<ConnectionId, Vec<u8>>,
    /// The final (egress, ingress) lengths of closed connections, as the kernel counted them.
    pub ends: BTreeMap<ConnectionId, (u64, u64)>,
}

/// Reads a raw capture file.
///
/// # Errors
/// When the file is broken, or a stream in it has a hole.
pub fn streams(file: &Path) -> Result<Streams> {
    let input = File::open(file).with_context(|| format!("could not open {}", file.display()))?;
    let mut reader = Reader::new(BufReader::new(input)).with_context(|| format!("{}", file.display()))?;
    let mut streams = Streams::default();
    while let Some(frame) = reader.next_frame().with_context(|| format!("{}", file.display()))? {
        match frame {
            Frame::Event(CaptureEvent::Chunk(chunk)) => {
                let side = match chunk.direction {
                    Direction::Egress => &mut streams.egress,
                    Direction::Ingress => &mut streams.ingress,
                };
                let stream = side.entry(chunk.connection).or_default();
                ensure!(
                    chunk.offset == stream.len() as u64,
                    "{:?} {:?}: a chunk at {} where {} bytes are known",
                    chunk.connection,
                    chunk.direction,
                    chunk.offset,
                    stream.len()
                );
                stream.extend_from_slice(&chunk.bytes);
            }
            Frame::Event(CaptureEvent::Closed { connection, egress_end, ingress_end, .. }) => {
                streams.ends.insert(connection, (egress_end, ingress_end));
            }
            _ => {}
        }
    }
    Ok(streams)
}

/// What a raw capture file says was moved, in bytes, in all directions of all connections together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// In the file.
    pub captured: u64,
    /// Counted as lost, for any cause.
    pub lost: u64,
    /// By the kernel's count at the end of each connection.
    pub moved: u64,
}

/// Adds up a raw capture file, holes or not.
///
/// # Errors
/// When the file is broken or was not closed.
pub fn account(file: &Path) -> Result<Account> {
    let input = File::open(file).with_context(|| format!("could not open {}", file.display()))?;
    let mut reader = Reader::new(BufReader::new(input)).with_context(|| format!("{}", file.display()))?;
    let mut account = Account::default();
    let mut closed = false;
    while let Some(frame) = reader.next_frame().with_context(|| format!("{}", file.display()))? {
        match frame {
            Frame::Event(CaptureEvent::Chunk(chunk)) => account.captured += chunk.bytes.len() as u64,
            Frame::Event(CaptureEvent::Closed { egress_end, ingress_end, .. }) => {
                account.moved += egress_end + ingress_end;
            }
            Frame::Totals { bytes, lost_bytes, .. } => {
                ensure!(
                    bytes == account.captured,
                    "{bytes} bytes handed over, {} in the file",
                    account.captured
                );
                account.lost = lost_bytes;
                closed = true;
            }
            _ => {}
        }
    }
    ensure!(closed, "{} was not closed", file.display());
    Ok(account)
}

/// The captured bodies, as multisets, are those that the server saw and sent.
///
/// # Errors
/// Names what differs.
pub fn equal(file: &Path, seen: &[Seen]) -> Result<()> {
    let streams = streams(file)?;
    let is_http2 = |connection: &ConnectionId| {
        streams.egress.get(connection).is_some_and(|bytes| bytes.starts_with(messages::PREFACE))
    };
    let captured = |side: &BTreeMap<ConnectionId, Vec<u8>>| -> Result<Vec<Fingerprint>> {
        let mut found = Vec::new();
        for (connection, bytes) in side {
            let context = || format!("{connection:?}");
            if is_http2(connection) {
                let bodies = messages::http2(bytes).with_context(context)?;
                found.extend(bodies.iter().map(|body| Fingerprint::of(body)));
            } else {
                let messages = messages::split(bytes).with_context(context)?;
                found.extend(messages.iter().map(|message| Fingerprint::of(&message.body)));
            }
        }
        Ok(found)
    };
    same("request", captured(&streams.egress)?, seen.iter().map(|seen| seen.request.clone()).collect())?;
    same("response", captured(&streams.ingress)?, seen.iter().map(|seen| seen.response.clone()).collect())
}

fn same(what: &str, mut captured: Vec<Fingerprint>, mut wanted: Vec<Fingerprint>) -> Result<()> {
    let key = |print: &Fingerprint| (print.length, print.sha256.clone());
    captured.sort_by_key(key);
    wanted.sort_by_key(key);
    ensure!(
        captured.len() == wanted.len(),
        "{} {what} bodies were captured, the server saw {}",
        captured.len(),
        wanted.len()
    );
    for (captured, wanted) in captured.iter().zip(&wanted) {
        ensure!(captured == wanted, "a captured {what} body is {captured:?}, the server saw {wanted:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_compared_as_multisets() {
        let (a, b) = (Fingerprint::of(b"a"), Fingerprint::of(b"b"));
        assert!(same("x", vec![a.clone(), b.clone()], vec![b.clone(), a.clone()]).is_ok());
        assert!(same("x", vec![a.clone(), a.clone()], vec![a.clone(), b]).is_err());
        assert!(same("x", vec![a], vec![]).is_err());
    }
}
