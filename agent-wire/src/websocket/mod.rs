//! WebSocket (RFC 6455): the bytes of one direction become messages, joined, unmasked and inflated.

mod deflate;
mod frame;
mod session;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use crate::exchange::{Body, Limits, WsKind, WsMessage};
use crate::items::{Out, keep_within, release};

use deflate::{Inflater, Outcome};
use frame::{Frame, Header, Opcode};
pub(crate) use session::{Session, asks_for_websocket, is_websocket};

/// Turns the bytes of one direction into messages. A close message ends it.
pub(crate) struct WsDecoder {
    max_item: usize,
    place: Place,
    /// The data message of which fragments have come.
    message: Option<Message>,
    /// Its payload so far, as far as it is kept.
    held: Vec<u8>,
    /// Payload of the control frame being read; such frames come between fragments, too.
    control: Vec<u8>,
    /// When permessage-deflate was agreed on.
    inflater: Option<Inflater>,
    /// Bytes taken, up to the end of the close message.
    passed: u64,
    decoded: u64,
    fault: Option<String>,
}

enum Place {
    /// In front of a frame or in its header.
    Header(Header),
    /// In the payload of a frame.
    Payload(Frame),
    /// Behind a close message.
    Closed,
    /// Behind a fault: where the next frame begins is unknown.
    Lost,
}

/// A data message being joined.
struct Message {
    kind: WsKind,
    compressed: bool,
    truncated: bool,
    /// What comes of it does not join what is here.
    torn: bool,
}

impl WsDecoder {
    /// `client`: these are the bytes that the client sends.
    pub(crate) fn new(session: Session, client: bool, limits: &Limits) -> Self {
        let takeover = session.takeover(client);
        Self {
            max_item: limits.max_item,
            place: Place::Header(Header::default()),
            message: None,
            held: Vec::new(),
            control: Vec::new(),
            inflater: takeover.map(|takeover| Inflater::new(takeover, limits.max_decoded)),
            passed: 0,
            decoded: 0,
            fault: None,
        }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        let inflater = self.inflater.as_ref().map_or(0, Inflater::held_bytes);
        self.held.capacity() + self.control.capacity() + inflater
    }

