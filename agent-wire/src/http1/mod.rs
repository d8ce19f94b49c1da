//! HTTP/1.x messages (RFC 9112) from a byte stream.

pub(crate) mod chunked;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod message;
pub(crate) mod search;
