//! One message body after its transfer coding: content codings undone, then cut into items.

use std::ops::ControlFlow;

use crate::coding::{Chain, Stop};
use crate::eventstream::EventStreamDecoder;
use crate::exchange::{Body, BodyKind, Limits};
use crate::grpc::GrpcDecoder;
use crate::headers::Headers;
use crate::items::Out;
use crate::jsonarray::JsonArrayDecoder;
use crate::media::Declared;
use crate::ndjson::NdjsonDecoder;
use crate::sse::SseDecoder;
use crate::websocket::{Session, WsDecoder};

/// Decodes one body.
pub(crate) struct BodyDecoder {
    chain: Chain,
    items: Items,
    stopped: Option<Stop>,
}

/// Cuts decoded bytes into items and counts them.
struct Items {
    framer: Framer,
    max_item: usize,
    max_decoded: u64,
    decoded: u64,
}

enum Framer {
    /// The first bytes do not tell yet.
    Undecided(Declared, Vec<u8>),
    Whole,
    Sse(Box<SseDecoder>),
    Ndjson(NdjsonDecoder),
    JsonArray(JsonArrayDecoder),
    EventStream(Box<EventStreamDecoder>),
    Grpc(GrpcDecoder),
    WebSocket(Box<WsDecoder>),
}

impl BodyDecoder {
    /// `transfer_codings` are those of the Transfer-Encoding field but `chunked`; they were applied after the content codings.
    pub(crate) fn new(
        headers: &Headers,
        transfer_codings: &[String],
        response: bool,
        limits: &Limits,
    ) -> Self {
        let mut codings = content_codings(headers);
        codings.extend_from_slice(transfer_codings);
        let (chain, stopped) = match Chain::new(&codings, limits.max_decoded) {
            Ok(chain) => (chain, None),
            // Without a decoder nothing may be handed on: an empty chain would pass coded bytes off as the body.
            Err(stop) => (Chain::empty(), Some(stop)),
        };
        let items = Items {
            framer: Framer::Undecided(Declared::new(headers, response), Vec::new()),
            max_item: limits.max_item,
            max_decoded: limits.max_decoded,
            decoded: 0,
        };
        Self { chain, items, stopped }
    }

    /// One direction of a connection or stream that was switched to WebSocket; `client`: the one in which the client sends. Content and
    /// transfer codings do not apply to it.
    pub(crate) fn websocket(session: Session, client: bool, limits: &Limits) -> Self {
        let framer = Framer::WebSocket(Box::new(WsDecoder::new(session, client, limits)));
        let items = Items { framer, max_item: limits.max_item, max_decoded: u64::MAX, decoded: 0 };
        Self { chain: Chain::empty(), items, stopped: None }
    }

    /// The decoder of WebSocket messages, if this is one.
    pub(crate) fn as_websocket(&self) -> Option<&WsDecoder> {
        if let Framer::WebSocket(messages) = &self.items.framer { Some(messages) } else { None }
    }

    /// Decodes a piece. `Break` when the receiver wants no more.
    pub(crate) fn feed(&mut self, data: &[u8], out: &mut Out<'_>) -> ControlFlow<()> {
        if self.stopped.is_some() {
            return ControlFlow::Continue(());
        }
        let Self { chain, items, .. } = self;
        let result = chain.write(data, &mut |piece| items.feed(piece, out));
        self.settle(result)
    }

    /// `bytes` of the body as sent are missing here, just as many if `exact`.
    pub(crate) fn gap(&mut self, bytes: u64, exact: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        if self.stopped.is_some() {
            return ControlFlow::Continue(());
        }
        self.items.before_gap(bytes, exact, out)?;
        if let Some(coding) = self.chain.coding() {
            self.stopped = Some(Stop::Lost(bytes, coding));
        }
        out(Body::Gap(bytes))
    }

    /// The body has ended, before its time if `cut`.
    pub(crate) fn finish(&mut self, cut: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        if self.stopped.is_none() {
            let Self { chain, items, .. } = self;
            let result = chain.finish(&mut |piece| items.feed(piece, out));
            match result {
                // The message says itself that it is cut.
                Err(Stop::Unfinished(_)) if cut => {}
                result => self.settle(result)?,
            }
        }
        self.items.finish(cut || self.stopped.is_some(), out)
    }

    /// Bytes handed to the framer so far; of WebSocket messages those of their payloads.
    pub(crate) fn decoded(&self) -> u64 {
        self.as_websocket().map_or(self.items.decoded, WsDecoder::decoded)
    }

    /// Why the body stops before its end.
    pub(crate) fn undecodable(&self) -> Option<String> {
        let stopped = self.stopped.as_ref().map(ToString::to_string);
        stopped.or_else(|| match &self.items.framer {
            Framer::JsonArray(array) => array.fault().map(|why| format!("JSON array: {why}")),
            Framer::EventStream(messages) => messages.fault().map(|why| format!("AWS event stream: {why}")),
            Framer::Grpc(messages) => messages.fault().map(|why| format!("gRPC: {why}")),
            Framer::WebSocket(messages) => messages.fault().map(|why| format!("WebSocket: {why}")),
            Framer::Undecided(..) | Framer::Whole | Framer::Sse(_) | Framer::Ndjson(_) => None,
        })
    }

