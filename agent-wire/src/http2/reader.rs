//! The frames of one direction, cut anywhere: payload of DATA as it comes, header blocks whole, the rest as far as it matters.

use crate::exchange::Nanos;

use super::frame::{self, END_HEADERS, END_STREAM, FrameHeader, Kind, PADDED, PREFACE};
use super::resync::Resync;

/// Bytes of a header block beyond the bound on its fields that are still kept: Huffman code makes them shorter, framing longer.
const BLOCK_SLACK: usize = 1 << 10;

/// Payload bytes of frames other than header blocks that are read: enough for RST_STREAM and GOAWAY.
const SMALL: usize = 8;

/// A header block, of a HEADERS frame and its CONTINUATIONs.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) stream: u32,
    /// It announces a pushed stream.
    pub(super) promise: bool,
    pub(super) fragment: Vec<u8>,
    pub(super) end_stream: bool,
    /// Bytes of all its frames.
    pub(super) framed: u64,
    /// Bytes missing inside it, all after `fragment`.
    pub(super) lost: u64,
    /// It was longer than the bound: the fragment is only its beginning.
    pub(super) cut: bool,
    /// Time of its first byte.
    pub(super) started: Nanos,
}

/// What is known about some payload of a DATA frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payload {
    pub(super) stream: u32,
    /// Bytes of frame header and padding that came with it.
    pub(super) framing: u64,
    /// The frame ends behind it.
    pub(super) over: bool,
    /// And so does the message.
    pub(super) end: bool,
}

/// What some bytes brought.
pub(super) enum Event<'a> {
    /// Nothing that concerns anybody.
    Nothing,
    /// The client's preface: this direction carries requests.
    Preface,
    /// Payload of DATA.
    Data(Payload, &'a [u8]),
    /// So many bytes of payload of DATA are missing.
    Gap(Payload, u64),
    /// A header block.
    Block(Block),
    /// A stream is given up.
    Reset(u32),
    /// No stream after this one is served.
    GoAway(u32),
    /// What stands where a frame was due is none. The bytes of it that were taken before must be looked at again.
    NoFrame(Vec<u8>),
}

/// What comes next.
enum State {
    /// The rest of the client's preface, after so many bytes of it.
    Preface(usize),
    /// A frame header.
    Header(Vec<u8>),
    Data(Data),
    /// The payload of a frame that is looked at.
    Collect {
        header: FrameHeader,
        payload: Vec<u8>,
        left: u64,
        lost: u64,
    },
    /// The place in the frames is lost.
    Lost(Box<Resync>),
    /// Nothing more.
    Closed,
}

/// A DATA frame.
struct Data {
    stream: u32,
    end: bool,
    /// Its first byte, which tells the length of the padding, is still to come.
    pad_due: bool,
    data: u64,
    pad: u64,
    /// Bytes of header and padding that nobody was told of yet.
    framing: u64,
}

/// Reads one direction.
pub(super) struct FrameReader {
    state: State,
    block: Option<Block>,
    max_block: usize,
    /// Time of the first byte of the frame header.
    started: Nanos,
    /// Longest frame so far.
    longest: u32,
}

impl FrameReader {
    pub(super) fn new(max_head: usize) -> Self {
        Self {
            state: State::Lost(Box::new(Resync::beginning())),
            block: None,
            max_block: max_head.saturating_add(BLOCK_SLACK),
            started: 0,
            longest: 0,
        }
    }

    /// A frame header is next.
    pub(super) fn expect_frames(&mut self) {
        self.state = State::Header(Vec::new());
    }

    /// The rest of the client's preface is next.
    pub(super) fn expect_preface(&mut self, seen: usize) {
        self.state = State::Preface(seen);
    }

    /// Goes on with a search that was begun before.
    pub(super) fn resume(&mut self, search: Resync) {
        self.state = State::Lost(Box::new(search));
    }

    /// The place in the frames is lost.
    pub(super) fn lose(&mut self) {
        self.block = None;
        if !matches!(self.state, State::Closed) {
            self.state = State::Lost(Box::default());
        }
    }

    /// Longest frame so far.
    pub(super) fn longest(&self) -> u32 {
        self.longest
    }

    pub(super) fn search(&mut self) -> Option<&mut Resync> {
        if let State::Lost(search) = &mut self.state { Some(search) } else { None }
    }

