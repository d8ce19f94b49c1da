//! One message after its head: finds its end, feeds its body to the decoder, and keeps its account.

use std::ops::ControlFlow;

use crate::body::BodyDecoder;
use crate::exchange::{Body, ExchangeId, Interest, Limits, MessageEnd, Nanos, Sink};
use crate::headers::Headers;
use crate::http1::chunked::{Chunked, Found};
use crate::http1::framing::Length;
use crate::items::Out;
use crate::websocket::{Session, WsDecoder};

/// A message being read.
pub(crate) struct Message {
    id: ExchangeId,
    response: bool,
    rest: Rest,
    /// None when nobody wants the body.
    decoder: Option<BodyDecoder>,
    end: MessageEnd,
    /// Its exchange is over for the sink: only the end is looked for.
    silent: bool,
    /// The sink has said that it wants no more of the exchange's bodies.
    unwanted: bool,
}

/// What is left of the body.
enum Rest {
    Known(u64),
    Chunked(Chunked),
    UntilClose,
    /// WebSocket messages, until one closes.
    Frames,
}

/// What the caller knows when the head has been read.
pub(crate) struct Opening<'a> {
    pub(crate) id: ExchangeId,
    pub(crate) response: bool,
    pub(crate) length: Length,
    pub(crate) headers: &'a Headers,
    /// Codings of the message, beside those that the fields name as content codings; applied after them.
    pub(crate) codings: Vec<String>,
    /// Bytes of the head.
    pub(crate) head_bytes: u64,
    pub(crate) at: Nanos,
    pub(crate) interest: Interest,
    pub(crate) silent: bool,
}

/// Where a message is after some input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More of it is to come.
    Open,
    /// It has ended.
    Done,
    /// Its end cannot be found any more.
    Broken,
}

impl Message {
    pub(crate) fn new(opening: &Opening<'_>, limits: &Limits) -> Self {
        let rest = match opening.length {
            Length::Known(bytes) => Rest::Known(bytes),
            Length::Chunked => Rest::Chunked(Chunked::new(limits.max_head)),
            Length::UntilClose | Length::Invalid => Rest::UntilClose,
        };
        let wanted =
            opening.interest == Interest::Full && !opening.silent && opening.length != Length::Known(0);
        let decoder =
            wanted.then(|| BodyDecoder::new(opening.headers, &opening.codings, opening.response, limits));
        let end = MessageEnd { at: opening.at, wire_bytes: opening.head_bytes, ..MessageEnd::default() };
        Self {
            id: opening.id,
            response: opening.response,
            rest,
            decoder,
            end,
            silent: opening.silent,
            unwanted: false,
        }
    }

    /// A response that switches to WebSocket.
    pub(crate) fn switched(opening: &Opening<'_>, session: Session, limits: &Limits) -> Self {
        let mut message = Self::new(opening, limits);
        message.switch(session, opening.interest, limits);
        message
    }

    /// What follows the head are WebSocket messages.
    pub(crate) fn switch(&mut self, session: Session, interest: Interest, limits: &Limits) {
        self.rest = Rest::Frames;
        let wanted = interest == Interest::Full && !self.silent;
        self.decoder = wanted.then(|| BodyDecoder::websocket(session, !self.response, limits));
    }

    pub(crate) fn id(&self) -> ExchangeId {
        self.id
    }

