//! AWS event streams (`application/vnd.amazon.eventstream`), decoded from pieces cut anywhere.
//!
//! A message, numbers big endian: total length u32, length of the headers u32, CRC-32 of those eight bytes, headers, payload, CRC-32 of all
//! before it. Nothing is handed on before its checksum was seen to be right.

use std::ops::ControlFlow;

use crc32fast::Hasher;

use crate::exchange::{Body, EventMessage};
use crate::items::{Out, keep_within, release};

/// Bytes of the prelude: both lengths and their checksum.
pub(crate) const PRELUDE: usize = 12;

/// Bytes of the checksum at the end.
const CHECKSUM: u32 = 4;

/// Greatest length of the headers that the protocol allows.
const MAX_HEADERS: u32 = 128 << 10;

/// Turns bytes into messages.
pub(crate) struct EventStreamDecoder {
    max_item: usize,
    place: Place,
    /// Headers, and the payload as far as it is kept, of the message being read.
    held: Vec<u8>,
    fault: Option<String>,
}

enum Place {
    /// In front of a message, with so many bytes of its prelude.
    Prelude([u8; PRELUDE], usize),
    /// In a message.
    Inside(Inside),
    /// Behind a fault: where the next message begins is unknown.
    Lost,
}

struct Inside {
    lengths: Lengths,
    /// Of what was seen, up to the checksum.
    crc: Hasher,
    /// Bytes to come, without the checksum.
    left: u32,
    /// The checksum as far as it has come, and how many bytes of it are to come.
    checksum: (u32, u32),
    truncated: bool,
    /// Bytes of it were lost: it is read past.
    torn: bool,
}

/// What a prelude says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lengths {
    headers: u32,
    payload: u32,
}

/// Whether bytes begin with a prelude whose checksum is right; `None` while more bytes are needed to tell.
pub(crate) fn starts_with_prelude(first: &[u8]) -> Option<bool> {
    // No message is 32 MiB long.
    if first.first().is_some_and(|byte| *byte > 1) {
        return Some(false);
    }
    first.first_chunk().map(|prelude| lengths(prelude).is_ok())
}

fn lengths(prelude: &[u8; PRELUDE]) -> Result<Lengths, String> {
    let [t0, t1, t2, t3, h0, h1, h2, h3, c0, c1, c2, c3] = *prelude;
    let total = u32::from_be_bytes([t0, t1, t2, t3]);
    let headers = u32::from_be_bytes([h0, h1, h2, h3]);
    if crc32fast::hash(&[t0, t1, t2, t3, h0, h1, h2, h3]) != u32::from_be_bytes([c0, c1, c2, c3]) {
        return Err("the checksum of a prelude is wrong".to_owned());
    }
    let around = u32::try_from(PRELUDE).unwrap_or(u32::MAX) + CHECKSUM;
    let payload = total.checked_sub(around).and_then(|rest| rest.checked_sub(headers));
    match payload {
        Some(payload) if headers <= MAX_HEADERS => Ok(Lengths { headers, payload }),
        _ => Err(format!("a message of {total} bytes cannot have {headers} bytes of headers")),
    }
}

