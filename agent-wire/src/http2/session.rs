//! One HTTP/2 connection: the bytes of two directions become exchanges.

use crate::connection::{other, role_of};
use crate::exchange::{Direction, ExchangeId, Interest, Limits, Nanos, Role, Sink};

use super::head;
use super::hpack::Decoder;
use super::reader::{Block, Event, FrameReader};
use super::resync::{Context, Found, Resync};
use super::stream::Stream;
use super::streams::Streams;

/// Longest frame that peers send until they were told that more is welcome (RFC 9113 section 6.5.2).
const USUAL_FRAME: u32 = 1 << 14;
/// Longest frame looked for where nothing is known: what servers in use welcome at most.
const LONG_FRAME: u32 = 1 << 20;

/// Decodes one connection.
pub(crate) struct Session {
    max_head: usize,
    role: Option<Role>,
    egress: Lane,
    ingress: Lane,
    streams: Streams,
    /// A head was read: there is no doubt left that this is HTTP/2.
    proved: bool,
    /// Bytes of bodies that nobody wanted.
    unwanted: u64,
}

/// One direction.
struct Lane {
    reader: FrameReader,
    hpack: Decoder,
}

impl Lane {
    fn new(max_head: usize) -> Self {
        Self { reader: FrameReader::new(max_head), hpack: Decoder::joined() }
    }
}

/// Bytes with the time at which they came.
type Pieces = Vec<(Nanos, Vec<u8>)>;

impl Session {
    /// A connection that speaks HTTP/2 in frames that have to be found first. Exchanges are numbered from `next` on.
    pub(crate) fn new(limits: Limits, next: u64) -> Self {
        Self {
            max_head: limits.max_head,
            role: None,
            egress: Lane::new(limits.max_head),
            ingress: Lane::new(limits.max_head),
            streams: Streams::new(limits, next),
            proved: false,
            unwanted: 0,
        }
    }

    /// A connection that changed to HTTP/2 with a request in HTTP/1, which has become its stream 1. `request` is `None` when nobody is
    /// to hear of it any more.
    pub(crate) fn upgraded(
        limits: Limits,
        role: Role,
        request: Option<(ExchangeId, Interest)>,
        next: u64,
    ) -> Self {
        let mut session = Self::new(limits, next);
        session.role = Some(role);
        session.begin_complete();
        match request {
            Some((id, interest)) => session.streams.insert(1, Stream::with_request_done(id, interest)),
            None => session.streams.give_up(1),
        }
        let requests = requests_of(role);
        session.lane(requests).reader.expect_preface(0);
        session.lane(other(requests)).reader.expect_frames();
        session
    }

    /// The beginning of the preface was seen in `direction`, so many bytes of it.
    pub(crate) fn expect_preface(&mut self, direction: Direction, seen: usize) {
        self.lane(direction).reader.expect_preface(seen);
    }

    /// Goes on with what was searched of a direction before.
    pub(crate) fn resume(&mut self, direction: Direction, search: Resync) {
        self.lane(direction).reader.resume(search);
    }

    pub(crate) fn role(&self) -> Option<Role> {
        self.role
    }

    /// So many bytes were passed over without a single head: this is something else.
    pub(crate) fn is_doubtful(&mut self, passed: u64) -> bool {
        let lost = |lane: &mut Lane| lane.reader.search().is_some_and(|search| search.passed() > passed);
        !self.proved && (lost(&mut self.egress) || lost(&mut self.ingress))
    }

    /// Bytes of bodies that nobody wanted, so far.
    pub(crate) fn unwanted_bytes(&self) -> u64 {
        self.unwanted
    }

