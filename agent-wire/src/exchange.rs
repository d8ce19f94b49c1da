//! The border of this crate: what an HTTP exchange is and how it is handed on.

use crate::Headers;

/// A point in time in nanoseconds; the origin is the caller's (Unix time in the agent, 0 in replays without times).
pub type Nanos = u64;

/// Which way bytes went, seen from the observed process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Written by the process.
    Egress,
    /// Read by the process.
    Ingress,
}

/// Which end of the connection the observed process is. Found from the bytes: the client is the one that sends requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The process sends requests.
    Client,
    /// The process answers requests.
    Server,
}

/// HTTP protocol version of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

/// Number of the exchange on its connection, from 0, in request order. Never reused on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u64);

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// Method, as sent (`POST`). Empty when it is unknown because the capture began inside the exchange.
    pub method: String,
    /// Request target, as sent: origin form (`/v1/x?y`), absolute form, or `host:port` for CONNECT. Empty when it is unknown.
    pub target: String,
    /// Protocol version.
    pub version: Version,
    /// Header fields. Of HTTP/2's pseudo fields `:scheme`, `:authority` and `:protocol` are among them.
    pub headers: Headers,
}

impl RequestHead {
    /// Path of the target without scheme, authority and query. `*` and CONNECT targets are returned as they are.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.target.split(['?', '#']).next().unwrap_or_default();
        match target.find("://") {
            Some(scheme) if !target.starts_with('/') => {
                let rest = target.get(scheme + 3..).unwrap_or_default();
                rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
            }
            _ => target,
        }
    }

    /// Query of the target, without the `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or_default())
    }

    /// Authority: that of an absolute target, else the Host (or `:authority`) field.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        if let Some((scheme, rest)) = self.target.split_once("://")
            && !scheme.contains('/')
        {
            return rest.split(['/', '?', '#']).next();
        }
        self.headers.get(":authority").or_else(|| self.headers.get("host"))
    }
}

/// The head of a final (not 1xx) response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// Status code, 100 to 999; 0 when it is unknown because the head was lost, or came before the capture.
    pub status: u16,
    /// Protocol version.
    pub version: Version,
    /// Header fields.
    pub headers: Headers,
}

/// How a body is cut into items. Chosen from the media type, then corrected by the first bytes, because content types lie
/// (event streams under `application/json` exist).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// Handed on as [`Body::Data`] as it arrives.
    Whole,
    /// Server-sent events (WHATWG HTML section 9.2).
    Sse,
    /// One JSON text a line.
    Ndjson,
    /// One JSON array, its elements handed on one by one.
    JsonArray,
    /// AWS event stream (`application/vnd.amazon.eventstream`).
    EventStream,
    /// gRPC's length-prefixed messages.
    Grpc,
    /// WebSocket messages (RFC 6455), after the connection or the stream was switched to them.
    WebSocket,
}

/// One message of an AWS event stream: a checked frame, its well-known headers taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventMessage<'a> {
    /// `:message-type`: `event`, `exception` or `error`.
    pub message_type: &'a str,
    /// `:event-type`, else `:exception-type`, else `:error-code`; empty when there was none.
    pub kind: &'a str,
    /// `:content-type`; empty when there was none.
    pub content_type: &'a str,
    /// `:error-message` of an `error` message; empty when there was none.
    pub error: &'a str,
    /// The payload.
    pub payload: &'a [u8],
    /// The payload was longer than [`Limits::max_item`] and only its beginning is here.
    pub truncated: bool,
}

/// What a WebSocket message is (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WsKind {
    /// Text.
    Text,
    /// Binary.
    Binary,
    /// Close; the payload holds code and reason.
    Close,
    /// Ping.
    Ping,
    /// Pong.
    Pong,
}

/// One WebSocket message: fragments joined, unmasked, and inflated when permessage-deflate was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WsMessage<'a> {
    /// Kind.
    pub kind: WsKind,
    /// Payload.
    pub data: &'a [u8],
    /// The payload was longer than [`Limits::max_item`], or part of it could not be inflated; only the beginning is here.
    pub truncated: bool,
}

/// One server-sent event, complete (dispatched by a blank line, or by the end of the stream).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The event type field; empty when there was none (the standard's `message`).
    pub event: &'a str,
    /// The data lines joined with `\n`. Invalid UTF-8 is passed as it is.
    pub data: &'a [u8],
    /// The last event id field in force; empty when there was none.
    pub id: &'a str,
    /// The data were longer than [`Limits::max_item`] and only their beginning is here.
    pub truncated: bool,
}

