//! The exchanges of one connection that are under way, and which response belongs to which request.
//!
//! Responses come in the order of their requests (RFC 9112 section 9.3.2). When bytes are lost, that order says nothing any more about
//! how many messages are missing. Then it is used that nobody but a pipelining client sends a request before the response to the one
//! before; a connection on which pipelining was seen is paired again only when it is quiet.

use std::collections::VecDeque;

use crate::exchange::{ExchangeEnd, ExchangeId, Interest, MessageEnd, Nanos, RequestHead, Sink, Version};
use crate::headers::Headers;
use crate::http1::framing::Method;

/// How far one message of an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Waiting,
    Open,
    Done,
}

/// One exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) id: ExchangeId,
    pub(crate) method: Method,
    pub(crate) interest: Interest,
    request: Part,
    response: Part,
    /// The request was seen after a loss on a pipelining connection: the next response may be an older one's.
    unpaired: bool,
    /// The beginning was never seen.
    attached: bool,
    upgraded: bool,
    /// The sink was told that it is over; only its response is still to be read past.
    ended: bool,
}

/// All of them, in request order.
#[derive(Debug)]
pub(crate) struct Exchanges {
    queue: VecDeque<Exchange>,
    next: u64,
    max_pending: usize,
    /// A response began while a later request had been sent already.
    pipelined: bool,
    /// Pairing is lost.
    unpaired: bool,
}

