//! The streams of a connection that are under way, and what each frame means to them.

use std::collections::{BTreeMap, VecDeque};

use crate::exchange::{ExchangeId, Interest, Limits, MessageEnd, Nanos, ResponseHead, Sink, Version};
use crate::headers::Headers;

use super::head;
use super::hpack::Section;
use super::reader::{Block, Payload};
use super::stream::{Head, Stream};

/// Streams given up whose last frames may still come.
const REMEMBERED: usize = 256;

/// All of them.
pub(super) struct Streams {
    map: BTreeMap<u32, Stream>,
    next: u64,
    /// Every stream was seen from its beginning so far: a frame on an unknown one belongs to one that has ended.
    complete: bool,
    given_up: VecDeque<u32>,
    limits: Limits,
}

impl Streams {
    /// Exchanges are numbered from `next` on.
    pub(super) fn new(limits: Limits, next: u64) -> Self {
        Self { map: BTreeMap::new(), next, complete: false, given_up: VecDeque::new(), limits }
    }

    /// The connection is seen from its beginning.
    pub(super) fn begin_complete(&mut self) {
        self.complete = true;
    }

    /// Heads of requests may be missing from here on.
    pub(super) fn note_missing(&mut self) {
        self.complete = false;
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.map.values().map(Stream::held_bytes).sum::<usize>() + self.given_up.capacity() * size_of::<u32>()
    }

    pub(super) fn is_open(&self, number: u32, response: bool) -> bool {
        self.map.get(&number).is_some_and(|stream| stream.is_open(response))
    }

    /// Whether anybody wants what comes on that stream.
    pub(super) fn is_wanted(&self, number: u32) -> bool {
        self.map.get(&number).is_some_and(Stream::is_wanted)
    }

    /// Takes a stream whose request came before HTTP/2 began.
    pub(super) fn insert(&mut self, number: u32, stream: Stream) {
        self.map.insert(number, stream);
    }

    /// Nothing on that stream is to be told.
    pub(super) fn give_up(&mut self, number: u32) {
        if self.given_up.len() == REMEMBERED {
            self.given_up.pop_front();
        }
        self.given_up.push_back(number);
    }

    fn number(&mut self) -> ExchangeId {
        let id = ExchangeId(self.next);
        self.next += 1;
        id
    }

    /// A header block in the direction of requests.
    pub(super) fn request_block(&mut self, block: &Block, section: Section, at: Nanos, sink: &mut dyn Sink) {
        let number = block.stream;
        if self.map.contains_key(&number) {
            self.trailers(block, section, false, at, sink);
            return;
        }
        if head::is_request(&section) != Some(true) {
            return;
        }
        let head = head::request(section.clone());
        let asks = head.method == "CONNECT"
            && head.headers.get(":protocol").is_some_and(|name| name.eq_ignore_ascii_case("websocket"));
        let facts = Head::new(&head.headers, block, &section);
        let id = self.number();
        let interest = sink.request_head(id, head, block.started);
        let mut stream = Stream::new(id, interest, false);
        if asks {
            stream.ask_for_websocket();
        }
        stream.begin(false, &facts, at, &self.limits);
        self.map.insert(number, stream);
        if block.end_stream {
            self.finish(number, false, at, sink);
        }
        self.keep_bounds(at, sink);
    }

    /// A header block in the direction of responses.
    pub(super) fn response_block(&mut self, block: &Block, section: Section, at: Nanos, sink: &mut dyn Sink) {
        let number = block.stream;
        let status = section.get(":status");
        // Interim responses (RFC 9110 section 15.2) announce another one.
        if status.is_some_and(|status| status.starts_with('1')) {
            return;
        }
        let waiting = match self.map.get(&number) {
            Some(stream) => stream.is_waiting(true),
            // Without a status these are the trailers of a response that was not seen.
            None => status.is_some() && self.attach(number, block.started, sink),
        };
        if !waiting {
            self.trailers(block, section, true, at, sink);
            return;
        }
        let head = head::response(section.clone());
        let facts = Head::new(&head.headers, block, &section);
        self.begin_response(number, head, &facts, (block.started, at), sink);
        if block.end_stream {
            let trailers = head::grpc_trailers(&facts.headers);
            if let Some(stream) = self.map.get_mut(&number) {
                stream.trailers(true, trailers, 0, 0, at);
            }
            self.finish(number, true, at, sink);
        }
        self.keep_bounds(at, sink);
    }

    /// Hands a response head on; `times` are those of its first and last byte.
    fn begin_response(
        &mut self,
        number: u32,
        head: ResponseHead,
        facts: &Head,
        times: (Nanos, Nanos),
        sink: &mut dyn Sink,
    ) {
        let Some(stream) = self.map.get_mut(&number) else { return };
        let agrees = (200..300).contains(&head.status);
        if sink.response_head(stream.id, head, times.0) == Interest::Skip {
            stream.skip();
        }
        stream.begin(true, facts, times.1, &self.limits);
        if agrees {
            stream.agree(&facts.headers, &self.limits);
        }
    }

    /// A response (or the rest of a request) whose request was never seen. False if it is known that there is none.
    fn attach(&mut self, number: u32, at: Nanos, sink: &mut dyn Sink) -> bool {
        if self.complete || number.is_multiple_of(2) || self.given_up.contains(&number) {
            return false;
        }
        let id = self.number();
        let interest = sink.request_head(id, head::unknown_request(), at);
        sink.request_end(id, MessageEnd { at, truncated: true, ..MessageEnd::default() });
        let mut stream = Stream::new(id, interest, true);
        stream.request_done();
        self.map.insert(number, stream);
        true
    }

