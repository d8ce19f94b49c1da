//! The switch of an HTTP/1.1 connection to WebSocket (RFC 6455 section 4).
//!
//! A request that asks for it stays open until its answer: if that switches, the bytes that follow belong to the request, too.

use crate::exchange::{Direction, ExchangeId, Nanos, Sink};
use crate::http1::message::{Message, Opening};
use crate::lane::State;
use crate::websocket::Session;

use super::{Connection, Protocol, other};

impl Connection {
    /// Bytes of a client that has asked for the switch and was not answered yet: those of a further request end the waiting, others wait
    /// themselves, because the answer may have been seen a little late. Returns how many were taken.
    pub(super) fn before_answer(
        &mut self,
        direction: Direction,
        message: Box<Message>,
        mut early: Vec<u8>,
        input: &[u8],
        at: Nanos,
        sink: &mut dyn Sink,
    ) -> usize {
        let begins_request = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'\r' | b'\n');
        if early.is_empty() && input.first().is_some_and(begins_request) {
            self.lane_mut(direction).state = State::default();
            self.finish_message(message, false, at, sink);
            return 0;
        }
        if input.len() > self.limits.max_head.saturating_sub(early.len()) {
            self.finish_message(message, false, at, sink);
            self.lose(direction, false, at, sink);
            return input.len();
        }
        early.extend_from_slice(input);
        self.lane_mut(direction).state = State::Switching(message, early);
        input.len()
    }

    /// The answer to exchange `id` begins, in the direction `responses`. If it makes the switch that was asked for, gives what the client
    /// has sent since; else the request ends here.
    pub(super) fn answered(
        &mut self,
        responses: Direction,
        id: ExchangeId,
        switches: bool,
        at: Nanos,
        sink: &mut dyn Sink,
    ) -> Option<Vec<u8>> {
        let requests = other(responses);
        match std::mem::replace(&mut self.lane_mut(requests).state, State::Opaque) {
            State::Switching(message, early) if message.id() == id => {
                if switches {
                    self.lane_mut(requests).state = State::Switching(message, Vec::new());
                    return Some(early);
                }
                self.lane_mut(requests).state = State::default();
                self.finish_message(message, false, at, sink);
                self.feed(requests, at, &early, sink);
            }
            state => self.lane_mut(requests).state = state,
        }
        None
    }

    /// Both directions carry WebSocket messages from here on.
    pub(super) fn switch(
        &mut self,
        responses: Direction,
        opening: &Opening<'_>,
        early: &[u8],
        sink: &mut dyn Sink,
    ) {
        let requests = other(responses);
        for id in self.exchanges.all() {
            if id != opening.id {
                self.end_exchange(id, opening.at, sink);
            }
        }
        self.protocol = Protocol::WebSocket;
        let session = Session::agreed(opening.headers);
        let response = Message::switched(opening, session, &self.limits);
        self.lane_mut(responses).state = State::Body(Box::new(response));
        let lane = self.lane_mut(requests);
        if let State::Switching(mut request, _) = std::mem::replace(&mut lane.state, State::Opaque) {
            request.switch(session, opening.interest, &self.limits);
            self.lane_mut(requests).state = State::Body(request);
        }
        self.feed(requests, opening.at, early, sink);
    }
}
