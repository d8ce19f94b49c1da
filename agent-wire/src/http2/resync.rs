//! Finds frames among bytes whose place in the frames is not known: at the beginning of a capture, and after a loss.
//!
//! A place is believed when several frame headers follow each other from there, each of a kind that peers in use would send, or when
//! what follows is a header block that can be read and says what it belongs to.

use std::collections::VecDeque;

use crate::exchange::Nanos;

use super::frame::{self, END_HEADERS, FrameHeader, Kind, PADDED, PREFACE};
use super::hpack::Decoder;

/// Points that prove a place. One frame of a kind with a fixed length and stream gives two, a readable head three.
const ENOUGH: u32 = 3;
/// Points that do when nothing more can be had.
const LIKELY: u32 = 2;
/// Most bytes held: three frames of the length that peers begin with, and their headers.
const MAX_HELD: usize = 3 * (16_384 + frame::HEADER) + frame::HEADER;
/// Most input taken at once, so that what follows a place that was found is not copied again and again.
const MAX_STEP: usize = 4 << 10;
/// Bound on the fields of a head that is only looked at.
const MAX_FIELDS: usize = 64 << 10;

/// What is known of the direction that is searched.
pub(crate) struct Context<'a> {
    /// It carries requests (or responses), where that is known.
    pub(crate) requests: Option<bool>,
    /// Longest frame that may come.
    pub(crate) longest: u32,
    /// Whether a stream has a message under way in this direction.
    pub(crate) open: &'a dyn Fn(u32) -> bool,
}

/// A place in the frames.
pub(crate) struct Found {
    /// It begins behind a client's preface, at the beginning of the direction.
    pub(crate) preface: bool,
    /// Bytes in front of it that were lost, or passed over.
    pub(crate) passed: u64,
    /// The bytes from there on, with the times at which they came.
    pub(crate) pieces: Vec<(Nanos, Vec<u8>)>,
}

/// A search.
#[derive(Default)]
pub(crate) struct Resync {
    buffer: Vec<u8>,
    /// Lengths of the pieces of the buffer, and when they came.
    times: VecDeque<(usize, Nanos)>,
    /// Places of the buffer before this one are none.
    candidate: usize,
    /// Bytes lost, or dropped from the front of the buffer.
    passed: u64,
    /// Nothing of this direction has been seen before.
    beginning: bool,
}

enum Verdict {
    Place,
    No,
    More,
}

impl Resync {
    /// From the first bytes of a direction on.
    pub(crate) fn beginning() -> Self {
        Self { beginning: true, ..Self::default() }
    }

    /// Bytes lost or passed over so far.
    pub(crate) fn passed(&self) -> u64 {
        self.passed.saturating_add(self.candidate as u64)
    }

    /// Bytes lost, passed over, or waiting to be judged.
    pub(crate) fn total(&self) -> u64 {
        self.passed.saturating_add(self.buffer.len() as u64)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.buffer.capacity() + self.times.capacity() * size_of::<(usize, Nanos)>()
    }

    /// Bytes are missing here.
    pub(crate) fn forget(&mut self, missing: u64) {
        let passed = self.passed.saturating_add(self.buffer.len() as u64).saturating_add(missing);
        *self = Self { passed, ..Self::default() };
    }

    /// Takes some of the input: how many bytes, and the frames that are found.
    pub(crate) fn push(&mut self, input: &[u8], at: Nanos, context: &Context<'_>) -> (usize, Option<Found>) {
        let taken = input.len().min(MAX_STEP);
        self.buffer.extend(input.iter().take(taken));
        match self.times.back_mut() {
            Some((length, time)) if *time == at => *length += taken,
            _ => self.times.push_back((taken, at)),
        }
        if self.beginning && self.passed() == 0 {
            if self.buffer.starts_with(PREFACE) {
                return (taken, Some(self.found(PREFACE.len(), true)));
            }
            if PREFACE.starts_with(&self.buffer) {
                return (taken, None);
            }
        }
        let found = self.search(context, false).map(|place| self.found(place, false));
        (taken, found)
    }

    /// The other direction has shown that frames are spoken from the beginning: they begin with the first byte.
    pub(crate) fn trust(&mut self) -> Option<Found> {
        (self.beginning && self.passed() == 0).then(|| self.found(0, false))
    }

    /// Nothing more comes: frames whose end is the end of what there is.
    pub(crate) fn settle(&mut self, context: &Context<'_>) -> Option<Found> {
        self.search(context, true).map(|place| self.found(place, false))
    }

    fn found(&mut self, place: usize, preface: bool) -> Found {
        let passed = self.passed.saturating_add(if preface { 0 } else { place as u64 });
        let mut pieces = Vec::new();
        let mut begin = 0_usize;
        for (length, at) in &self.times {
            let end = begin + length;
            if let Some(piece) = self.buffer.get(begin.max(place)..end)
                && !piece.is_empty()
            {
                pieces.push((*at, piece.to_vec()));
            }
            begin = end;
        }
        *self = Self::default();
        Found { preface, passed, pieces }
    }