    /// A header block behind a body.
    fn trailers(&mut self, block: &Block, section: Section, response: bool, at: Nanos, sink: &mut dyn Sink) {
        let Some(stream) = self.map.get_mut(&block.stream) else { return };
        stream.trailers(response, head::trailers(section), block.framed, block.lost, at);
        if block.end_stream {
            self.finish(block.stream, response, at, sink);
        }
    }

    /// Whether payload of DATA belongs to a message that is followed; begins one whose head was not seen.
    fn receives(&mut self, number: u32, response: bool, at: Nanos, sink: &mut dyn Sink) -> bool {
        let headless = match self.map.get(&number) {
            Some(stream) if stream.is_open(response) => return true,
            // Its head was lost.
            Some(stream) => response && stream.is_waiting(true) && !self.complete,
            None => response && self.attach(number, at, sink),
        };
        if !headless {
            return false;
        }
        let head = ResponseHead { status: 0, version: Version::Http2, headers: Headers::new() };
        self.begin_response(number, head, &Head::unknown(), (at, at), sink);
        true
    }

    /// Payload of DATA.
    pub(super) fn data(
        &mut self,
        payload: Payload,
        response: bool,
        data: &[u8],
        at: Nanos,
        sink: &mut dyn Sink,
    ) {
        let Payload { stream: number, framing, over, end } = payload;
        if !self.receives(number, response, at, sink) {
            return;
        }
        let Some(stream) = self.map.get_mut(&number) else { return };
        stream.data(response, data, framing, at, sink);
        if end || stream.is_closed(response) {
            self.finish(number, response, at, sink);
        } else if over && let Some(truncated) = stream.missed_end(response) {
            self.finish_as(number, response, truncated, at, sink);
        }
    }

    /// Payload of DATA that is missing.
    pub(super) fn gap(
        &mut self,
        payload: Payload,
        response: bool,
        missing: u64,
        at: Nanos,
        sink: &mut dyn Sink,
    ) {
        let Payload { stream: number, framing, end, .. } = payload;
        if !self.receives(number, response, at, sink) {
            return;
        }
        let Some(stream) = self.map.get_mut(&number) else { return };
        stream.gap(response, missing, framing, at, sink);
        if end || stream.is_closed(response) {
            self.finish(number, response, at, sink);
        }
    }

    /// Frames of a direction are missing. Whose they are is not known: every message under way may have been meant.
    pub(super) fn loss(&mut self, response: bool, missing: u64, at: Nanos, sink: &mut dyn Sink) {
        self.complete = false;
        let open: Vec<u32> = self
            .map
            .iter()
            .filter(|(_, stream)| stream.is_open(response))
            .map(|(number, _)| *number)
            .collect();
        for number in open {
            let Some(stream) = self.map.get_mut(&number) else { continue };
            stream.loss(response, missing, at, sink);
            if let Some(truncated) = stream.missed_end(response) {
                self.finish_as(number, response, truncated, at, sink);
            }
        }
    }

    fn finish(&mut self, number: u32, response: bool, at: Nanos, sink: &mut dyn Sink) {
        self.finish_as(number, response, false, at, sink);
    }

    fn finish_as(&mut self, number: u32, response: bool, truncated: bool, at: Nanos, sink: &mut dyn Sink) {
        let Some(stream) = self.map.get_mut(&number) else { return };
        stream.finish(response, truncated, sink);
        if let Some(truncated) = stream.missed_end(false) {
            stream.finish(false, truncated, sink);
        }
        self.end_if_over(number, at, sink);
    }

    fn end_if_over(&mut self, number: u32, at: Nanos, sink: &mut dyn Sink) {
        if self.map.get(&number).is_some_and(Stream::is_over)
            && let Some(stream) = self.map.remove(&number)
        {
            if stream.is_switched() {
                // Its close messages came before the end of the stream.
                self.give_up(number);
            }
            stream.end(at, sink);
        }
    }

    /// A stream is given up by one of its ends.
    pub(super) fn reset(&mut self, number: u32, at: Nanos, sink: &mut dyn Sink) {
        if let Some(stream) = self.map.remove(&number) {
            stream.end(at, sink);
        }
        self.give_up(number);
    }

    /// The server serves no stream after `last`.
    pub(super) fn go_away(&mut self, last: u32, at: Nanos, sink: &mut dyn Sink) {
        let unserved = self.map.split_off(&last.saturating_add(1));
        for (number, stream) in unserved {
            stream.end(at, sink);
            self.give_up(number);
        }
    }

    /// A direction carries no more: its messages are cut, and responses that have not begun will not come.
    pub(super) fn close(&mut self, response: bool, at: Nanos, sink: &mut dyn Sink) {
        let numbers: Vec<u32> = self.map.keys().copied().collect();
        for number in numbers {
            let Some(stream) = self.map.get_mut(&number) else { continue };
            if stream.is_open(response) {
                self.finish_as(number, response, true, at, sink);
            } else if response && stream.is_waiting(true) {
                self.reset(number, at, sink);
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn end_all(&mut self, at: Nanos, sink: &mut dyn Sink) {
        let mut all: Vec<Stream> = std::mem::take(&mut self.map).into_values().collect();
        all.sort_by_key(|stream| stream.id);
        for stream in all {
            stream.end(at, sink);
        }
    }

    /// Too many: the oldest is given up, one that nobody wants if there is any.
    fn keep_bounds(&mut self, at: Nanos, sink: &mut dyn Sink) {
        while self.map.len() > self.limits.max_pending.max(1) {
            let oldest = self.map.iter().min_by_key(|(_, stream)| (stream.is_wanted(), stream.id));
            let Some(number) = oldest.map(|(number, _)| *number) else { break };
            self.reset(number, at, sink);
        }
    }
}