    /// Nothing more is read.
    pub(super) fn close(&mut self) {
        self.block = None;
        self.state = State::Closed;
    }

    pub(super) fn held_bytes(&self) -> usize {
        let state = match &self.state {
            State::Header(buffer) => buffer.capacity(),
            State::Collect { payload, .. } => payload.capacity(),
            State::Lost(search) => search.held_bytes(),
            State::Preface(_) | State::Data(_) | State::Closed => 0,
        };
        state + self.block.as_ref().map_or(0, |block| block.fragment.capacity())
    }

    /// Takes some of the input, which is not empty: how much, and what it brought.
    pub(super) fn step<'a>(&mut self, input: &'a [u8], at: Nanos) -> (usize, Event<'a>) {
        match &mut self.state {
            State::Closed => (input.len(), Event::Nothing),
            // The session pushes to the search itself: it knows the streams.
            State::Lost(_) => (0, Event::Nothing),
            State::Preface(seen) => {
                let rest = PREFACE.get(*seen..).unwrap_or_default();
                let taken = rest.len().min(input.len());
                if rest.get(..taken) != input.get(..taken) {
                    return (0, Event::NoFrame(Vec::new()));
                }
                *seen += taken;
                if taken < rest.len() {
                    return (taken, Event::Nothing);
                }
                self.state = State::Header(Vec::new());
                (taken, Event::Preface)
            }
            State::Header(buffer) => {
                if buffer.is_empty() {
                    self.started = at;
                }
                let taken = (frame::HEADER - buffer.len()).min(input.len());
                buffer.extend_from_slice(input.get(..taken).unwrap_or_default());
                match FrameHeader::first(buffer) {
                    None => (taken, Event::Nothing),
                    Some(header) => {
                        let bytes = std::mem::take(buffer);
                        (taken, self.header(header).unwrap_or(Event::NoFrame(bytes)))
                    }
                }
            }
            State::Data(data) => {
                let (taken, event) = data.step(input);
                let over = data.is_over();
                if over {
                    self.state = State::Header(Vec::new());
                }
                (taken, event)
            }
            State::Collect { payload, left, lost, header } => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let wanted = if is_block(*header) { self.max_block } else { SMALL };
                if *lost == 0 {
                    let room = wanted.saturating_sub(payload.len()).min(taken);
                    payload.extend_from_slice(input.get(..room).unwrap_or_default());
                }
                *left -= taken as u64;
                (taken, self.collected())
            }
        }
    }

    /// A whole frame header. `None`: it is none.
    fn header(&mut self, header: FrameHeader) -> Option<Event<'static>> {
        let continues = header.kind == Kind::Continuation;
        let due = self.block.as_ref().map(|block| block.stream);
        // Nothing may come between the frames of a header block.
        if !header.is_legal()
            || continues != due.is_some()
            || due.is_some_and(|stream| stream != header.stream)
        {
            return None;
        }
        self.longest = self.longest.max(header.length);
        if header.kind == Kind::Data {
            let padded = header.has(PADDED);
            let mut data = Data {
                stream: header.stream,
                end: header.has(END_STREAM),
                pad_due: padded,
                data: u64::from(header.length),
                pad: 0,
                framing: frame::HEADER as u64,
            };
            if data.is_over() {
                self.state = State::Header(Vec::new());
                return Some(data.report(&[]));
            }
            self.state = State::Data(data);
            return Some(Event::Nothing);
        }
        self.state = State::Collect { header, payload: Vec::new(), left: u64::from(header.length), lost: 0 };
        Some(self.collected())
    }

    /// Looks whether the payload that is being collected is whole, and what it says.
    fn collected(&mut self) -> Event<'static> {
        let State::Collect { header, payload, left: 0, lost } = &mut self.state else {
            return Event::Nothing;
        };
        let (header, payload, lost) = (*header, std::mem::take(payload), *lost);
        self.state = State::Header(Vec::new());
        if is_block(header) {
            return self.fragment(header, &payload, lost);
        }
        let number = |at: usize| payload.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        match header.kind {
            Kind::RstStream => Event::Reset(header.stream),
            Kind::GoAway => number(0).map_or(Event::Nothing, |last| Event::GoAway(last & 0x7fff_ffff)),
            _ => Event::Nothing,
        }
    }

    /// The payload of one frame of a header block.
    fn fragment(&mut self, header: FrameHeader, payload: &[u8], lost: u64) -> Event<'static> {
        let mut block = self.block.take().unwrap_or_else(|| Block {
            stream: header.stream,
            promise: header.kind == Kind::PushPromise,
            end_stream: header.kind == Kind::Headers && header.has(END_STREAM),
            started: self.started,
            ..Block::default()
        });
        block.framed += frame::HEADER as u64 + u64::from(header.length) - lost;
        let mut from = 0;
        let mut pad = 0;
        if header.kind != Kind::Continuation {
            if header.has(PADDED) {
                pad = usize::from(payload.first().copied().unwrap_or(0));
                from += 1;
            }
            from += match header.kind {
                Kind::PushPromise => 4,
                _ if header.has(frame::PRIORITY) => 5,
                _ => 0,
            };
        }
        let whole = u64::from(header.length) == payload.len() as u64;
        // The padding is at the end of the frame, which may be missing.
        let until =
            usize::try_from(header.length).unwrap_or(usize::MAX).saturating_sub(pad).min(payload.len());
        if block.lost == 0 && !block.cut {
            let room = self.max_block.saturating_sub(block.fragment.len());
            let piece = payload.get(from..until).unwrap_or_default();
            block.cut = piece.len() > room || (!whole && lost == 0);
            block.fragment.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        block.lost += lost;
        if header.has(END_HEADERS) {
            return Event::Block(block);
        }
        self.block = Some(block);
        Event::Nothing
    }

    /// Bytes are missing: how many of them could be placed, and what that brings. With less than all, the place is lost.
    pub(super) fn gap(&mut self, missing: u64) -> (u64, Event<'static>) {
        match &mut self.state {
            State::Data(data) => {
                let (inside, event) = data.gap(missing);
                if data.is_over() {
                    self.state = State::Header(Vec::new());
                }
                (inside, event)
            }
            State::Collect { left, lost, .. } => {
                let inside = missing.min(*left);
                *left -= inside;
                *lost += inside;
                (inside, self.collected())
            }
            State::Closed => (missing, Event::Nothing),
            State::Lost(_) | State::Preface(_) | State::Header(_) => (0, Event::Nothing),
        }
    }
}