impl Exchanges {
    pub(crate) fn new(max_pending: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            next: 0,
            max_pending: max_pending.max(1),
            pipelined: false,
            unpaired: false,
        }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.queue.capacity() * size_of::<Exchange>()
    }

    pub(crate) fn pipelined(&self) -> bool {
        self.pipelined
    }

    fn get_mut(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        self.queue.iter_mut().find(|exchange| exchange.id == id)
    }

    /// No more bodies of that exchange are wanted.
    pub(crate) fn skip(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.get_mut(id) {
            exchange.interest = Interest::Skip;
        }
    }

    /// Whether the response of that exchange is one without a known request.
    pub(crate) fn is_attached(&self, id: ExchangeId) -> bool {
        self.queue.iter().any(|exchange| exchange.id == id && exchange.attached)
    }

    /// Exchanges whose response has not begun, oldest first.
    pub(crate) fn waiting(&self) -> Vec<ExchangeId> {
        self.queue.iter().filter(|e| e.response == Part::Waiting).map(|e| e.id).collect()
    }

    /// The number of the next exchange.
    pub(crate) fn next_number(&self) -> u64 {
        self.next
    }

    /// Takes out the exchange that was upgraded to another protocol, without a word to the sink. `None` when it is over for the sink.
    pub(crate) fn take(&mut self, id: ExchangeId) -> Option<(ExchangeId, Interest)> {
        let place = self.queue.iter().position(|exchange| exchange.id == id)?;
        let exchange = self.queue.remove(place)?;
        (!exchange.ended).then_some((exchange.id, exchange.interest))
    }

    /// Every exchange, oldest first.
    pub(crate) fn all(&self) -> Vec<ExchangeId> {
        self.queue.iter().map(|e| e.id).collect()
    }

    /// A request head was seen. `quiet`: the response direction stands in front of a message.
    pub(crate) fn open(
        &mut self,
        head: RequestHead,
        quiet: bool,
        at: Nanos,
        now: Nanos,
        sink: &mut dyn Sink,
    ) -> (ExchangeId, Interest) {
        if quiet && self.waiting().is_empty() {
            self.unpaired = false;
        }
        let id = ExchangeId(self.next);
        self.next += 1;
        let method = Method::new(&head.method);
        let interest = sink.request_head(id, head, at);
        self.queue.push_back(Exchange {
            id,
            method,
            interest,
            request: Part::Open,
            response: Part::Waiting,
            unpaired: self.unpaired,
            attached: false,
            upgraded: false,
            ended: false,
        });
        self.keep_bounds(now, sink);
        (id, interest)
    }

    /// A response without a request was seen.
    pub(crate) fn open_attached(&mut self, version: Version, at: Nanos, sink: &mut dyn Sink) -> ExchangeId {
        let id = ExchangeId(self.next);
        self.next += 1;
        let head =
            RequestHead { method: String::new(), target: String::new(), version, headers: Headers::new() };
        let interest = sink.request_head(id, head, at);
        sink.request_end(id, MessageEnd { at, truncated: true, ..MessageEnd::default() });
        // In front of requests that are under way: those came later.
        let place = self.queue.iter().position(|e| e.response == Part::Waiting).unwrap_or(self.queue.len());
        self.queue.insert(
            place,
            Exchange {
                id,
                method: Method::Other,
                interest,
                request: Part::Done,
                response: Part::Waiting,
                unpaired: false,
                attached: true,
                upgraded: false,
                ended: false,
            },
        );
        id
    }

    /// The exchange to which the next response belongs. `in_order`: no byte before this response is missing, so that a later request
    /// proves pipelining.
    pub(crate) fn next_response(&mut self, in_order: bool) -> Option<&mut Exchange> {
        let at = self.queue.iter().position(|e| e.response == Part::Waiting && !e.unpaired)?;
        self.pipelined |= in_order && at + 1 < self.queue.len();
        self.queue.get_mut(at)
    }

    /// One message has ended. Ends the exchange when it was the second.
    pub(crate) fn message_done(&mut self, id: ExchangeId, response: bool, at: Nanos, sink: &mut dyn Sink) {
        let Some(exchange) = self.get_mut(id) else { return };
        if response {
            exchange.response = Part::Done;
        } else {
            exchange.request = Part::Done;
        }
        if exchange.request == Part::Done && exchange.response == Part::Done {
            self.end(id, at, sink);
        }
    }

    /// Ends an exchange as it is and forgets it. Its messages have been ended before.
    pub(crate) fn end(&mut self, id: ExchangeId, at: Nanos, sink: &mut dyn Sink) {
        let Some(place) = self.queue.iter().position(|exchange| exchange.id == id) else { return };
        if let Some(exchange) = self.queue.remove(place) {
            exchange.report_end(at, sink);
        }
    }

    /// Bytes of a direction are lost in such a way that messages may be missing.
    pub(crate) fn lose_pairing(&mut self) {
        self.unpaired = true;
    }

    /// The oldest of too many waiting exchanges is given up, but its response will still come and must be read past. When even that
    /// becomes too much, the pairing is given up.
    fn keep_bounds(&mut self, at: Nanos, sink: &mut dyn Sink) {
        let waiting = self.queue.iter().filter(|e| e.response == Part::Waiting && !e.ended).count();
        if waiting > self.max_pending {
            let oldest = self.queue.iter_mut().find(|e| e.response == Part::Waiting && !e.ended);
            if let Some(oldest) = oldest {
                oldest.report_end(at, sink);
                oldest.ended = true;
            }
        }
        if self.queue.len() > self.max_pending.saturating_mul(16) {
            self.queue.retain(|exchange| !exchange.ended);
            self.pipelined = true;
            self.unpaired = true;
            for exchange in &mut self.queue {
                exchange.unpaired |= exchange.response == Part::Waiting;
            }
        }
    }
}

impl Exchange {
    /// Its response begins: whether the sink is to hear of it.
    pub(crate) fn begin_response(&mut self) -> bool {
        self.response = Part::Open;
        !self.ended
    }

    pub(crate) fn mark_upgraded(&mut self) {
        self.upgraded = true;
    }

    fn report_end(&self, at: Nanos, sink: &mut dyn Sink) {
        if self.ended {
            return;
        }
        sink.exchange_end(
            self.id,
            ExchangeEnd {
                at,
                no_response: self.response == Part::Waiting,
                attached_mid_stream: self.attached,
                upgraded: self.upgraded,
            },
        );
    }
}