/// A decoded piece of a body: transfer coding and content coding removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Bytes of a body that has no items of its own. Pieces are cut anywhere.
    Data(&'a [u8]),
    /// One server-sent event.
    Event(SseEvent<'a>),
    /// One non-empty line of an NDJSON body, without its line end; `truncated` as for events.
    Line {
        /// The bytes of the line.
        data: &'a [u8],
        /// Longer than [`Limits::max_item`]; only the beginning is here.
        truncated: bool,
    },
    /// One element of a body that is one JSON array, without the comma around it.
    Element {
        /// The bytes of the element.
        data: &'a [u8],
        /// Longer than [`Limits::max_item`]; only the beginning is here.
        truncated: bool,
    },
    /// One message of an AWS event stream.
    Message(EventMessage<'a>),
    /// One gRPC message. Its payload means nothing without a schema, so only its size is told.
    Grpc {
        /// The compressed flag.
        compressed: bool,
        /// Payload length in bytes, as sent.
        bytes: u64,
    },
    /// One WebSocket message. Those of the client come as the request body, those of the server as the response body, of the exchange that
    /// opened the session.
    Frame(WsMessage<'a>),
    /// That many bytes of the message as sent (before decoding) were lost here. What follows does not join what came before.
    Gap(u64),
}

/// What the sink wants of the rest of this exchange's bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Decode and hand on.
    Full,
    /// Skip: count the bytes, decode nothing.
    Skip,
}

/// How one message ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageEnd {
    /// Time of the last byte of the message.
    pub at: Nanos,
    /// Bytes of head and body as seen on the connection, coding included.
    pub wire_bytes: u64,
    /// Bytes of the body after decoding. 0 when skipped.
    pub decoded_bytes: u64,
    /// Bytes known to be missing inside the message.
    pub lost_bytes: u64,
    /// The stream ended, or could not be followed any more, before the message did.
    pub truncated: bool,
    /// A content coding that is unknown or whose bytes are broken: the body stops at that point.
    pub undecodable: Option<String>,
    /// Trailer fields.
    pub trailers: Headers,
}

/// How one exchange ended, after both messages' ends (or instead of those that never came).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExchangeEnd {
    /// Time at which that was known.
    pub at: Nanos,
    /// The response never began.
    pub no_response: bool,
    /// The capture began inside this exchange: its beginning was never seen.
    pub attached_mid_stream: bool,
    /// The connection left HTTP with this exchange (101, or 2xx to CONNECT), or its HTTP/2 stream became a WebSocket session (RFC 8441).
    /// The messages of such a session have come as its bodies.
    pub upgraded: bool,
}

/// Takes the exchanges of one connection, as they arrive.
///
/// Calls for one exchange come in the order request head, request body, request end, response head, response body, response
/// end, exchange end, except that a server may answer before the request has ended, so the two messages may interleave.
/// With pipelining, requests of later exchanges come before responses of earlier ones.
///
/// A request to switch to WebSocket ends when its answer begins, just before the response head, if that does not switch. If it does, what the
/// client sends is the request body and what the server sends is the response body, in the order of arrival; each ends with a close message
/// or with the connection, and the exchange with both.
pub trait Sink {
    /// Which end of the connection the observed process is; said once, before the first exchange.
    fn role(&mut self, _role: Role) {}
    /// A request head. The answer says whether its bodies are wanted.
    fn request_head(&mut self, id: ExchangeId, head: RequestHead, at: Nanos) -> Interest;
    /// A piece of the request body. `Skip` ends the decoding of the whole exchange's bodies.
    fn request_body(&mut self, id: ExchangeId, body: Body<'_>, at: Nanos) -> Interest;
    /// The request has ended.
    fn request_end(&mut self, id: ExchangeId, end: MessageEnd);
    /// The final response head; `at` is the time of its first byte.
    fn response_head(&mut self, id: ExchangeId, head: ResponseHead, at: Nanos) -> Interest;
    /// A piece of the response body.
    fn response_body(&mut self, id: ExchangeId, body: Body<'_>, at: Nanos) -> Interest;
    /// The response has ended.
    fn response_end(&mut self, id: ExchangeId, end: MessageEnd);
    /// The exchange has ended; nothing more comes for `id`.
    fn exchange_end(&mut self, id: ExchangeId, end: ExchangeEnd);
}

/// Bounds on what one connection may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest head, in bytes; a longer one is given up and the connection resynchronises.
    pub max_head: usize,
    /// Longest event or line that is handed on whole, in bytes.
    pub max_item: usize,
    /// Most exchanges that may be under way at once (pipelining; streams of HTTP/2, of which servers allow some hundreds).
    pub max_pending: usize,
    /// Most bytes that one body may decode to; the rest is counted, not decoded (decompression bombs).
    pub max_decoded: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_head: 256 << 10, max_item: 16 << 20, max_pending: 512, max_decoded: 1 << 30 }
    }
}
