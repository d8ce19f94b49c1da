//! Bytes to HTTP exchanges. Sans-IO: no sockets, no clock, no async; time arrives as a value.
//!
//! One [`Connection`] is fed the plaintext of both directions of one TLS (or plain) connection, cut anywhere, with the
//! absolute offset of every piece. It hands what it understands to a [`Sink`] as it arrives: heads, decoded body items,
//! ends. Nothing is collected beyond the bounds in [`Limits`].

#![forbid(unsafe_code)]

mod body;
mod coding;
mod connection;
mod eventstream;
mod exchange;
mod exchanges;
mod grpc;
mod headers;
mod http1;
mod http2;
mod items;
mod jsonarray;
mod lane;
mod media;
mod ndjson;
mod replay;
mod sse;
mod websocket;

pub use connection::{Connection, Protocol};
pub use exchange::{
    Body, BodyKind, Direction, EventMessage, ExchangeEnd, ExchangeId, Interest, Limits, MessageEnd, Nanos,
    RequestHead, ResponseHead, Role, Sink, SseEvent, Version, WsKind, WsMessage,
};
pub use headers::Headers;
pub use replay::replay;