    pub(crate) fn held_bytes(&self) -> usize {
        let framer = match &self.items.framer {
            Framer::Undecided(_, first) => first.capacity(),
            Framer::Whole | Framer::Grpc(_) => 0,
            Framer::Sse(sse) => size_of::<SseDecoder>() + sse.held_bytes(),
            Framer::Ndjson(ndjson) => ndjson.held_bytes(),
            Framer::JsonArray(array) => array.held_bytes(),
            Framer::EventStream(messages) => size_of::<EventStreamDecoder>() + messages.held_bytes(),
            Framer::WebSocket(messages) => size_of::<WsDecoder>() + messages.held_bytes(),
        };
        self.chain.held_bytes() + framer
    }

    fn settle(&mut self, result: Result<(), Stop>) -> ControlFlow<()> {
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(Stop::Unwanted) => ControlFlow::Break(()),
            Err(stop) => {
                self.stopped = Some(stop);
                ControlFlow::Continue(())
            }
        }
    }
}

impl Items {
    fn feed(&mut self, piece: &[u8], out: &mut Out<'_>) -> Result<(), Stop> {
        let room = usize::try_from(self.max_decoded.saturating_sub(self.decoded)).unwrap_or(usize::MAX);
        let within = piece.get(..room).unwrap_or(piece);
        self.decoded += within.len() as u64;
        if self.frame(within, out).is_break() {
            return Err(Stop::Unwanted);
        }
        if within.len() < piece.len() { Err(Stop::TooMuch(self.max_decoded)) } else { Ok(()) }
    }

    fn frame(&mut self, piece: &[u8], out: &mut Out<'_>) -> ControlFlow<()> {
        if piece.is_empty() {
            return ControlFlow::Continue(());
        }
        match &mut self.framer {
            Framer::Whole => out(Body::Data(piece)),
            Framer::Sse(sse) => sse.feed(piece, out),
            Framer::Ndjson(ndjson) => ndjson.feed(piece, out),
            Framer::JsonArray(array) => array.feed(piece, out),
            Framer::EventStream(messages) => messages.feed(piece, out),
            Framer::Grpc(messages) => messages.feed(piece, out),
            Framer::WebSocket(messages) => messages.feed(piece, out),
            Framer::Undecided(declared, first) if first.is_empty() => match declared.settle(piece, false) {
                Some(kind) => {
                    self.choose(kind);
                    self.frame(piece, out)
                }
                None => {
                    first.extend_from_slice(piece);
                    ControlFlow::Continue(())
                }
            },
            Framer::Undecided(declared, first) => {
                first.extend_from_slice(piece);
                match declared.settle(first, false) {
                    Some(kind) => {
                        let first = std::mem::take(first);
                        self.choose(kind);
                        self.frame(&first, out)
                    }
                    None => ControlFlow::Continue(()),
                }
            }
        }
    }

    fn choose(&mut self, kind: BodyKind) {
        self.framer = match kind {
            BodyKind::Whole => Framer::Whole,
            BodyKind::Sse => Framer::Sse(Box::new(SseDecoder::new(self.max_item))),
            BodyKind::Ndjson => Framer::Ndjson(NdjsonDecoder::new(self.max_item)),
            BodyKind::EventStream => Framer::EventStream(Box::new(EventStreamDecoder::new(self.max_item))),
            BodyKind::JsonArray => Framer::JsonArray(JsonArrayDecoder::new(self.max_item)),
            BodyKind::Grpc => Framer::Grpc(GrpcDecoder::new()),
            // No media type says so; see `BodyDecoder::websocket`.
            BodyKind::WebSocket => Framer::Whole,
        };
    }

    /// Decides with the bytes there are.
    fn decide(&mut self, out: &mut Out<'_>) -> ControlFlow<()> {
        let Framer::Undecided(declared, first) = &mut self.framer else { return ControlFlow::Continue(()) };
        let kind = declared.settle(first, true).unwrap_or(BodyKind::Whole);
        let first = std::mem::take(first);
        self.choose(kind);
        self.frame(&first, out)
    }

    fn before_gap(&mut self, bytes: u64, exact: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        self.decide(out)?;
        match &mut self.framer {
            Framer::Sse(sse) => sse.gap(),
            Framer::Ndjson(ndjson) => ndjson.gap(),
            Framer::JsonArray(array) => array.gap(bytes),
            Framer::EventStream(messages) => messages.gap(bytes, exact),
            Framer::Grpc(messages) => messages.gap(bytes, exact, out)?,
            Framer::WebSocket(messages) => messages.gap(bytes, exact, out)?,
            Framer::Whole | Framer::Undecided(..) => {}
        }
        ControlFlow::Continue(())
    }

    fn finish(&mut self, cut: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        self.decide(out)?;
        match &mut self.framer {
            Framer::Sse(sse) => sse.finish(cut, out),
            Framer::Ndjson(ndjson) => ndjson.finish(cut, out),
            Framer::JsonArray(array) => array.finish(cut, out),
            Framer::EventStream(messages) => {
                messages.finish(cut);
                ControlFlow::Continue(())
            }
            Framer::Grpc(messages) => {
                messages.finish(cut);
                ControlFlow::Continue(())
            }
            Framer::WebSocket(messages) => messages.finish(cut, out),
            Framer::Whole | Framer::Undecided(..) => ControlFlow::Continue(()),
        }
    }
}

/// The codings of Content-Encoding, lower case, in the order in which they were applied.
fn content_codings(headers: &Headers) -> Vec<String> {
    let names = headers.get_all("content-encoding").flat_map(|value| value.split(','));
    let names = names.map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty() && name != "identity").collect()
}