impl EventStreamDecoder {
    pub(crate) fn new(max_item: usize) -> Self {
        Self { max_item, place: Place::Prelude([0; PRELUDE], 0), held: Vec::new(), fault: None }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Why something was not handed on.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    pub(crate) fn feed(&mut self, mut input: &[u8], out: &mut Out<'_>) -> ControlFlow<()> {
        while !input.is_empty() {
            match &mut self.place {
                Place::Lost => return ControlFlow::Continue(()),
                Place::Prelude(bytes, filled) => {
                    let mut taken = 0;
                    for (to, from) in bytes.iter_mut().skip(*filled).zip(input) {
                        *to = *from;
                        taken += 1;
                    }
                    *filled += taken;
                    input = input.get(taken..).unwrap_or_default();
                    if *filled == PRELUDE {
                        match lengths(bytes) {
                            Ok(lengths) => self.place = Place::Inside(Inside::new(lengths, bytes)),
                            Err(why) => self.lose(why),
                        }
                    }
                }
                Place::Inside(inside) => {
                    let (content, rest) = split(input, inside.left);
                    let at_once = self.held.is_empty() && content.len() == inside.lengths.content();
                    inside.left -= length(content);
                    if !inside.torn {
                        inside.crc.update(content);
                        if !at_once {
                            let room = self.max_item.saturating_add(inside.lengths.headers());
                            inside.truncated |= keep_within(&mut self.held, content, room);
                        }
                    }
                    let (checksum, rest) = split(rest, if inside.left == 0 { inside.checksum.1 } else { 0 });
                    let whole = at_once && length(checksum) == inside.checksum.1;
                    inside.take_checksum(checksum);
                    input = rest;
                    if inside.checksum.1 == 0 {
                        let message = if whole { Some(content) } else { None };
                        self.end_message(message, out)?;
                    } else if at_once && !inside.torn {
                        let room = self.max_item.saturating_add(inside.lengths.headers());
                        inside.truncated |= keep_within(&mut self.held, content, room);
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// So many bytes are missing here, just as many if `exact`. As long as they belong to one message, the place of the next is known,
    /// and its own checksum will prove it.
    pub(crate) fn gap(&mut self, bytes: u64, exact: bool) {
        release(&mut self.held);
        match &mut self.place {
            Place::Inside(inside) if exact && bytes <= inside.to_come() => {
                inside.pass(bytes);
                if inside.to_come() == 0 {
                    self.place = Place::Prelude([0; PRELUDE], 0);
                }
            }
            Place::Lost => {}
            Place::Inside(_) | Place::Prelude(..) => {
                self.lose(format!(
                    "{bytes} bytes were lost, so that the place of the next message is unknown"
                ));
            }
        }
    }

    /// The body has ended, before its time if `cut`.
    pub(crate) fn finish(&mut self, cut: bool) {
        let between = matches!(self.place, Place::Prelude(_, 0) | Place::Lost);
        if !between && !cut {
            self.lose("the body ends inside a message".to_owned());
        }
    }

    fn lose(&mut self, why: String) {
        self.place = Place::Lost;
        release(&mut self.held);
        self.fault.get_or_insert(why);
    }

    /// The last byte of a message was seen; `content` when its headers and payload lie in one piece that was not copied.
    fn end_message(&mut self, content: Option<&[u8]>, out: &mut Out<'_>) -> ControlFlow<()> {
        let Place::Inside(inside) = std::mem::replace(&mut self.place, Place::Prelude([0; PRELUDE], 0))
        else {
            return ControlFlow::Continue(());
        };
        if inside.torn {
            return ControlFlow::Continue(());
        }
        if inside.crc.finalize() != inside.checksum.0 {
            self.lose("the checksum of a message is wrong".to_owned());
            return ControlFlow::Continue(());
        }
        let mut held = std::mem::take(&mut self.held);
        let content = content.unwrap_or(&held);
        let (headers, payload) = split(content, inside.lengths.headers);
        let kept = payload.get(..self.max_item).unwrap_or(payload);
        let truncated = inside.truncated || kept.len() < payload.len();
        let flow = match Known::parse(headers) {
            Some(known) => out(Body::Message(EventMessage {
                message_type: known.message_type,
                kind: known.event.or(known.exception).or(known.code).unwrap_or_default(),
                content_type: known.content_type,
                error: known.error,
                payload: kept,
                truncated,
            })),
            None => {
                // Its checksum was right, so that the place of the next is known.
                self.fault.get_or_insert_with(|| "the headers of a message are malformed".to_owned());
                ControlFlow::Continue(())
            }
        };
        release(&mut held);
        self.held = held;
        flow
    }
}

impl Lengths {
    fn headers(self) -> usize {
        usize::try_from(self.headers).unwrap_or(usize::MAX)
    }

    /// Bytes of headers and payload.
    fn content(self) -> usize {
        usize::try_from(self.headers.saturating_add(self.payload)).unwrap_or(usize::MAX)
    }
}

impl Inside {
    fn new(lengths: Lengths, prelude: &[u8]) -> Self {
        let mut crc = Hasher::new();
        crc.update(prelude);
        let left = lengths.headers.saturating_add(lengths.payload);
        Self { lengths, crc, left, checksum: (0, CHECKSUM), truncated: false, torn: false }
    }

    fn to_come(&self) -> u64 {
        u64::from(self.left) + u64::from(self.checksum.1)
    }

    fn take_checksum(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.checksum.0 = self.checksum.0 << 8 | u32::from(*byte);
            self.checksum.1 -= 1;
        }
    }

    /// That many of its bytes are missing.
    fn pass(&mut self, bytes: u64) {
        self.torn = true;
        let content = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.left);
        self.left -= content;
        let rest = u32::try_from(bytes.saturating_sub(u64::from(content))).unwrap_or(u32::MAX);
        self.checksum.1 = self.checksum.1.saturating_sub(rest);
    }
}

fn split(bytes: &[u8], at: u32) -> (&[u8], &[u8]) {
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.split_at_checked(at).unwrap_or_default()
}

/// Of a part that is no longer than a message, whose length is a u32.
fn length(part: &[u8]) -> u32 {
    u32::try_from(part.len()).unwrap_or(u32::MAX)
}

/// The headers that say what a message is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known<'a> {
    message_type: &'a str,
    event: Option<&'a str>,
    exception: Option<&'a str>,
    code: Option<&'a str>,
    error: &'a str,
    content_type: &'a str,
}

impl<'a> Known<'a> {
    /// `None` when the headers do not fill their place exactly.
    fn parse(mut headers: &'a [u8]) -> Option<Self> {
        let mut known = Self::default();
        while let Some((name_length, rest)) = headers.split_first() {
            let (name, rest) = rest.split_at_checked(usize::from(*name_length))?;
            let (kind, rest) = rest.split_first()?;
            let (text, rest) = value(*kind, rest)?;
            headers = rest;
            let Some(text) = text else { continue };
            match name {
                b":message-type" => known.message_type = text,
                b":event-type" => known.event = Some(text),
                b":exception-type" => known.exception = Some(text),
                b":error-code" => known.code = Some(text),
                b":error-message" => known.error = text,
                b":content-type" => known.content_type = text,
                _ => {}
            }
        }
        Some(known)
    }
}

/// Reads past one header value; its text if it is a string.
fn value(kind: u8, bytes: &[u8]) -> Option<(Option<&str>, &[u8])> {
    let length = match kind {
        // True and false are all in the type.
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        // A long, or a time in milliseconds.
        5 | 8 => 8,
        9 => 16,
        6 | 7 => {
            let (length, rest) = bytes.split_first_chunk()?;
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let text = if kind == 7 { str::from_utf8(value).ok() } else { None };
            return Some((text, rest));
        }
        _ => return None,
    };
    bytes.get(length..).map(|rest| (None, rest))
}

#[cfg(test)]
mod tests;
