//! permessage-deflate (RFC 7692) undone: one inflater for all compressed messages of a direction.

use flate2::Decompress;

use crate::coding::{Fault, INFLATE_BYTES, Stop, inflate};

/// What the sender cut off the end of a message (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Why some bytes could not be inflated; `None` when that was told before.
pub(super) type Outcome = Result<(), Option<String>>;

/// Inflates the compressed messages of one direction. The window is always the greatest (15 bits): that serves every smaller one.
pub(super) struct Inflater {
    /// `None` where a message may begin with an empty window.
    state: Option<Decompress>,
    /// Messages refer back to earlier ones.
    takeover: bool,
    condition: Condition,
    /// Bytes that may still come out of all messages together.
    room: u64,
    limit: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Good,
    /// The rest of this message, and with context takeover of all others, cannot be inflated.
    Broken,
    /// No more may come out.
    Exhausted,
}

impl Inflater {
    /// `limit`: the most bytes that may come out of it.
    pub(super) fn new(takeover: bool, limit: u64) -> Self {
        Self { state: None, takeover, condition: Condition::Good, room: limit, limit }
    }

    pub(super) fn held_bytes(&self) -> usize {
        if self.state.is_some() { INFLATE_BYTES } else { 0 }
    }

    /// Bytes of a message. What comes out before a fault is good.
    pub(super) fn write(&mut self, mut input: &[u8], mut take: impl FnMut(&[u8])) -> Outcome {
        if self.condition != Condition::Good {
            return Err(None);
        }
        let (room, limit) = (&mut self.room, self.limit);
        while !input.is_empty() {
            let state = self.state.get_or_insert_with(|| Decompress::new(false));
            let result = inflate(state, input, &mut |piece| {
                let within = piece.get(..usize::try_from(*room).unwrap_or(usize::MAX)).unwrap_or(piece);
                *room -= within.len() as u64;
                if !within.is_empty() {
                    take(within);
                }
                if within.len() < piece.len() { Err(Stop::TooMuch(limit)) } else { Ok(()) }
            });
            match result {
                Ok((taken, ended)) => {
                    input = input.get(taken..).unwrap_or_default();
                    if ended {
                        // A sender may end its deflate stream (section 7.2.3.4); the next bytes begin another.
                        state.reset(false);
                    } else if !input.is_empty() {
                        self.condition = Condition::Broken;
                        return Err(Some("a compressed message does not go on".to_owned()));
                    }
                }
                Err(Fault::Broken(why)) => {
                    self.condition = Condition::Broken;
                    return Err(Some(format!("a compressed message is broken: {why}")));
                }
                Err(Fault::Stop(_)) => {
                    self.condition = Condition::Exhausted;
                    self.state = None;
                    return Err(Some(format!(
                        "the compressed messages inflate to more than {limit} bytes; the rest is counted, not inflated"
                    )));
                }
            }
        }
        Ok(())
    }

    /// The message has ended.
    pub(super) fn end_message(&mut self, take: impl FnMut(&[u8])) -> Outcome {
        let outcome = self.write(&TAIL, take);
        if !self.takeover {
            self.state = None;
            if self.condition == Condition::Broken {
                self.condition = Condition::Good;
            }
        }
        outcome
    }

    /// So many bytes of a compressed message are missing. Says what that means for later ones.
    pub(super) fn lose(&mut self, bytes: u64) -> Option<String> {
        if self.condition != Condition::Good {
            return None;
        }
        self.condition = Condition::Broken;
        let takeover = "the compressed messages after them cannot be inflated";
        self.takeover.then(|| format!("{bytes} bytes of a compressed message were lost; {takeover}"))
    }
}