    pub(crate) fn held_bytes(&self) -> usize {
        let lane = |lane: &Lane| lane.reader.held_bytes() + lane.hpack.held_bytes();
        size_of::<Self>() + lane(&self.egress) + lane(&self.ingress) + self.streams.held_bytes()
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Egress => &mut self.egress,
            Direction::Ingress => &mut self.ingress,
        }
    }

    /// Whether a direction carries responses, where that is known.
    fn responses(&self, direction: Direction) -> Option<bool> {
        self.role.map(|role| requests_of(role) != direction)
    }

    fn begin_complete(&mut self) {
        self.streams.begin_complete();
        self.egress.hpack = Decoder::new();
        self.ingress.hpack = Decoder::new();
    }

    fn found_role(&mut self, role: Role, sink: &mut dyn Sink) {
        self.role = Some(role);
        sink.role(role);
    }

    /// Takes bytes. Those that must be looked at again wait on a stack in front of the input; all of them together are never more than
    /// was fed.
    pub(crate) fn feed(&mut self, direction: Direction, at: Nanos, input: &[u8], sink: &mut dyn Sink) {
        let mut rest = input;
        let mut again: Vec<(Nanos, Vec<u8>, usize)> = Vec::new();
        loop {
            let pieces = if let Some((at, bytes, from)) = again.last_mut() {
                let piece = bytes.get(*from..).unwrap_or_default();
                if piece.is_empty() {
                    again.pop();
                    continue;
                }
                let (taken, pieces) = self.step(direction, *at, piece, sink);
                *from += taken;
                pieces
            } else if rest.is_empty() {
                return;
            } else {
                let (taken, pieces) = self.step(direction, at, rest, sink);
                rest = rest.get(taken..).unwrap_or_default();
                pieces
            };
            again.extend(pieces.into_iter().rev().map(|(at, bytes)| (at, bytes, 0)));
        }
    }

    /// One step: how many bytes were taken, and which ones must be looked at again first.
    fn step(
        &mut self,
        direction: Direction,
        at: Nanos,
        input: &[u8],
        sink: &mut dyn Sink,
    ) -> (usize, Pieces) {
        let searched = self.with_search(direction, |search, context| search.push(input, at, context));
        if let Some((taken, found)) = searched {
            return (taken, found.map(|found| self.found(direction, found, at, sink)).unwrap_or_default());
        }
        let (taken, event) = self.lane(direction).reader.step(input, at);
        (taken, self.event(direction, event, at, sink))
    }

    /// Runs `step` on the search for frames, if this direction is being searched.
    fn with_search<T>(
        &mut self,
        direction: Direction,
        step: impl FnOnce(&mut Resync, &Context<'_>) -> T,
    ) -> Option<T> {
        let responses = self.responses(direction);
        let Self { egress, ingress, streams, proved, .. } = self;
        let reader = match direction {
            Direction::Egress => &mut egress.reader,
            Direction::Ingress => &mut ingress.reader,
        };
        let longest = if *proved { reader.longest().max(USUAL_FRAME) } else { LONG_FRAME };
        let open = |number: u32| responses.is_some_and(|responses| streams.is_open(number, responses));
        let context = Context { requests: responses.map(|responses| !responses), longest, open: &open };
        reader.search().map(|search| step(search, &context))
    }

    /// Frames were found.
    pub(crate) fn found(
        &mut self,
        direction: Direction,
        found: Found,
        at: Nanos,
        sink: &mut dyn Sink,
    ) -> Pieces {
        self.lane(direction).reader.expect_frames();
        if found.preface {
            self.preface(direction, sink);
        }
        if let Some(responses) = self.responses(direction)
            && found.passed > 0
        {
            self.streams.loss(responses, found.passed, at, sink);
        }
        found.pieces
    }

    /// The client's preface ends here: the connection is seen from its beginning.
    fn preface(&mut self, direction: Direction, sink: &mut dyn Sink) {
        self.begin_complete();
        self.found_role(role_of(direction, true), sink);
        let answers = other(direction);
        if let Some(early) = self.lane(answers).reader.search().and_then(Resync::trust) {
            self.lane(answers).reader.expect_frames();
            for (at, bytes) in early.pieces {
                self.feed(answers, at, &bytes, sink);
            }
        }
    }

    fn event(&mut self, direction: Direction, event: Event<'_>, at: Nanos, sink: &mut dyn Sink) -> Pieces {
        let responses = self.responses(direction);
        match (event, responses) {
            (Event::Nothing, _) => {}
            (Event::Preface, _) => {
                if self.role.is_none() {
                    self.preface(direction, sink);
                }
            }
            (Event::NoFrame(bytes), _) => {
                self.lose(direction);
                return vec![(at, bytes)];
            }
            (Event::Block(block), _) => self.block(direction, &block, at, sink),
            (Event::Data(payload, data), Some(responses)) => {
                if !self.streams.is_wanted(payload.stream) {
                    self.unwanted = self.unwanted.saturating_add(data.len() as u64);
                }
                self.streams.data(payload, responses, data, at, sink);
            }
            (Event::Gap(payload, bytes), Some(responses)) => {
                self.streams.gap(payload, responses, bytes, at, sink);
            }
            (Event::Reset(stream), Some(_)) => self.streams.reset(stream, at, sink),
            (Event::GoAway(last), Some(true)) => self.streams.go_away(last, at, sink),
            // Whose they are cannot be known.
            (Event::Data(..) | Event::Gap(..) | Event::Reset(_) | Event::GoAway(_), _) => {}
        }
        Vec::new()
    }

    fn block(&mut self, direction: Direction, block: &Block, at: Nanos, sink: &mut dyn Sink) {
        let max_head = self.max_head;
        let lane = self.lane(direction);
        let section = lane.hpack.decode(&block.fragment, max_head);
        if block.lost > 0 || block.cut {
            lane.hpack.distrust();
        }
        if block.promise || block.stream.is_multiple_of(2) {
            return;
        }
        let request = head::is_request(&section);
        if let (None, Some(request)) = (self.role, request) {
            self.found_role(role_of(direction, request), sink);
        }
        match (self.responses(direction), request) {
            (Some(false), Some(true) | None) => {
                self.proved = true;
                self.streams.request_block(block, section, at, sink);
            }
            (Some(true), Some(false) | None) => {
                self.proved = true;
                self.streams.response_block(block, section, at, sink);
            }
            // Whose it is cannot be known, or it contradicts all that came before.
            _ => {}
        }
    }

    /// The place in the frames of a direction is lost.
    fn lose(&mut self, direction: Direction) {
        let lane = self.lane(direction);
        lane.reader.lose();
        lane.hpack.distrust();
        self.streams.note_missing();
    }

    /// Bytes are missing.
    pub(crate) fn gap(&mut self, direction: Direction, missing: u64, at: Nanos, sink: &mut dyn Sink) {
        if let Some(search) = self.lane(direction).reader.search() {
            search.forget(missing);
            self.streams.note_missing();
            return;
        }
        let (inside, event) = self.lane(direction).reader.gap(missing);
        self.event(direction, event, at, sink);
        if inside < missing {
            self.lose(direction);
            if let Some(search) = self.lane(direction).reader.search() {
                search.forget(missing - inside);
            }
        }
    }

    /// A direction carries no more.
    pub(crate) fn half_close(&mut self, direction: Direction, at: Nanos, sink: &mut dyn Sink) {
        if let Some(Some(found)) = self.with_search(direction, Resync::settle) {
            for (at, bytes) in self.found(direction, found, at, sink) {
                self.feed(direction, at, &bytes, sink);
            }
        }
        let passed = self.lane(direction).reader.search().map_or(0, |search| search.total());
        self.lane(direction).reader.close();
        if let Some(responses) = self.responses(direction) {
            if passed > 0 {
                self.streams.loss(responses, passed, at, sink);
            }
            self.streams.close(responses, at, sink);
        }
    }

    /// Nothing more comes.
    pub(crate) fn close(&mut self, at: Nanos, sink: &mut dyn Sink) {
        let requests = self.role.map_or(Direction::Egress, requests_of);
        self.half_close(requests, at, sink);
        self.half_close(other(requests), at, sink);
        self.streams.end_all(at, sink);
    }
}

/// The direction of requests.
fn requests_of(role: Role) -> Direction {
    match role {
        Role::Client => Direction::Egress,
        Role::Server => Direction::Ingress,
    }
}
