//! One direction of a connection: how far it was read and what is expected next.

use crate::http1::head::HeadBuffer;
use crate::http1::message::Message;
use crate::http1::search::Search;

/// One direction.
#[derive(Default)]
pub(crate) struct Lane {
    /// Offset of the next byte.
    pub(crate) expected: u64,
    pub(crate) state: State,
}

/// What the next bytes are.
pub(crate) enum State {
    /// The head of a message.
    Head {
        /// What of it has come.
        buffer: HeadBuffer,
        /// It was found by searching, so that it may be none.
        found: bool,
    },
    /// The body of a message.
    Body(Box<Message>),
    /// The answer to a request to switch to WebSocket, which decides what the next bytes are; those that have come nevertheless.
    Switching(Box<Message>, Vec<u8>),
    /// Unknown: the next head is looked for.
    Lost(Search),
    /// Nothing that concerns us.
    Opaque,
}

impl Default for State {
    fn default() -> Self {
        Self::Head { buffer: HeadBuffer::default(), found: false }
    }
}

impl State {
    /// The message that is under way.
    pub(crate) fn message_mut(&mut self) -> Option<&mut Message> {
        match self {
            Self::Body(message) | Self::Switching(message, _) => Some(message),
            Self::Head { .. } | Self::Lost(_) | Self::Opaque => None,
        }
    }
}

impl Lane {
    pub(crate) fn held_bytes(&self) -> usize {
        match &self.state {
            State::Head { buffer, .. } => buffer.held_bytes(),
            State::Body(message) => message.held_bytes(),
            State::Switching(message, early) => message.held_bytes() + early.capacity(),
            State::Lost(search) => search.held_bytes(),
            State::Opaque => 0,
        }
    }
}