    fn search(&mut self, context: &Context<'_>, last: bool) -> Option<usize> {
        // Text is passed over quickly: the first byte of a length is small.
        let most = u8::try_from(context.longest >> 16).unwrap_or(u8::MAX);
        loop {
            let rest = self.buffer.get(self.candidate..).unwrap_or_default();
            self.candidate += rest.iter().position(|byte| *byte <= most).unwrap_or(rest.len());
            if self.candidate >= self.buffer.len() {
                break;
            }
            match self.judge(context, last) {
                Verdict::Place => return Some(self.candidate),
                Verdict::More => break,
                Verdict::No => self.candidate += 1,
            }
        }
        self.trim();
        None
    }

    /// Drops what was passed over; not at every byte, because moving the rest has its price.
    fn trim(&mut self) {
        if self.candidate < MAX_STEP && self.candidate < self.buffer.len() {
            return;
        }
        self.buffer.drain(..self.candidate);
        self.passed = self.passed.saturating_add(self.candidate as u64);
        let mut left = std::mem::take(&mut self.candidate);
        while left > 0
            && let Some((length, _)) = self.times.front_mut()
        {
            let dropped = left.min(*length);
            *length -= dropped;
            left -= dropped;
            if *length == 0 {
                self.times.pop_front();
            }
        }
    }

    /// Whether frames follow each other from the candidate on.
    fn judge(&self, context: &Context<'_>, last: bool) -> Verdict {
        let mut from = self.candidate;
        let mut points = u32::from(self.beginning && self.passed() == 0);
        let mut block: Option<u32> = None;
        loop {
            let rest = self.buffer.get(from..).unwrap_or_default();
            let header = FrameHeader::first(rest);
            if header.is_some_and(|header| !header.is_likely(context.longest)) {
                return Verdict::No;
            }
            let payload = header.and_then(|header| {
                let end = frame::HEADER.saturating_add(header.length as usize);
                rest.get(frame::HEADER..end)
            });
            let Some(header) = header.filter(|header| payload.is_some() || !needs_payload(*header)) else {
                let full = self.buffer.len() - self.candidate >= MAX_HELD;
                return match (full, last) {
                    (true, _) if points >= LIKELY => Verdict::Place,
                    (false, true) if points >= LIKELY && rest.is_empty() => Verdict::Place,
                    (false, false) => Verdict::More,
                    _ => Verdict::No,
                };
            };
            let continues = header.kind == Kind::Continuation;
            if continues != block.is_some() || block.is_some_and(|stream| stream != header.stream) {
                return Verdict::No;
            }
            match self::points(header, payload, context) {
                Some(more) => points += more,
                None => return Verdict::No,
            }
            if points >= ENOUGH {
                return Verdict::Place;
            }
            block = match header.kind {
                Kind::Headers | Kind::PushPromise | Kind::Continuation if !header.has(END_HEADERS) => {
                    Some(header.stream)
                }
                _ => None,
            };
            from = from.saturating_add(frame::HEADER).saturating_add(header.length as usize);
        }
    }
}

/// Whether a frame header is judged together with its payload, which must not depend on how much has come.
fn needs_payload(header: FrameHeader) -> bool {
    match header.kind {
        Kind::RstStream | Kind::WindowUpdate => true,
        Kind::Headers => header.has(END_HEADERS),
        _ => false,
    }
}

/// How much a likely frame header, with its payload if that is needed, says for a place. `None`: it is none.
fn points(header: FrameHeader, payload: Option<&[u8]>, context: &Context<'_>) -> Option<u32> {
    let number = payload.and_then(|payload| payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)));
    match header.kind {
        Kind::Data => Some(if (context.open)(header.stream) { 2 } else { 1 }),
        Kind::Headers => match payload {
            Some(payload) if header.has(END_HEADERS) => head_points(header, payload, context),
            _ => Some(1),
        },
        Kind::RstStream => number.is_none_or(|code| code < 0x20).then_some(2),
        Kind::WindowUpdate => {
            number.is_none_or(|increment| increment != 0 && increment >> 31 == 0).then_some(2)
        }
        Kind::Settings | Kind::Ping | Kind::GoAway | Kind::Priority => Some(2),
        Kind::PushPromise => (context.requests != Some(true)).then_some(1),
        Kind::Continuation | Kind::Extension => Some(1),
        Kind::Unknown => None,
    }
}