    /// Why something was not handed on whole, if it was not for its length.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Payload bytes so far, unmasked and inflated.
    pub(crate) fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Bytes taken so far; those behind a close message are not.
    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }

    /// Whether a close message has ended this direction.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.place, Place::Closed)
    }

    /// Whether no message is cut when the direction ends here.
    pub(crate) fn is_between(&self) -> bool {
        match &self.place {
            Place::Header(header) => header.is_empty() && self.message.is_none(),
            Place::Payload(_) | Place::Lost => false,
            Place::Closed => true,
        }
    }

    pub(crate) fn feed(&mut self, mut input: &[u8], out: &mut Out<'_>) -> ControlFlow<()> {
        while !input.is_empty() {
            let taken = match &mut self.place {
                Place::Closed => return ControlFlow::Continue(()),
                Place::Lost => input.len(),
                Place::Header(header) => {
                    let taken = header.take(input);
                    if let Some(frame) = header.frame() {
                        match frame.and_then(|frame| self.begin(&frame).map(|()| frame)) {
                            Ok(frame) => self.place = Place::Payload(frame),
                            Err(why) => self.lose(why, out)?,
                        }
                    }
                    taken
                }
                Place::Payload(frame) => {
                    let taken = usize::try_from(frame.left).unwrap_or(usize::MAX).min(input.len());
                    let (piece, _) = input.split_at_checked(taken).unwrap_or_default();
                    let mut frame = *frame;
                    frame.left -= taken as u64;
                    if !frame.torn {
                        let opcode = frame.opcode;
                        frame.unmask(piece, |plain| self.payload(opcode, plain));
                    }
                    self.place = Place::Payload(frame);
                    taken
                }
            };
            self.passed += taken as u64;
            input = input.get(taken..).unwrap_or_default();
            self.end_frame(out)?;
        }
        ControlFlow::Continue(())
    }

    /// So many bytes are missing here, just as many if `exact`. As long as they belong to the payload of one frame, the place of the next is known.
    pub(crate) fn gap(&mut self, bytes: u64, exact: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        match &mut self.place {
            Place::Payload(frame) if exact && bytes <= frame.left => {
                frame.left -= bytes;
                frame.torn = true;
                if let Some(message) = self.message.as_mut().filter(|_| !frame.opcode.is_control()) {
                    message.truncated = true;
                    message.torn = true;
                    if let Some(inflater) = self.inflater.as_mut().filter(|_| message.compressed) {
                        note(&mut self.fault, inflater.lose(bytes));
                    }
                }
                self.end_frame(out)
            }
            Place::Closed | Place::Lost => ControlFlow::Continue(()),
            Place::Payload(_) | Place::Header(_) => self.lose(
                format!("{bytes} bytes were lost, so that the place of the next frame is unknown"),
                out,
            ),
        }
    }

    /// The direction has ended, before its time if `cut`. A message that is not complete is handed on as far as it came.
    pub(crate) fn finish(&mut self, cut: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        if !cut && !self.is_between() {
            self.fault.get_or_insert_with(|| "it ends inside a message".to_owned());
        }
        self.give_up_message(out)
    }

    /// A frame begins.
    fn begin(&mut self, frame: &Frame) -> Result<(), String> {
        if frame.compressed && (self.inflater.is_none() || !frame.opcode.begins_message()) {
            return Err("a frame has a reserved bit set that means nothing here".to_owned());
        }
        let kind = match frame.opcode {
            Opcode::Continuation if self.message.is_none() => {
                return Err("a fragment continues nothing".to_owned());
            }
            Opcode::Text => WsKind::Text,
            Opcode::Binary => WsKind::Binary,
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => return Ok(()),
        };
        if self.message.is_some() {
            return Err("a message begins inside another".to_owned());
        }
        self.message = Some(Message { kind, compressed: frame.compressed, truncated: false, torn: false });
        Ok(())
    }

    /// Unmasked bytes of the payload of a frame.
    fn payload(&mut self, opcode: Opcode, plain: &[u8]) {
        if opcode.is_control() {
            self.control.extend_from_slice(plain);
            self.decoded += plain.len() as u64;
            return;
        }
        let Some(message) = self.message.as_mut().filter(|message| !message.torn) else { return };
        match self.inflater.as_mut().filter(|_| message.compressed) {
            Some(inflater) => {
                let outcome = inflater.write(plain, |inflated| {
                    self.decoded += inflated.len() as u64;
                    message.truncated |= keep_within(&mut self.held, inflated, self.max_item);
                });
                message.take(outcome, &mut self.fault);
            }
            None => {
                self.decoded += plain.len() as u64;
                message.truncated |= keep_within(&mut self.held, plain, self.max_item);
            }
        }
    }

    /// Ends the frame being read, and its message, if all of it has come.
    fn end_frame(&mut self, out: &mut Out<'_>) -> ControlFlow<()> {
        let Place::Payload(frame @ Frame { left: 0, .. }) = &self.place else {
            return ControlFlow::Continue(());
        };
        let (opcode, last, length) = (frame.opcode, frame.last, frame.length);
        self.place = Place::Header(Header::default());
        let kind = match opcode {
            Opcode::Continuation | Opcode::Text | Opcode::Binary if last => return self.end_message(out),
            Opcode::Continuation | Opcode::Text | Opcode::Binary => return ControlFlow::Continue(()),
            Opcode::Close => WsKind::Close,
            Opcode::Ping => WsKind::Ping,
            Opcode::Pong => WsKind::Pong,
        };
        if kind == WsKind::Close {
            self.place = Place::Closed;
        }
        let truncated = (self.control.len() as u64) < length;
        let flow = out(Body::Frame(WsMessage { kind, data: &self.control, truncated }));
        self.control.clear();
        flow
    }

    fn end_message(&mut self, out: &mut Out<'_>) -> ControlFlow<()> {
        if let Some(message) = self.message.as_mut().filter(|message| message.compressed)
            && let Some(inflater) = &mut self.inflater
        {
            let outcome = inflater.end_message(|inflated| {
                self.decoded += inflated.len() as u64;
                message.truncated |= keep_within(&mut self.held, inflated, self.max_item);
            });
            if !message.torn {
                message.take(outcome, &mut self.fault);
            }
        }
        self.hand_on(out)
    }

    /// Hands on what came of the message, if there is one.
    fn give_up_message(&mut self, out: &mut Out<'_>) -> ControlFlow<()> {
        if let Some(message) = &mut self.message {
            message.truncated = true;
        }
        self.hand_on(out)
    }

    fn hand_on(&mut self, out: &mut Out<'_>) -> ControlFlow<()> {
        let Some(message) = self.message.take() else { return ControlFlow::Continue(()) };
        let (kind, truncated) = (message.kind, message.truncated);
        let flow = out(Body::Frame(WsMessage { kind, data: &self.held, truncated }));
        release(&mut self.held);
        flow
    }

    fn lose(&mut self, why: String, out: &mut Out<'_>) -> ControlFlow<()> {
        self.place = Place::Lost;
        self.fault.get_or_insert(why);
        self.control.clear();
        self.give_up_message(out)
    }
}

impl Message {
    /// What became of some of its bytes in the inflater.
    fn take(&mut self, outcome: Outcome, fault: &mut Option<String>) {
        if let Err(why) = outcome {
            self.truncated = true;
            self.torn = true;
            note(fault, why);
        }
    }
}

/// The first fault is the one that is told.
fn note(fault: &mut Option<String>, why: Option<String>) {
    if fault.is_none() {
        *fault = why;
    }
}
