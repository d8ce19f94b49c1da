//! One stream: a request, its response, and how far each of them is.

use crate::exchange::{ExchangeEnd, ExchangeId, Interest, Limits, Nanos, Sink};
use crate::headers::Headers;
use crate::http1::framing::Length;
use crate::http1::message::{Message, Opening};
use crate::websocket::Session;

use super::head;
use super::hpack::Section;
use super::reader::Block;

/// One message of a stream.
#[derive(Default)]
pub(super) struct Half {
    part: Part,
    /// What its head says is still to come of the body.
    left: Option<u64>,
    /// Frames of this direction were lost while it was under way: its end may have been among them.
    lossy: bool,
}

#[derive(Default)]
enum Part {
    #[default]
    Waiting,
    Open(Box<Message>),
    Done,
}

/// A stream of which something is still to come.
pub(super) struct Stream {
    pub(super) id: ExchangeId,
    interest: Interest,
    request: Half,
    response: Half,
    /// The request's beginning was never seen.
    attached: bool,
    socket: Socket,
}

/// WebSocket on a stream (RFC 8441).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Socket {
    #[default]
    No,
    /// The request asks for it.
    Asked,
    /// The response has agreed.
    Switched,
}

/// A head, and what is known beside its fields.
pub(super) struct Head {
    pub(super) headers: Headers,
    /// Bytes of its frames.
    pub(super) bytes: u64,
    /// Bytes missing inside it.
    pub(super) lost: u64,
    /// Fields that are unknown.
    pub(super) unknown: usize,
    /// There is no body.
    pub(super) end: bool,
}

impl Head {
    /// The facts about a head, apart from what is handed on.
    pub(super) fn new(headers: &Headers, block: &Block, section: &Section) -> Self {
        let Block { framed, lost, end_stream, .. } = block;
        let unknown = section.unknown + usize::from(section.broken || section.too_long);
        Self { headers: headers.clone(), bytes: *framed, lost: *lost, unknown, end: *end_stream }
    }

    /// Of a message whose head was not seen.
    pub(super) fn unknown() -> Self {
        Self { headers: Headers::new(), bytes: 0, lost: 0, unknown: 1, end: false }
    }
}

impl Stream {
    pub(super) fn new(id: ExchangeId, interest: Interest, attached: bool) -> Self {
        Self {
            id,
            interest,
            request: Half::default(),
            response: Half::default(),
            attached,
            socket: Socket::No,
        }
    }

    /// The stream of a request that came in HTTP/1 and has ended.
    pub(super) fn with_request_done(id: ExchangeId, interest: Interest) -> Self {
        let mut stream = Self::new(id, interest, false);
        stream.request.part = Part::Done;
        stream
    }

    fn half(&mut self, response: bool) -> &mut Half {
        if response { &mut self.response } else { &mut self.request }
    }

    pub(super) fn is_waiting(&self, response: bool) -> bool {
        let half = if response { &self.response } else { &self.request };
        matches!(half.part, Part::Waiting)
    }

    pub(super) fn is_open(&self, response: bool) -> bool {
        let half = if response { &self.response } else { &self.request };
        matches!(half.part, Part::Open(_))
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.interest == Interest::Full
    }

    /// Both messages have ended.
    pub(super) fn is_over(&self) -> bool {
        let over = |half: &Half| matches!(half.part, Part::Done);
        over(&self.request) && over(&self.response)
    }

    pub(super) fn held_bytes(&self) -> usize {
        let held = |half: &Half| if let Part::Open(message) = &half.part { message.held_bytes() } else { 0 };
        size_of::<Self>() + held(&self.request) + held(&self.response)
    }

    /// A message begins; its head was handed on already.
    pub(super) fn begin(&mut self, response: bool, head: &Head, at: Nanos, limits: &Limits) {
        let opening = Opening {
            id: self.id,
            response,
            length: if head.end { Length::Known(0) } else { Length::UntilClose },
            headers: &head.headers,
            codings: head::possible_codings(&head.headers, head.unknown),
            head_bytes: head.bytes,
            at,
            interest: self.interest,
            silent: false,
        };
        let mut message = Message::new(&opening, limits);
        message.note_lost(head.lost);
        let half = self.half(response);
        half.left = head::content_length(&head.headers);
        half.part = Part::Open(Box::new(message));
    }

    /// The request asks for WebSocket on the stream.
    pub(super) fn ask_for_websocket(&mut self) {
        self.socket = Socket::Asked;
    }