fn is_block(header: FrameHeader) -> bool {
    matches!(header.kind, Kind::Headers | Kind::PushPromise | Kind::Continuation)
}

impl Data {
    fn is_over(&self) -> bool {
        !self.pad_due && self.data == 0 && self.pad == 0
    }

    fn payload(&mut self) -> Payload {
        let over = self.is_over();
        let framing = std::mem::take(&mut self.framing);
        Payload { stream: self.stream, framing, over, end: self.end && over }
    }

    fn report<'a>(&mut self, data: &'a [u8]) -> Event<'a> {
        Event::Data(self.payload(), data)
    }

    fn step<'a>(&mut self, input: &'a [u8]) -> (usize, Event<'a>) {
        if self.pad_due {
            self.pad_due = false;
            let pad = input.first().copied().map_or(0, u64::from);
            // More padding than there is payload is an error; then there is no data.
            self.data = self.data.saturating_sub(1);
            self.pad = pad.min(self.data);
            self.data -= self.pad;
            self.framing += 1;
            return if self.is_over() { (1, self.report(&[])) } else { (1, Event::Nothing) };
        }
        let taken = usize::try_from(self.data).unwrap_or(usize::MAX).min(input.len());
        self.data -= taken as u64;
        let (data, after) = input.split_at_checked(taken).unwrap_or((input, &[]));
        let padding = if self.data == 0 { self.pad.min(after.len() as u64) } else { 0 };
        self.pad -= padding;
        self.framing += padding;
        let padding = usize::try_from(padding).unwrap_or(usize::MAX);
        (taken + padding, self.report(data))
    }

    fn gap(&mut self, missing: u64) -> (u64, Event<'static>) {
        // Without its length the padding counts as data.
        self.pad_due = false;
        let bytes = missing.min(self.data);
        self.data -= bytes;
        let padding = (missing - bytes).min(self.pad);
        self.pad -= padding;
        (bytes + padding, Event::Gap(self.payload(), bytes))
    }
}
