//! HTTP/2 (RFC 9113): the frames of both directions become exchanges.

mod frame;
mod head;
mod hpack;
mod reader;
mod resync;
mod session;
mod stream;
mod streams;

pub(crate) use resync::{Context, Found, Resync};
pub(crate) use session::Session;
