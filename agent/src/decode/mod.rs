//! Recordings to Records, without a kernel: JSONL exchanges, raw connections, HAR 1.2 and wirespan's own capture files.
//!
//! Everything is read as a stream: what is held at once is one line, one entry or one frame, and the connections that are open in a
//! capture file. Same bytes in, same Records out. A recording without times gets the `Date` of its response as start and end, else
//! 1970; such a call has no durations.

mod capture;
mod corpus;
mod har;
mod recorded;

use std::io::{self, BufRead, BufReader, Cursor, Read};

use agent_genai::Record;

pub use capture::Replay;
use recorded::Halves;
pub use recorded::Replayer;

/// Longest line that is read, in bytes.
const MAX_LINE: u64 = 1 << 30;
/// Most bytes looked at to find out what a file is.
const MAX_PEEK: usize = 64 << 10;

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lines,
    Har,
    CaptureFile,
}

/// How the decoding of one input went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records emitted.
    pub records: u64,
    /// Exchanges that were no LLM calls, or held none.
    pub others: u64,
    /// Lines, entries or frames that could not be read.
    pub errors: u64,
}

/// Takes what decoding yields.
pub trait Receiver {
    /// A Record.
    ///
    /// # Errors
    /// When it cannot be passed on; decoding stops.
    fn record(&mut self, record: Record) -> io::Result<()>;
    /// Something that could not be read, with file and line; decoding goes on.
    fn problem(&mut self, message: &str);
}

/// Decodes one input; `name` is what messages call it.
///
/// # Errors
/// When the input cannot be read or a Record cannot be passed on. What is wrong with the recording itself goes to the receiver.
pub fn decode(
    name: &str,
    mut input: impl Read,
    replayer: &Replayer,
    replay: &Replay,
    receiver: &mut dyn Receiver,
) -> io::Result<Outcome> {
    let (kind, peeked) = detect(&mut input)?;
    let input = Cursor::new(peeked).chain(input);
    match kind {
        Kind::Lines => lines(name, input, replayer, receiver),
        Kind::Har => archive(name, input, replayer, receiver),
        Kind::CaptureFile => capture::read(name, input, replay, receiver),
    }
}

fn lines(
    name: &str,
    input: impl Read,
    replayer: &Replayer,
    receiver: &mut dyn Receiver,
) -> io::Result<Outcome> {
    let mut input = BufReader::with_capacity(256 << 10, input);
    let mut outcome = Outcome::default();
    let mut line = Vec::new();
    let mut number = 0_u64;
    let mut halves = Halves::default();
    loop {
        line.clear();
        let read = (&mut input).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            for record in replayer.records(halves.flush()) {
                outcome.records += 1;
                receiver.record(record)?;
            }
            return Ok(outcome);
        }
        number += 1;
        if read as u64 == MAX_LINE && line.last() != Some(&b'\n') {
            outcome.errors += 1;
            receiver.problem(&format!("{name}:{number}: the line is longer than {MAX_LINE} bytes"));
            skip_line(&mut input)?;
            continue;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let text = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
        let records = match corpus::parse(text, number) {
            Ok(corpus::Line::Exchange(recorded)) => replayer.exchange(&recorded, &mut halves),
            Ok(corpus::Line::Wire(wire)) => replayer.connection(&wire.id, wire.pieces(), &mut halves),
            Ok(corpus::Line::WebSocket(transcript)) => replayer.transcript(&transcript),
            Err(problem) => {
                outcome.errors += 1;
                receiver.problem(&format!("{name}:{number}: {problem}"));
                continue;
            }
        };
        outcome.others += u64::from(records.is_empty());
        for record in records {
            outcome.records += 1;
            receiver.record(record)?;
        }
    }
}

fn archive(
    name: &str,
    input: impl Read,
    replayer: &Replayer,
    receiver: &mut dyn Receiver,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut failed = None;
    let mut halves = Halves::default();
    let read = har::read(input, |index, entry| match entry {
        _ if failed.is_some() => {}
        Ok(recorded) => {
            let records = replayer.exchange(&recorded, &mut halves);
            outcome.others += u64::from(records.is_empty());
            for record in records {
                match receiver.record(record) {
                    Ok(()) => outcome.records += 1,
                    Err(error) => failed = Some(error),
                }
            }
        }
        Err(problem) => {
            outcome.errors += 1;
            receiver.problem(&format!("{name}: entry {index}: {problem}"));
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    for record in replayer.records(halves.flush()) {
        outcome.records += 1;
        receiver.record(record)?;
    }
    match read {
        Ok(()) => Ok(outcome),
        Err(error) if error.is_io() => Err(error.into()),
        Err(error) => {
            outcome.errors += 1;
            receiver.problem(&format!("{name}:{}: not a HAR: {error}", error.line()));
            Ok(outcome)
        }
    }
}

/// Reads as much as it takes to know what the input is, and returns what was read.
fn detect(input: &mut impl Read) -> io::Result<(Kind, Vec<u8>)> {
    let mut peeked = Vec::new();
    loop {
        let read = input.read_once(&mut peeked)?;
        let whole = read == 0 || peeked.len() >= MAX_PEEK;
        if let Some(kind) = kind_of(&peeked, whole) {
            return Ok((kind, peeked));
        }
    }
}

/// One read, appended: on a pipe there may be no more for now.
trait ReadOnce: Read {
    fn read_once(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let mut buffer = [0_u8; 4096];
        loop {
            match self.read(&mut buffer) {
                Ok(read) => {
                    into.extend_from_slice(buffer.get(..read).unwrap_or_default());
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Read> ReadOnce for R {}

/// What begins like this; `None` when more must be read to tell.
fn kind_of(start: &[u8], whole: bool) -> Option<Kind> {
    let magic = crate::capture_file::MAGIC;
    if start.starts_with(magic) {
        return Some(Kind::CaptureFile);
    }
    let undecided = (!whole).then_some(()).map_or(Some(Kind::Lines), |()| None);
    if magic.starts_with(start) {
        return undecided;
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let Some(rest) = text.strip_prefix(b"{") else {
        return if text.is_empty() { undecided } else { Some(Kind::Lines) };
    };
    let rest = rest.trim_ascii_start();
    if rest.len() < 5 && b"\"log\"".starts_with(rest) {
        return undecided;
    }
    Some(if rest.starts_with(b"\"log\"") { Kind::Har } else { Kind::Lines })
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let available = input.fill_buf()?;
        let (used, done) = match available.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (available.len(), available.is_empty()),
        };
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