    /// Whether the sink has said, during this message, that it wants no more bodies of the exchange.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.unwanted
    }

    pub(crate) fn is_response(&self) -> bool {
        self.response
    }

    /// Whether nothing of it is missing when the connection ends here.
    pub(crate) fn may_end(&self) -> bool {
        match self.rest {
            Rest::UntilClose => self.response,
            Rest::Frames => self.frames().is_none_or(WsDecoder::is_between),
            Rest::Known(left) => left == 0,
            Rest::Chunked(_) => false,
        }
    }

    /// Whether what is left of it are WebSocket messages.
    pub(crate) fn is_switched(&self) -> bool {
        matches!(self.rest, Rest::Frames)
    }

    /// Whether a WebSocket message has closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.frames().is_some_and(WsDecoder::is_closed)
    }

    fn frames(&self) -> Option<&WsDecoder> {
        self.decoder.as_ref().and_then(BodyDecoder::as_websocket)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        let rest = if let Rest::Chunked(chunked) = &self.rest { chunked.held_bytes() } else { 0 };
        size_of::<Self>() + rest + self.decoder.as_ref().map_or(0, BodyDecoder::held_bytes)
    }

    /// Whether the message has ended with what was fed so far.
    pub(crate) fn progress(&self) -> Progress {
        if matches!(self.rest, Rest::Known(0)) { Progress::Done } else { Progress::Open }
    }

    /// Takes the beginning of `input` as far as it belongs to this message.
    pub(crate) fn feed(&mut self, input: &[u8], at: Nanos, sink: &mut dyn Sink) -> (usize, Progress) {
        let (taken, progress) = match &mut self.rest {
            Rest::UntilClose => {
                self.decode(input, at, sink);
                (input.len(), Progress::Open)
            }
            Rest::Known(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= taken as u64;
                self.decode(input.get(..taken).unwrap_or_default(), at, sink);
                (taken, self.progress())
            }
            Rest::Chunked(_) => self.feed_chunks(input, at, sink),
            Rest::Frames => self.feed_frames(input, at, sink),
        };
        self.end.wire_bytes += taken as u64;
        if taken > 0 {
            self.end.at = at;
        }
        (taken, progress)
    }

    fn feed_chunks(&mut self, input: &[u8], at: Nanos, sink: &mut dyn Sink) -> (usize, Progress) {
        let mut taken = 0;
        while let Rest::Chunked(chunked) = &mut self.rest {
            let (used, found) = chunked.next(input.get(taken..).unwrap_or_default());
            taken += used;
            match found {
                Found::Data(data) => self.decode(data, at, sink),
                Found::Nothing => break,
                Found::Broken => return (taken, Progress::Broken),
                Found::End(trailers) => {
                    self.end.trailers = trailers;
                    return (taken, Progress::Done);
                }
            }
        }
        (taken, Progress::Open)
    }

    fn feed_frames(&mut self, input: &[u8], at: Nanos, sink: &mut dyn Sink) -> (usize, Progress) {
        let before = self.frames().map_or(0, WsDecoder::passed);
        self.decode(input, at, sink);
        match self.frames() {
            Some(frames) if frames.is_closed() => {
                let taken = usize::try_from(frames.passed() - before).unwrap_or(usize::MAX);
                (taken.min(input.len()), Progress::Done)
            }
            Some(_) | None => (input.len(), Progress::Open),
        }
    }

    /// Bytes are missing. `Broken` when they reach beyond the place up to which the message can be followed.
    pub(crate) fn gap(&mut self, missing: u64, at: Nanos, sink: &mut dyn Sink) -> Progress {
        let (inside, progress) = match &mut self.rest {
            Rest::UntilClose | Rest::Frames => (missing, Progress::Open),
            Rest::Known(left) if missing <= *left => {
                *left -= missing;
                (missing, self.progress())
            }
            Rest::Known(left) => (*left, Progress::Broken),
            Rest::Chunked(chunked) => {
                (missing, if chunked.absorb(missing) { Progress::Open } else { Progress::Broken })
            }
        };
        self.end.lost_bytes += inside;
        self.with_decoder(at, sink, |decoder, out| decoder.gap(inside, true, out));
        if self.is_closed() {
            return Progress::Done;
        }
        progress
    }

    /// Bytes of the message that are no body came.
    pub(crate) fn note_framing(&mut self, bytes: u64, at: Nanos) {
        self.end.wire_bytes = self.end.wire_bytes.saturating_add(bytes);
        self.end.at = at;
    }

    /// Bytes are missing that are no body.
    pub(crate) fn note_lost(&mut self, bytes: u64) {
        self.end.lost_bytes = self.end.lost_bytes.saturating_add(bytes);
    }

    pub(crate) fn set_trailers(&mut self, trailers: Headers) {
        self.end.trailers = trailers;
    }

    /// About so many bytes are missing; it is not known whether they belong to this message.
    pub(crate) fn loss(&mut self, missing: u64, at: Nanos, sink: &mut dyn Sink) {
        self.end.lost_bytes += missing;
        self.with_decoder(at, sink, |decoder, out| decoder.gap(missing, false, out));
    }

    /// Nobody wants the body any more.
    pub(crate) fn skip(&mut self) {
        if let Some(decoder) = self.decoder.take() {
            self.end.decoded_bytes = decoder.decoded();
        }
    }

    /// Reports the end. Afterwards the message is silent.
    pub(crate) fn finish(&mut self, truncated: bool, sink: &mut dyn Sink) {
        if self.silent {
            return;
        }
        let at = self.end.at;
        self.with_decoder(at, sink, |decoder, out| decoder.finish(truncated, out));
        if let Some(decoder) = self.decoder.take() {
            self.end.decoded_bytes = decoder.decoded();
            self.end.undecodable = decoder.undecodable();
        }
        self.silent = true;
        self.end.truncated = truncated;
        let end = std::mem::take(&mut self.end);
        if self.response { sink.response_end(self.id, end) } else { sink.request_end(self.id, end) }
    }

    fn decode(&mut self, data: &[u8], at: Nanos, sink: &mut dyn Sink) {
        if !data.is_empty() {
            self.with_decoder(at, sink, |decoder, out| decoder.feed(data, out));
        }
    }

    fn with_decoder(
        &mut self,
        at: Nanos,
        sink: &mut dyn Sink,
        run: impl FnOnce(&mut BodyDecoder, &mut Out<'_>) -> ControlFlow<()>,
    ) {
        let Some(decoder) = &mut self.decoder else { return };
        let (id, response) = (self.id, self.response);
        let flow = run(decoder, &mut |body: Body<'_>| {
            let interest =
                if response { sink.response_body(id, body, at) } else { sink.request_body(id, body, at) };
            if interest == Interest::Skip { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if flow.is_break() {
            self.unwanted = true;
            self.skip();
        }
    }
}
