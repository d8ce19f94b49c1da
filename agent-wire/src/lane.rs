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

impl Lane {
    pub(crate) fn held_bytes(&self) -> usize {
        match &self.state {
            State::Head { buffer, .. } => buffer.held_bytes(),
            State::Body(message) => message.held_bytes(),
            State::Lost(search) => search.held_bytes(),
            State::Opaque => 0,
        }
    }
}
