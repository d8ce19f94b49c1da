//! Frame headers (RFC 9113 sections 4 and 6), and how much one looks like a frame header.

/// Length of a frame header.
pub(crate) const HEADER: usize = 9;

/// Every peer takes frames of this length (RFC 9113 section 4.2).
const SHORTEST_MAX: u32 = 1 << 14;

/// What a client sends first (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The last frame of a message.
pub(crate) const END_STREAM: u8 = 0x1;
/// Of SETTINGS and PING: the answer to one.
pub(crate) const ACK: u8 = 0x1;
/// The last frame of a header block.
pub(crate) const END_HEADERS: u8 = 0x4;
/// The payload begins with the length of the padding at its end.
pub(crate) const PADDED: u8 = 0x8;
/// Of HEADERS: priority fields come before the block.
pub(crate) const PRIORITY: u8 = 0x20;

/// Frame types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Headers,
    Priority,
    RstStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// ALTSVC, ORIGIN, PRIORITY_UPDATE: extensions that are in use.
    Extension,
    Unknown,
}

/// A frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Bytes of the payload.
    pub(crate) length: u32,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// The bit that must be ignored was set.
    pub(crate) reserved: bool,
    /// 0: the connection.
    pub(crate) stream: u32,
}

impl FrameHeader {
    pub(crate) fn parse(bytes: [u8; HEADER]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes;
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::Headers,
            2 => Kind::Priority,
            3 => Kind::RstStream,
            4 => Kind::Settings,
            5 => Kind::PushPromise,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            // RFC 7838, RFC 8336, RFC 9218.
            0xa | 0xc | 0x10 => Kind::Extension,
            _ => Kind::Unknown,
        };
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        Self { length, kind, flags, reserved: stream >> 31 == 1, stream: stream & 0x7fff_ffff }
    }

    /// The header at the beginning of `bytes`, if that much is there.
    pub(crate) fn first(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().map(|header| Self::parse(*header))
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether a peer may send this at all: one that may not be sent shows that this is no frame header.
    pub(crate) fn is_legal(&self) -> bool {
        let on_stream = self.stream != 0;
        let padding = u32::from(self.has(PADDED));
        match self.kind {
            Kind::Data => on_stream && self.length >= padding,
            Kind::Headers => on_stream && self.length >= padding + if self.has(PRIORITY) { 5 } else { 0 },
            Kind::Priority => on_stream && self.length == 5,
            Kind::RstStream => on_stream && self.length == 4,
            Kind::Settings => {
                !on_stream && self.length.is_multiple_of(6) && (!self.has(ACK) || self.length == 0)
            }
            Kind::PushPromise => on_stream && self.length >= padding + 4,
            Kind::Ping => !on_stream && self.length == 8,
            Kind::GoAway => !on_stream && self.length >= 8,
            Kind::WindowUpdate => self.length == 4,
            Kind::Continuation => on_stream,
            Kind::Extension => true,
            // Nobody was told that more of what nobody knows is welcome.
            Kind::Unknown => self.length <= SHORTEST_MAX,
        }
    }

    /// Stricter: whether peers that are in use would send this. For finding frames among other bytes.
    pub(crate) fn is_likely(&self, longest: u32) -> bool {
        let flags = match self.kind {
            Kind::Data => END_STREAM | PADDED,
            Kind::Headers => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            Kind::Settings | Kind::Ping => ACK,
            Kind::PushPromise => END_HEADERS | PADDED,
            Kind::Continuation => END_HEADERS,
            Kind::Priority | Kind::RstStream | Kind::GoAway | Kind::WindowUpdate | Kind::Extension => 0,
            Kind::Unknown => return false,
        };
        // Streams of a server have even numbers; nobody pushes any more.
        let stream = match self.kind {
            Kind::Extension => self.stream == 0,
            _ => self.stream == 0 || self.stream % 2 == 1,
        };
        // A header block is cut only where a frame would be too long.
        let cut = matches!(self.kind, Kind::Headers | Kind::PushPromise) && !self.has(END_HEADERS);
        let cut = cut && self.length < SHORTEST_MAX;
        !cut && self.is_legal()
            && self.flags & !flags == 0
            && !self.reserved
            && stream
            && self.length <= longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u32, kind: u8, flags: u8, stream: u32) -> FrameHeader {
        let [_, a, b, c] = length.to_be_bytes();
        let [d, e, f, g] = stream.to_be_bytes();
        FrameHeader::parse([a, b, c, kind, flags, d, e, f, g])
    }

    #[test]
    fn headers_are_read() {
        let data = header(0x01_02_03, 0, 0x9, 0x8000_0005);
        assert_eq!((data.length, data.kind, data.stream, data.reserved), (0x01_02_03, Kind::Data, 5, true));
        assert!(data.has(END_STREAM) && data.has(PADDED) && !data.has(END_HEADERS));
        assert_eq!(FrameHeader::first(&[0; 8]), None);
    }

    #[test]
    fn what_may_not_be_sent_is_not_legal() {
        for (length, kind, flags, stream) in [
            (5, 0, 0, 0),
            (0, 0, 8, 1),
            (5, 1, 0x28, 1),
            (4, 2, 0, 1),
            (5, 3, 0, 1),
            (7, 4, 0, 0),
            (6, 4, 1, 0),
            (6, 4, 0, 1),
            (3, 5, 0, 1),
            (7, 6, 0, 0),
            (8, 6, 0, 1),
            (4, 7, 0, 0),
            (5, 8, 0, 0),
            (5, 9, 0, 0),
        ] {
            assert!(!header(length, kind, flags, stream).is_legal(), "{length} {kind} {flags} {stream}");
        }
    }

    #[test]
    fn text_and_zeros_are_not_likely() {
        for bytes in
            [&b"POST /v1/chat/completions HTTP/1.1"[..], b"{\"model\":\"x\"}", &[0; 9], b"data: {}\n"]
        {
            assert!(FrameHeader::first(bytes).is_none_or(|header| !header.is_likely(1 << 14)), "{bytes:?}");
        }
        for (length, kind, flags, stream) in [
            (100, 0, 1, 3),
            (20, 1, 5, 1),
            (18, 4, 0, 0),
            (0, 4, 1, 0),
            (4, 8, 0, 0),
            (8, 6, 1, 0),
            (9, 16, 0, 0),
        ] {
            assert!(
                header(length, kind, flags, stream).is_likely(1 << 14),
                "{length} {kind} {flags} {stream}"
            );
        }
        assert!(!header(20_000, 0, 0, 1).is_likely(1 << 14) && !header(5, 0, 0, 2).is_likely(1 << 14));
    }
}
