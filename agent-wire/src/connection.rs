//! One connection: the bytes of two directions become exchanges.

mod websocket;

use crate::exchange::{
    Direction, ExchangeId, Interest, Limits, Nanos, RequestHead, ResponseHead, Role, Sink,
};
use crate::exchanges::Exchanges;
use crate::headers::Headers;
use crate::http1::framing::{self, Length};
use crate::http1::head::{self, Collected, Head, HeadBuffer, Side};
use crate::http1::message::{Message, Opening, Progress};
use crate::http1::search::{Search, last_start};
use crate::http2::{Context, Found, Resync, Session};
use crate::lane::{Lane, State};
use crate::websocket::{asks_for_websocket, is_websocket};

/// Bytes without any message head after which the connection is called something else than HTTP.
const OTHER_AFTER: u64 = 64 << 10;

/// Longest HTTP/2 frame that is looked for: what servers in use welcome at most.
const MAX_FRAME: u32 = 1 << 20;

/// First line of the HTTP/2 connection preface (RFC 9113 section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What is being spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// Not decided yet.
    #[default]
    Unknown,
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2: its preface or its frames were seen, or the connection was upgraded to it.
    Http2,
    /// WebSocket, after a response that switched to it. Its messages belong to the exchange that did so.
    WebSocket,
    /// Nothing that looks like HTTP in the first 64 KiB, or a connection that left HTTP (101, CONNECT) or
    /// WebSocket. In the first case heads are still
    /// looked for, because a connection may have been met in the middle of a long body.
    Other,
}

/// Decodes one connection. Feed it with [`Connection::push`], end it with [`Connection::close`].
pub struct Connection {
    limits: Limits,
    role: Option<Role>,
    protocol: Protocol,
    egress: Lane,
    ingress: Lane,
    exchanges: Exchanges,
    gaps: u64,
    /// Looks for the frames of HTTP/2 (egress, ingress) as long as nothing is known.
    searches: Option<Box<(Resync, Resync)>>,
    /// Decodes everything from the moment at which HTTP/2 is known.
    http2: Option<Box<Session>>,
}