    /// The response has agreed to what was asked for: what follows, in both directions, are WebSocket messages.
    pub(super) fn agree(&mut self, head: &Headers, limits: &Limits) {
        if self.socket != Socket::Asked {
            return;
        }
        self.socket = Socket::Switched;
        let session = Session::agreed(head);
        for half in [&mut self.request, &mut self.response] {
            if let Part::Open(message) = &mut half.part {
                message.switch(session, self.interest, limits);
                half.left = None;
            }
        }
    }

    /// A close message has ended this direction of a WebSocket session.
    pub(super) fn is_closed(&self, response: bool) -> bool {
        let half = if response { &self.response } else { &self.request };
        if let Part::Open(message) = &half.part { message.is_closed() } else { false }
    }

    pub(super) fn is_switched(&self) -> bool {
        self.socket == Socket::Switched
    }

    /// The sink wants no more of the bodies.
    pub(super) fn skip(&mut self) {
        self.interest = Interest::Skip;
        for half in [&mut self.request, &mut self.response] {
            if let Part::Open(message) = &mut half.part {
                message.skip();
            }
        }
    }

    /// Runs a step on a message that is under way.
    fn with(&mut self, response: bool, step: impl FnOnce(&mut Message, &mut Option<u64>)) {
        let half = self.half(response);
        if let Part::Open(message) = &mut half.part {
            step(message, &mut half.left);
            if message.is_unwanted() && self.interest == Interest::Full {
                self.skip();
            }
        }
    }

    /// Payload of DATA, and what framed it.
    pub(super) fn data(&mut self, response: bool, data: &[u8], framing: u64, at: Nanos, sink: &mut dyn Sink) {
        self.with(response, |message, left| {
            *left = left.map(|left| left.saturating_sub(data.len() as u64));
            message.note_framing(framing, at);
            message.feed(data, at, sink);
        });
    }

    /// So many bytes of its payload are missing.
    pub(super) fn gap(&mut self, response: bool, missing: u64, framing: u64, at: Nanos, sink: &mut dyn Sink) {
        self.with(response, |message, left| {
            *left = left.map(|left| left.saturating_sub(missing));
            message.note_framing(framing, at);
            if missing > 0 {
                message.gap(missing, at, sink);
            }
        });
    }

    /// Bytes are missing of which nobody knows whose they are: at most what this message still expects of them.
    pub(super) fn loss(&mut self, response: bool, missing: u64, at: Nanos, sink: &mut dyn Sink) {
        let expected = self.half(response).left.unwrap_or(u64::MAX);
        let missing = missing.min(expected);
        self.with(response, |message, left| {
            *left = left.map(|left| left.saturating_sub(missing));
            if missing > 0 {
                message.loss(missing, at, sink);
            }
        });
        self.half(response).lossy = true;
    }

    /// Whether nothing more can come of a message whose end was missed: its body is all there (false), or it is a request that was
    /// answered (true: it is cut).
    pub(super) fn missed_end(&self, response: bool) -> Option<bool> {
        let half = if response { &self.response } else { &self.request };
        if !half.lossy || !matches!(half.part, Part::Open(_)) {
            return None;
        }
        if half.left == Some(0) {
            return Some(false);
        }
        (!response && matches!(self.response.part, Part::Done)).then_some(true)
    }

    /// Trailers of a message.
    pub(super) fn trailers(&mut self, response: bool, trailers: Headers, bytes: u64, lost: u64, at: Nanos) {
        self.with(response, |message, _| {
            message.note_framing(bytes, at);
            message.note_lost(lost);
            message.set_trailers(trailers);
        });
    }

    /// A message has ended, before its time if `truncated`.
    pub(super) fn finish(&mut self, response: bool, truncated: bool, sink: &mut dyn Sink) {
        let half = self.half(response);
        if let Part::Open(mut message) = std::mem::replace(&mut half.part, Part::Done) {
            // What lies between two WebSocket messages is whole, however it ended.
            let truncated = truncated && !(message.is_switched() && message.may_end());
            message.finish(truncated, sink);
            if message.is_unwanted() {
                self.skip();
            }
        }
    }

    /// The message that asked for the upgrade has ended in HTTP/1.
    pub(super) fn request_done(&mut self) {
        self.request.part = Part::Done;
    }

    /// Nothing more comes of the stream.
    pub(super) fn end(mut self, at: Nanos, sink: &mut dyn Sink) {
        for response in [false, true] {
            if self.is_open(response) {
                self.finish(response, true, sink);
            }
        }
        let no_response = matches!(self.response.part, Part::Waiting);
        let upgraded = self.is_switched();
        let end = ExchangeEnd { at, no_response, attached_mid_stream: self.attached, upgraded };
        sink.exchange_end(self.id, end);
    }
}