/// A header block says which message it begins.
fn head_points(header: FrameHeader, payload: &[u8], context: &Context<'_>) -> Option<u32> {
    let mut block = payload;
    if header.has(PADDED) {
        let (pad, rest) = block.split_first()?;
        block = rest.get(..rest.len().checked_sub(usize::from(*pad))?)?;
    }
    if header.has(frame::PRIORITY) {
        block = block.get(5..)?;
    }
    let section = Decoder::joined().decode(block, MAX_FIELDS);
    if section.broken || (section.fields.is_empty() && section.unknown == 0) {
        return None;
    }
    let request = section.get(":method").is_some() || section.get(":path").is_some();
    match (request, section.get(":status").is_some()) {
        (true, true) => None,
        (true, false) => (context.requests != Some(false)).then_some(3),
        (false, true) => (context.requests != Some(true)).then_some(3),
        (false, false) => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// Where frames are found in `bytes`, however they are cut.
    fn place(mut search: impl FnMut() -> Resync, bytes: &[u8], open: &[u32], last: bool) -> Option<u64> {
        let mut all = Vec::new();
        for size in [1, 7, bytes.len().max(1)] {
            let mut search = search();
            let open = |stream: u32| open.contains(&stream);
            let context = Context { requests: None, longest: 1 << 14, open: &open };
            let mut found = None;
            for piece in bytes.chunks(size) {
                let mut piece = piece;
                while !piece.is_empty() && found.is_none() {
                    let (taken, place) = search.push(piece, 5, &context);
                    piece = &piece[taken..];
                    found = place;
                }
            }
            if found.is_none() && last {
                found = search.settle(&context);
            }
            all.push(found.map(|found| found.passed));
        }
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
        all.pop().flatten()
    }

    #[test]
    fn several_frames_prove_a_place() {
        let data = |stream| frame(0, 0, stream, b"data: {\"a\":1}\n\n");
        let tail = b"half a \0\0\0 payload\n\n";
        let three = [tail.as_slice(), &data(5), &data(5), &data(7)].concat();
        assert_eq!(place(Resync::default, &three, &[], false), Some(tail.len() as u64));
        // One short of it, then as many as are enough for a stream that is known.
        let two = [tail.as_slice(), &data(5), &data(5)].concat();
        assert_eq!(place(Resync::default, &two, &[], false), None);
        assert_eq!(place(Resync::default, &two, &[5], false), Some(tail.len() as u64));
        // At the end the last frame has to end where the bytes end.
        assert_eq!(
            place(Resync::default, &[tail.as_slice(), &data(5)].concat(), &[5], true),
            Some(tail.len() as u64)
        );
        assert_eq!(place(Resync::default, &[tail.as_slice(), &data(5), b"x"].concat(), &[5], true), None);
    }

    #[test]
    fn a_head_proves_its_place_alone() {
        // :method POST, :scheme https, an entry that is unknown.
        let request = frame(1, 4, 3, &[0x83, 0x87, 0xc8]);
        assert_eq!(place(Resync::default, &[b"..".as_slice(), &request].concat(), &[], false), Some(2));
        // Not when it is no HPACK.
        assert_eq!(place(Resync::default, &frame(1, 4, 3, &[0x83, 0x80]), &[], true), None);
    }

    #[test]
    fn other_bytes_are_no_frames() {
        let zeros = vec![0; 100_000];
        let numbers: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        let text = b"{\"role\": \"user\"}\r\n".repeat(1_000);
        for bytes in [zeros, numbers, text] {
            assert_eq!(place(Resync::beginning, &bytes, &[1, 3, 5], true), None);
        }
    }

    #[test]
    fn a_beginning_is_a_preface_or_frames() {
        let mut search = Resync::beginning();
        let context = Context { requests: None, longest: 1 << 14, open: &|_| false };
        assert!(search.push(b"PRI * HTTP/2.0\r\n", 1, &context).1.is_none());
        let (taken, found) = search.push(b"\r\nSM\r\n\r\n\0\0", 2, &context);
        let found = found.unwrap();
        assert_eq!((taken, found.preface, found.passed), (10, true, 0));
        assert_eq!(found.pieces, [(2, vec![0, 0])]);
        // The first settings of a server, and what follows.
        let settings = frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]);
        assert_eq!(place(Resync::beginning, &settings, &[], false), Some(0));
        let mut search = Resync::beginning();
        search.push(b"\0\0", 9, &context);
        assert_eq!(search.trust().unwrap().pieces, [(9, vec![0, 0])]);
    }

    #[test]
    fn memory_is_bounded() {
        let context = Context { requests: None, longest: 1 << 24, open: &|_| false };
        // A long frame that never ends, over and over.
        let mut search = Resync::default();
        let header = [0x10, 0, 0, 0, 0, 0, 0, 0, 1];
        for _ in 0..20_000 {
            let mut piece = &[&header[..], b"abc"].concat()[..];
            while !piece.is_empty() {
                let (taken, _) = search.push(piece, 1, &context);
                piece = &piece[taken..];
            }
            assert!(search.held_bytes() < 300_000, "{}", search.held_bytes());
        }
    }
}
