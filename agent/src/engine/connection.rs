//! One connection in the engine: wire state, exchanges in flight, and what was last told to the kernel about it.

use std::sync::Arc;

use agent_capture::{Peer, Transport};
use agent_genai::{Call, Decoder, record::Attributes};
use agent_wire::{Connection, Direction, ExchangeId, Limits, Nanos, Protocol, Role};

use super::exchanges::{Exchanges, FoldSink};

/// What became of a connection after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing that matters to the kernel.
    Same,
    /// The newest exchange is no LLM call.
    HeadsOnly,
    /// Not HTTP, or no longer.
    NotHttp,
    /// A WebSocket session that was followed has ended, or is of no interest any more.
    Over,
}

/// One connection.
pub(crate) struct Tracked {
    /// `None` once nothing more of it is wanted.
    wire: Option<Connection>,
    pub(crate) exchanges: Exchanges,
    /// Attributes of the process when the connection was first seen.
    pub(crate) resource: Option<Arc<Attributes>>,
    /// Message content is kept.
    pub(crate) content: bool,
    /// Kernel time of the last byte.
    pub(crate) last: u64,
    /// Bytes that came of late; older ones count less.
    pub(crate) recent: u64,
    /// Bytes held at the last count.
    pub(crate) held: usize,
    /// The connection is encrypted.
    tls: bool,
    /// The socket below.
    pub(crate) peer: Peer,
    /// It was told that LLM calls go over this connection.
    told_calls: bool,
    told: Option<ExchangeId>,
    /// Messages of a WebSocket session were wanted.
    followed: bool,
    /// It was told that this is HTTP/2.
    told_http2: bool,
}

impl Tracked {
    pub(crate) fn new(
        limits: Limits,
        transport: Transport,
        resource: Option<Arc<Attributes>>,
        content: bool,
    ) -> Self {
        Self {
            wire: Some(Connection::new(limits)),
            exchanges: Exchanges::default(),
            resource,
            content,
            last: 0,
            recent: 0,
            held: 0,
            tls: transport == Transport::Tls,
            peer: Peer::default(),
            told_calls: false,
            told: None,
            followed: false,
            told_http2: false,
        }
    }

    /// Runs `step` on the wire state with a sink, and returns the calls that ended by it.
    fn run(
        &mut self,
        decoder: &Decoder,
        step: impl FnOnce(&mut Connection, &mut FoldSink<'_>),
    ) -> Vec<(ExchangeId, Call)> {
        let mut ended = Vec::new();
        if let Some(wire) = &mut self.wire {
            let mut sink = FoldSink {
                exchanges: &mut self.exchanges,
                decoder,
                role: wire.role(),
                tls: self.tls,
                ended: &mut ended,
            };
            step(wire, &mut sink);
        }
        ended
    }

    /// Bytes arrived.
    pub(crate) fn push(
        &mut self,
        decoder: &Decoder,
        direction: Direction,
        offset: u64,
        at: Nanos,
        bytes: &[u8],
    ) -> Vec<(ExchangeId, Call)> {
        self.run(decoder, |wire, sink| wire.push(direction, offset, at, bytes, sink))
    }

    /// The process will write no more.
    pub(crate) fn shutdown(&mut self, decoder: &Decoder, at: Nanos) -> Vec<(ExchangeId, Call)> {
        self.run(decoder, |wire, sink| wire.half_close(Direction::Egress, at, sink))
    }

    /// Nothing more comes.
    pub(crate) fn close(
        &mut self,
        decoder: &Decoder,
        ends: Option<(u64, u64)>,
        at: Nanos,
    ) -> Vec<(ExchangeId, Call)> {
        let mut ended = self.run(decoder, |wire, sink| wire.close(ends, at, sink));
        // What the wire no longer knows of (it was given up before) ends here.
        ended.extend(self.exchanges.end_all(at));
        ended
    }

    /// What the kernel should be told now, once per occasion. Drops the wire state of what is not decoded.
    pub(crate) fn turn(&mut self) -> Turn {
        let Some(wire) = &self.wire else { return Turn::Same };
        let turn = match wire.protocol() {
            // Heads only is of no use: the kernel does not know where a request begins.
            Protocol::Http2 => Turn::Same,
            Protocol::Other if self.followed => Turn::Over,
            Protocol::Other => Turn::NotHttp,
            // Messages of a session that may be, or is, one of LLM calls.
            Protocol::WebSocket if self.exchanges.is_folding() => {
                self.followed = true;
                Turn::Same
            }
            Protocol::WebSocket if self.followed => Turn::Over,
            Protocol::WebSocket => Turn::NotHttp,
            Protocol::Unknown | Protocol::Http1 => match self.exchanges.heads_only() {
                Some(exchange) if self.told != Some(exchange) => {
                    self.told = Some(exchange);
                    Turn::HeadsOnly
                }
                _ => Turn::Same,
            },
        };
        if matches!(turn, Turn::NotHttp | Turn::Over) {
            self.wire = None;
        }
        turn
    }

    /// Whether the connection has turned out to be HTTP/2 since this was last asked.
    pub(crate) fn take_http2(&mut self) -> bool {
        let is_http2 = self.wire.as_ref().is_some_and(|wire| wire.protocol() == Protocol::Http2);
        is_http2 && !std::mem::replace(&mut self.told_http2, is_http2)
    }

    /// Whether the first LLM call on a connection without TLS has just ended: its port is one of LLM calls.
    pub(crate) fn take_calls(&mut self, ended: usize) -> bool {
        !self.tls && ended > 0 && !std::mem::replace(&mut self.told_calls, true)
    }

    /// Which end of the connection the process is, where it is known.
    pub(crate) fn role(&self) -> Option<Role> {
        self.wire.as_ref().and_then(Connection::role)
    }

    /// Counts the memory held again: (before, now) in bytes.
    pub(crate) fn recount(&mut self) -> (usize, usize) {
        let now = self.wire.as_ref().map_or(0, Connection::held_bytes) + self.exchanges.held_bytes();
        (std::mem::replace(&mut self.held, now), now)
    }
}