impl Connection {
    /// A connection of which nothing was seen yet. Both directions begin at offset 0.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            role: None,
            protocol: Protocol::Unknown,
            egress: Lane::default(),
            ingress: Lane::default(),
            exchanges: Exchanges::new(limits.max_pending),
            gaps: 0,
            searches: Some(Box::new((Resync::beginning(), Resync::beginning()))),
            http2: None,
        }
    }

    /// Takes a piece of one direction's bytes. Pieces come in offset order per direction; `offset` counts bytes from the beginning of
    /// the direction. An offset beyond the expected one is a gap; what lies before it is an overlap and is cut off.
    pub fn push(&mut self, direction: Direction, offset: u64, at: Nanos, data: &[u8], sink: &mut dyn Sink) {
        let expected = self.lane(direction).expected;
        let data = match offset.checked_sub(expected) {
            Some(0) => data,
            Some(missing) => {
                self.gap(direction, missing, at, sink);
                data
            }
            None => {
                let known = usize::try_from(expected - offset).unwrap_or(usize::MAX);
                data.get(known..).unwrap_or_default()
            }
        };
        let lane = self.lane_mut(direction);
        lane.expected = lane.expected.saturating_add(data.len() as u64);
        let mut rest = data;
        // While nothing is known, line by line: a head of HTTP/1 that ends before frames of HTTP/2 are found is believed, whatever follows
        // it, and it can end with a line only.
        while self.searches.is_some() && !rest.is_empty() {
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |feed| feed + 1);
            let (line, after) = rest.split_at_checked(line).unwrap_or_default();
            rest = after;
            if !self.find_frames(direction, at, line, sink) {
                self.feed(direction, at, line, sink);
            }
            if self.protocol != Protocol::Unknown {
                self.searches = None;
            }
        }
        if !rest.is_empty() {
            self.feed(direction, at, rest, sink);
        }
    }

    /// Looks for HTTP/2 in a connection of which nothing is known yet. True: it is, and these bytes are taken.
    fn find_frames(&mut self, direction: Direction, at: Nanos, data: &[u8], sink: &mut dyn Sink) -> bool {
        let Some(searches) = &mut self.searches else { return false };
        let search = match direction {
            Direction::Egress => &mut searches.0,
            Direction::Ingress => &mut searches.1,
        };
        let context = Context { requests: None, longest: MAX_FRAME, open: &|_| false };
        let mut rest = data;
        while !rest.is_empty() {
            let (taken, found) = search.push(rest, at, &context);
            rest = rest.get(taken..).unwrap_or_default();
            if let Some(found) = found {
                self.begin_frames(direction, found, at, sink);
                self.frames(direction, at, rest, sink);
                return true;
            }
        }
        false
    }

    /// HTTP/2 was found in the bytes of a direction.
    fn begin_frames(&mut self, direction: Direction, found: Found, at: Nanos, sink: &mut dyn Sink) {
        let mut session = self.session();
        for (at, bytes) in session.found(direction, found, at, sink) {
            session.feed(direction, at, &bytes, sink);
        }
        self.change_to(session, at, sink);
    }

    /// HTTP/2 on this connection, with what was seen of it so far.
    fn session(&mut self) -> Session {
        let mut session = Session::new(self.limits, self.exchanges.next_number());
        if let Some(searches) = self.searches.take() {
            session.resume(Direction::Egress, searches.0);
            session.resume(Direction::Ingress, searches.1);
        }
        session
    }

    /// From here on the connection is HTTP/2.
    fn change_to(&mut self, session: Session, at: Nanos, sink: &mut dyn Sink) {
        self.leave(Protocol::Http2, at, sink);
        self.http2 = Some(Box::new(session));
    }

    /// Bytes of a connection that is HTTP/2, as far as is known.
    fn frames(&mut self, direction: Direction, at: Nanos, data: &[u8], sink: &mut dyn Sink) {
        let Some(session) = &mut self.http2 else { return };
        session.feed(direction, at, data, sink);
        if session.is_doubtful(OTHER_AFTER) {
            session.close(at, sink);
            self.http2 = None;
            self.protocol = Protocol::Other;
        }
    }

    /// This direction carries no more (the TLS close was seen), the other one may.
    pub fn half_close(&mut self, direction: Direction, at: Nanos, sink: &mut dyn Sink) {
        if let Some(session) = &mut self.http2 {
            session.half_close(direction, at, sink);
            return;
        }
        self.end_lane(direction, at, sink);
        if self.side(direction) == Side::Response {
            for id in self.exchanges.waiting() {
                self.end_exchange(id, at, sink);
            }
        }
    }

    /// Nothing more comes in either direction. `ends`: total bytes of (egress, ingress) if they are known, so that a loss at the very end
    /// is seen as a gap.
    pub fn close(&mut self, ends: Option<(u64, u64)>, at: Nanos, sink: &mut dyn Sink) {
        if let Some((egress, ingress)) = ends {
            for (direction, end) in [(Direction::Egress, egress), (Direction::Ingress, ingress)] {
                let missing = end.saturating_sub(self.lane(direction).expected);
                if missing > 0 {
                    self.gap(direction, missing, at, sink);
                }
            }
        }
        if let Some(session) = &mut self.http2 {
            session.close(at, sink);
        }
        let (first, second) = match self.role {
            Some(Role::Server) => (Direction::Ingress, Direction::Egress),
            Some(Role::Client) | None => (Direction::Egress, Direction::Ingress),
        };
        self.end_lane(first, at, sink);
        self.end_lane(second, at, sink);
        for id in self.exchanges.all() {
            self.end_exchange(id, at, sink);
        }
        self.egress.state = State::Opaque;
        self.ingress.state = State::Opaque;
    }

    /// Which end the observed process is, once a message head was seen.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role.or_else(|| self.http2.as_ref()?.role())
    }

    /// Bytes of HTTP/2 bodies that the sink did not want, so far.
    #[must_use]
    pub fn unwanted_bytes(&self) -> u64 {
        self.http2.as_ref().map_or(0, |session| session.unwanted_bytes())
    }

    /// What is being spoken.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Bytes of memory held for this connection now. What decompressors hold is estimated.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let searches = self.searches.as_ref().map_or(0, |both| both.0.held_bytes() + both.1.held_bytes());
        let frames = self.http2.as_ref().map_or(0, |session| session.held_bytes());
        let lanes = self.egress.held_bytes() + self.ingress.held_bytes();
        size_of::<Self>() + lanes + self.exchanges.held_bytes() + searches + frames
    }

    /// Bytes missing so far, in both directions.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        }
    }

    fn lane_mut(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Egress => &mut self.egress,
            Direction::Ingress => &mut self.ingress,
        }
    }

    fn side(&self, direction: Direction) -> Side {
        match (self.role, direction) {
            (None, _) => Side::Either,
            (Some(Role::Client), Direction::Egress) | (Some(Role::Server), Direction::Ingress) => {
                Side::Request
            }
            (Some(_), _) => Side::Response,
        }
    }

    /// Runs bytes through the state of their direction. Bytes that must be looked at again (a head that was found by searching, or
    /// that turned out to be none) wait on a stack in front of the input; all of them together are never more than was fed.
    fn feed(&mut self, direction: Direction, at: Nanos, input: &[u8], sink: &mut dyn Sink) {
        let mut rest = input;
        let mut again: Vec<(Vec<u8>, usize)> = Vec::new();
        loop {
            if self.http2.is_some() {
                while let Some((bytes, from)) = again.pop() {
                    self.frames(direction, at, bytes.get(from..).unwrap_or_default(), sink);
                }
                self.frames(direction, at, rest, sink);
                return;
            }
            let repeat = if let Some((bytes, from)) = again.last_mut() {
                let piece = bytes.get(*from..).unwrap_or_default();
                if piece.is_empty() {
                    again.pop();
                    continue;
                }
                let (taken, repeat) = self.step(direction, at, piece, sink);
                *from += taken;
                repeat
            } else if rest.is_empty() {
                return;
            } else {
                let (taken, repeat) = self.step(direction, at, rest, sink);
                rest = rest.get(taken..).unwrap_or_default();
                repeat
            };
            if let Some(repeat) = repeat {
                again.push((repeat, 0));
            }
        }
    }

    /// One step: how many bytes were taken, and which ones must be looked at again first.
    fn step(
        &mut self,
        direction: Direction,
        at: Nanos,
        input: &[u8],
        sink: &mut dyn Sink,
    ) -> (usize, Option<Vec<u8>>) {
        let side = self.side(direction);
        let max_head = self.limits.max_head;
        match std::mem::replace(&mut self.lane_mut(direction).state, State::Opaque) {
            State::Opaque => (input.len(), None),
            State::Switching(message, early) => {
                (self.before_answer(direction, message, early, input, at, sink), None)
            }
            State::Body(mut message) => {
                let (taken, progress) = message.feed(input, at, sink);
                self.after_message(direction, message, progress, at, sink);
                (taken, None)
            }
            State::Lost(mut search) => {
                let (taken, start) = search.push(input, side);
                if start.is_none() {
                    if self.protocol == Protocol::Unknown && search.passed() > OTHER_AFTER {
                        self.protocol = Protocol::Other;
                    }
                    self.lane_mut(direction).state = State::Lost(search);
                } else {
                    self.lane_mut(direction).state =
                        State::Head { buffer: HeadBuffer::default(), found: true };
                }
                (taken, start)
            }
            State::Head { mut buffer, found } => match buffer.push(input, side, max_head, at) {
                Collected::More => {
                    self.lane_mut(direction).state = State::Head { buffer, found };
                    (input.len(), None)
                }
                Collected::Head(bytes, taken) => {
                    let started = buffer.started().unwrap_or(at);
                    if self.head(direction, &bytes, found, started, at, sink) {
                        (taken, None)
                    } else {
                        (taken, self.no_head(direction, &bytes, at, sink))
                    }
                }
                Collected::NoHead(bytes, taken) => (taken, self.no_head(direction, &bytes, at, sink)),
            },
        }
    }

    /// What stood where a head was due is none.
    fn no_head(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Nanos,
        sink: &mut dyn Sink,
    ) -> Option<Vec<u8>> {
        let start = last_start(bytes, self.side(direction));
        self.lose(direction, false, at, sink);
        match start {
            Some(start) => {
                self.lane_mut(direction).state = State::Head { buffer: HeadBuffer::default(), found: true };
                bytes.get(start..).map(<[u8]>::to_vec)
            }
            None => {
                self.lane_mut(direction).state = State::Lost(Search::behind(bytes));
                None
            }
        }
    }

    /// A whole head. False if it is none, or none that may come from this side.
    fn head(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        found: bool,
        started: Nanos,
        at: Nanos,
        sink: &mut dyn Sink,
    ) -> bool {
        let side = self.side(direction);
        if bytes.starts_with(HTTP2_PREFACE) && side != Side::Response {
            let mut session = self.session();
            session.expect_preface(direction, bytes.len());
            self.change_to(session, at, sink);
            return true;
        }
        let length = bytes.len() as u64;
        match head::parse(bytes, found) {
            Some(Head::Request(head)) if side != Side::Response => {
                self.found_role(role_of(direction, true), sink);
                self.protocol = Protocol::Http1;
                self.request(direction, head, length, started, at, sink);
                true
            }
            Some(Head::Response(head)) if side != Side::Request => {
                self.found_role(role_of(direction, false), sink);
                self.protocol = Protocol::Http1;
                self.response(direction, head, length, found, started, at, sink);
                true
            }
            _ => false,
        }
    }

    fn found_role(&mut self, role: Role, sink: &mut dyn Sink) {
        if self.role.is_none() {
            self.role = Some(role);
            sink.role(role);
        }
    }

    fn request(
        &mut self,
        direction: Direction,
        head: RequestHead,
        head_bytes: u64,
        started: Nanos,
        at: Nanos,
        sink: &mut dyn Sink,
    ) {
        self.before_request(other(direction), at, sink);
        let quiet =
            matches!(&self.lane(other(direction)).state, State::Head { buffer, .. } if buffer.is_empty());
        let length = framing::request_length(&head);
        let headers = head.headers.clone();
        let asks = asks_for_websocket(&head.method, &headers) && length == Length::Known(0);
        let (id, interest) = self.exchanges.open(head, quiet, started, at, sink);
        let opening = Opening {
            id,
            response: false,
            length,
            headers: &headers,
            codings: framing::other_transfer_codings(&headers),
            head_bytes,
            at,
            interest,
            silent: false,
        };
        if asks {
            let message = Box::new(Message::new(&opening, &self.limits));
            self.lane_mut(direction).state = State::Switching(message, Vec::new());
            return;
        }
        self.begin(direction, &opening, sink);
    }

    /// A request proves things about the responses before it, unless the client pipelines.
    fn before_request(&mut self, responses: Direction, at: Nanos, sink: &mut dyn Sink) {
        if self.exchanges.pipelined() {
            return;
        }
        let over = match &self.lane(responses).state {
            // The place is lost: the responses to all earlier requests were in what is missing.
            State::Lost(_) => true,
            // How long a response to an unknown request is may have been misjudged (HEAD).
            State::Body(message) => self.exchanges.is_attached(message.id()),
            State::Head { .. } | State::Switching(..) | State::Opaque => false,
        };
        if !over {
            return;
        }
        if let State::Body(message) = std::mem::replace(&mut self.lane_mut(responses).state, State::Opaque) {
            self.finish_message(message, true, at, sink);
        }
        self.lane_mut(responses).state = State::Lost(Search::default());
        for id in self.exchanges.waiting() {
            self.end_exchange(id, at, sink);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the facts about one head; a struct would be used once")]
    fn response(
        &mut self,
        direction: Direction,
        head: ResponseHead,
        head_bytes: u64,
        found: bool,
        started: Nanos,
        at: Nanos,
        sink: &mut dyn Sink,
    ) {
        // Interim responses (RFC 9110 section 15.2) announce another one.
        if head.status < 200 && head.status != 101 {
            self.lane_mut(direction).state = State::default();
            return;
        }
        if self.exchanges.next_response(!found).is_none() {
            for id in self.exchanges.waiting() {
                self.end_exchange(id, at, sink);
            }
            self.exchanges.open_attached(head.version, started, sink);
        }
        let Some(exchange) = self.exchanges.next_response(false) else { return };
        if head.status == 101 && names(&head.headers, "upgrade", "h2c") {
            let id = exchange.id;
            self.upgrade_to_frames(direction, id, at, sink);
            return;
        }
        let (id, method, mut interest) = (exchange.id, exchange.method, exchange.interest);
        let silent = !exchange.begin_response();
        let leaves = framing::leaves_http(method, head.status);
        if leaves {
            exchange.mark_upgraded();
        }
        let switches = !silent && head.status == 101 && is_websocket(&head.headers);
        let early = self.answered(direction, id, switches, at, sink);
        let length = if leaves { Length::Known(0) } else { framing::response_length(method, &head) };
        let headers = head.headers.clone();
        if !silent && sink.response_head(id, head, started) == Interest::Skip {
            self.exchanges.skip(id);
            interest = Interest::Skip;
            if let Some(message) = self.lane_mut(other(direction)).state.message_mut()
                && message.id() == id
            {
                message.skip();
            }
        }
        let codings = framing::other_transfer_codings(&headers);
        let opening = Opening {
            id,
            response: true,
            length,
            headers: &headers,
            codings,
            head_bytes,
            at,
            interest,
            silent,
        };
        if let Some(early) = early {
            return self.switch(direction, &opening, &early, sink);
        }
        self.begin(direction, &opening, sink);
        if leaves {
            self.leave(Protocol::Other, at, sink);
        }
    }

    /// The server changes to HTTP/2; the request becomes stream 1 (RFC 7540 section 3.2).
    fn upgrade_to_frames(&mut self, responses: Direction, id: ExchangeId, at: Nanos, sink: &mut dyn Sink) {
        let requests = other(responses);
        // A client sends all of its request before anything else.
        if let State::Body(message) = std::mem::replace(&mut self.lane_mut(requests).state, State::Opaque) {
            self.finish_message(message, true, at, sink);
        }
        let request = self.exchanges.take(id);
        let next = self.exchanges.next_number();
        let role = role_of(requests, true);
        self.change_to(Session::upgraded(self.limits, role, request, next), at, sink);
    }

    fn begin(&mut self, direction: Direction, opening: &Opening<'_>, sink: &mut dyn Sink) {
        let message = Message::new(opening, &self.limits);
        let progress = match opening.length {
            Length::Invalid => Progress::Broken,
            _ => message.progress(),
        };
        self.after_message(direction, Box::new(message), progress, opening.at, sink);
    }

    /// Puts a message back into its lane, or ends it.
    fn after_message(
        &mut self,
        direction: Direction,
        message: Box<Message>,
        progress: Progress,
        at: Nanos,
        sink: &mut dyn Sink,
    ) {
        match progress {
            Progress::Open => {
                self.note_interest(direction, &message);
                self.lane_mut(direction).state = State::Body(message);
            }
            Progress::Done => {
                let switched = message.is_switched();
                self.lane_mut(direction).state = if switched { State::Opaque } else { State::default() };
                self.note_interest(direction, &message);
                self.finish_message(message, false, at, sink);
                if switched && matches!(self.lane(other(direction)).state, State::Opaque) {
                    self.leave(Protocol::Other, at, sink);
                }
            }
            Progress::Broken => {
                self.finish_message(message, true, at, sink);
                self.lose(direction, true, at, sink);
            }
        }
    }

    fn note_interest(&mut self, direction: Direction, message: &Message) {
        if !message.is_unwanted() {
            return;
        }
        self.exchanges.skip(message.id());
        if let State::Body(other) = &mut self.lane_mut(other(direction)).state
            && other.id() == message.id()
        {
            other.skip();
        }
    }

    fn finish_message(&mut self, mut message: Box<Message>, truncated: bool, at: Nanos, sink: &mut dyn Sink) {
        message.finish(truncated, sink);
        if message.is_unwanted() {
            self.exchanges.skip(message.id());
        }
        self.exchanges.message_done(message.id(), message.is_response(), at, sink);
    }

    /// Bytes are missing.
    fn gap(&mut self, direction: Direction, missing: u64, at: Nanos, sink: &mut dyn Sink) {
        self.gaps = self.gaps.saturating_add(missing);
        let lane = self.lane_mut(direction);
        lane.expected = lane.expected.saturating_add(missing);
        if let Some(session) = &mut self.http2 {
            session.gap(direction, missing, at, sink);
            return;
        }
        if let Some(searches) = &mut self.searches {
            match direction {
                Direction::Egress => searches.0.forget(missing),
                Direction::Ingress => searches.1.forget(missing),
            }
        }
        let lane = self.lane_mut(direction);
        match std::mem::replace(&mut lane.state, State::Opaque) {
            State::Opaque => {}
            State::Switching(message, _) => {
                self.finish_message(message, false, at, sink);
                self.lose(direction, false, at, sink);
            }
            State::Body(mut message) => {
                let progress = message.gap(missing, at, sink);
                self.after_message(direction, message, progress, at, sink);
            }
            State::Lost(mut search) => {
                search.forget();
                lane.state = State::Lost(search);
            }
            State::Head { .. } => self.lose(direction, false, at, sink),
        }
    }

    /// It is not known any more where a message begins in this direction. The message that was being read has been ended.
    fn lose(&mut self, direction: Direction, in_body: bool, at: Nanos, sink: &mut dyn Sink) {
        self.lane_mut(direction).state = State::Lost(Search::default());
        let pipelined = self.exchanges.pipelined();
        match self.side(direction) {
            Side::Either => {}
            // What was requested before keeps its place in the order; what comes after may belong to requests never seen.
            Side::Request if pipelined => self.exchanges.lose_pairing(),
            // There were bytes of a further request.
            Side::Request => self.before_request(other(direction), at, sink),
            Side::Response => {
                let mut over = self.exchanges.waiting();
                if pipelined {
                    self.exchanges.lose_pairing();
                } else if (in_body || over.len() > 1)
                    && !matches!(self.lane(other(direction)).state, State::Lost(_))
                {
                    // What is missing belongs to older responses; the newest request's can still come. (Not so when requests may be
                    // missing, too.)
                    over.pop();
                }
                for id in over {
                    self.end_exchange(id, at, sink);
                }
            }
        }
    }

    /// Ends an exchange before its time, with whatever of its messages is being read.
    fn end_exchange(&mut self, id: ExchangeId, at: Nanos, sink: &mut dyn Sink) {
        for direction in [Direction::Egress, Direction::Ingress] {
            let state = &mut self.lane_mut(direction).state;
            let switching = matches!(state, State::Switching(..));
            if let Some(message) = state.message_mut()
                && message.id() == id
            {
                message.finish(!switching, sink);
            }
        }
        self.exchanges.end(id, at, sink);
    }

    /// No more bytes of this direction.
    fn end_lane(&mut self, direction: Direction, at: Nanos, sink: &mut dyn Sink) {
        match std::mem::replace(&mut self.lane_mut(direction).state, State::Opaque) {
            State::Body(message) => {
                let whole = message.may_end();
                self.finish_message(message, !whole, at, sink);
            }
            State::Switching(message, _) => self.finish_message(message, false, at, sink),
            State::Head { .. } | State::Lost(_) | State::Opaque => {}
        }
    }

    /// The connection stops being HTTP/1.
    fn leave(&mut self, protocol: Protocol, at: Nanos, sink: &mut dyn Sink) {
        for id in self.exchanges.all() {
            self.end_exchange(id, at, sink);
        }
        self.protocol = protocol;
        self.egress.state = State::Opaque;
        self.ingress.state = State::Opaque;
    }
}

/// Whether a field that lists names lists this one.
fn names(headers: &Headers, field: &str, name: &str) -> bool {
    headers
        .get_all(field)
        .flat_map(|value| value.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(name))
}

pub(crate) fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Egress => Direction::Ingress,
        Direction::Ingress => Direction::Egress,
    }
}

pub(crate) fn role_of(direction: Direction, sends_requests: bool) -> Role {
    if (direction == Direction::Egress) == sends_requests { Role::Client } else { Role::Server }
}
