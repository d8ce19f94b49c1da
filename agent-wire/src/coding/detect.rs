//! Whether a body really carries the coding that its header names: recorders and some gateways remove one and keep
//! the other.

/// A coding by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Kind {
    /// Names of the IANA HTTP content coding registry, lower case.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The coding is there.
    Coded,
    /// Deflate without the zlib wrapper that RFC 9110 section 8.4.1.2 asks for; common enough that all clients take it.
    RawDeflate,
    /// The body is not coded.
    Plain,
}

/// Beginnings of bodies that are text and that no brotli or raw deflate encoder writes (five equal bytes by chance,
/// in a stream of unusual parameters).
const TEXT: [&[u8]; 4] = [b"data:", b"event:", b"<!DOCTYPE", b"<html"];

/// Looks at the first bytes; `None` asks for more. With `last` there are no more and the answer is always given.
pub(super) fn detect(kind: Kind, first: &[u8], last: bool) -> Option<Found> {
    let found = match kind {
        // RFC 1952 section 2.3.1: ID1, ID2, CM = 8.
        Kind::Gzip => magic(first, &[0x1f, 0x8b, 8]),
        Kind::Zstd => zstd(first),
        Kind::Deflate => deflate(first),
        Kind::Brotli => brotli(first),
    };
    match found {
        // The beginning of the magic number and no more: no coded body is that short.
        None if last => {
            Some(if matches!(kind, Kind::Gzip | Kind::Zstd) { Found::Plain } else { Found::Coded })
        }
        found => found,
    }
}

fn magic(first: &[u8], magic: &[u8]) -> Option<Found> {
    if !first.iter().zip(magic).all(|(a, b)| a == b) {
        return Some(Found::Plain);
    }
    (first.len() >= magic.len()).then_some(Found::Coded)
}

fn zstd(first: &[u8]) -> Option<Found> {
    // RFC 8878 section 3.1: a frame's magic number, or that of a skippable frame (0x184D2A50 to 0x184D2A5F), little-endian.
    match first.first()? {
        0x50..=0x5f => magic(first.get(1..)?, &[0x2a, 0x4d, 0x18]),
        _ => magic(first, &[0x28, 0xb5, 0x2f, 0xfd]),
    }
}

fn deflate(first: &[u8]) -> Option<Found> {
    let cmf = *first.first()?;
    let flg = *first.get(1)?;
    // JSON. As raw deflate these bytes begin a final block with fixed codes whose first decoded byte is not ASCII: no text.
    let value = matches!(flg, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n');
    let space = matches!(flg, b' ' | b'\t' | b'\r' | b'\n');
    if (cmf == b'{' && (space || matches!(flg, b'"' | b'}')))
        || (cmf == b'[' && (space || value || flg == b']'))
    {
        return Some(Found::Plain);
    }
    // RFC 1950 section 2.2: method 8, window at most 32 KiB, check bits.
    if cmf & 0x0f == 8 && cmf >> 4 <= 7 && (u16::from(cmf) * 256 + u16::from(flg)) % 31 == 0 {
        return Some(Found::Coded);
    }
    text(first, Found::RawDeflate)
}

fn brotli(first: &[u8]) -> Option<Found> {
    // RFC 7932 section 9.2: as brotli `{` is the end of an empty stream, so that nothing could follow it.
    if *first.first()? == b'{' {
        return Some(Found::Plain);
    }
    text(first, Found::Coded)
}

fn text(first: &[u8], otherwise: Found) -> Option<Found> {
    let mut undecided = false;
    for start in TEXT {
        if first.starts_with(start) {
            return Some(Found::Plain);
        }
        undecided |= start.starts_with(first);
    }
    (!undecided).then_some(otherwise)
}
