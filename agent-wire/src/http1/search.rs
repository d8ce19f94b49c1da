//! Finds the next message head in a stream whose message boundaries are lost.

use memchr::memmem;

use crate::http1::head::Side;

const VERSION: &[u8] = b"HTTP/1.";

/// Longest start line found by searching.
const MAX_LINE: usize = 16 << 10;

/// Methods that a request line found by searching may have. Known ones only: the bytes before the method may be the end of a body.
const METHODS: [&[u8]; 10] =
    [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"OPTIONS", b"CONNECT", b"TRACE", b"QUERY"];

/// Looks for start lines. Keeps the end of the last line, because a start line may follow a body without a line end between.
#[derive(Debug, Default)]
pub(crate) struct Search {
    buffer: Vec<u8>,
    /// Bytes of the buffer in which no version begins.
    searched: usize,
    passed: u64,
}

impl Search {
    /// Begins behind bytes that were no head and hold no start line after their first byte: the beginning of one may be their last
    /// line. The first byte is left out, so that nothing is found twice.
    pub(crate) fn behind(bytes: &[u8]) -> Self {
        let from = memchr::memrchr(b'\n', bytes)
            .map_or(1, |feed| feed + 1)
            .max(bytes.len().saturating_sub(MAX_LINE));
        let buffer = bytes.get(from..).unwrap_or_default().to_vec();
        Self { buffer, searched: 0, passed: bytes.len() as u64 }
    }

    /// Bytes that were passed over since the search began.
    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Bytes are missing here: the line before them has no end.
    pub(crate) fn forget(&mut self) {
        *self = Self { passed: self.passed, ..Self::default() };
    }

    /// Takes some of the input: how many bytes, and when a start line was found, everything from its beginning on.
    pub(crate) fn push(&mut self, input: &[u8], side: Side) -> (usize, Option<Vec<u8>>) {
        let taken = input.len().min(MAX_LINE);
        self.buffer.extend(input.iter().take(taken));
        self.passed += taken as u64;
        match first(&self.buffer, self.searched, side) {
            Next::Found(start) => (taken, Some(self.buffer.split_off(start))),
            Next::Incomplete(at) => {
                self.searched = at;
                self.trim();
                (taken, None)
            }
            Next::Nothing => {
                self.searched = self.buffer.len().saturating_sub(VERSION.len() - 1);
                self.trim();
                (taken, None)
            }
        }
    }

    /// Drops finished lines, and the beginning of one that is too long to be a start line.
    fn trim(&mut self) {
        let feed = self.buffer.get(..self.searched).and_then(|done| memchr::memrchr(b'\n', done));
        let mut drop = feed.map_or(0, |feed| feed + 1);
        if self.buffer.len() - drop > 2 * MAX_LINE {
            drop = self.buffer.len() - MAX_LINE;
        }
        // Not at every byte: moving the rest has its price.
        if drop >= MAX_LINE || drop == self.buffer.len() {
            self.buffer.drain(..drop);
            self.searched = self.searched.saturating_sub(drop);
        }
    }
}

/// The last start line inside a head that turned out to be none, not at its very beginning: the only one whose fields can follow.
pub(crate) fn last_start(head: &[u8], side: Side) -> Option<usize> {
    memmem::rfind_iter(head, VERSION).find_map(|at| match start_line(head, at, side) {
        Next::Found(start) if start > 0 => Some(start),
        _ => None,
    })
}

enum Next {
    /// A start line begins here.
    Found(usize),
    /// One may, whose version is here, but not enough of it has come.
    Incomplete(usize),
    Nothing,
}

fn first(buffer: &[u8], from: usize, side: Side) -> Next {
    for offset in memmem::find_iter(buffer.get(from..).unwrap_or_default(), VERSION) {
        match start_line(buffer, from + offset, side) {
            Next::Nothing => {}
            next => return next,
        }
    }
    Next::Nothing
}

/// Whether the version at `at` belongs to a start line.
fn start_line(buffer: &[u8], at: usize, side: Side) -> Next {
    let behind = buffer.get(at + VERSION.len()..).unwrap_or_default();
    let response = if side == Side::Request { Next::Nothing } else { status_line(at, behind) };
    match response {
        Next::Nothing if side != Side::Response => request_line(buffer, at, behind),
        found => found,
    }
}

fn status_line(at: usize, behind: &[u8]) -> Next {
    let shape: [fn(u8) -> bool; 6] = [
        |b| matches!(b, b'0' | b'1'),
        |b| b == b' ',
        |b| b.is_ascii_digit(),
        |b| b.is_ascii_digit(),
        |b| b.is_ascii_digit(),
        |b| matches!(b, b' ' | b'\r' | b'\n'),
    ];
    if !behind.iter().zip(shape).all(|(byte, fits)| fits(*byte)) {
        return Next::Nothing;
    }
    if behind.len() < shape.len() { Next::Incomplete(at) } else { Next::Found(at) }
}

fn request_line(buffer: &[u8], at: usize, behind: &[u8]) -> Next {
    let fits = match behind {
        [] | [b'0' | b'1'] | [b'0' | b'1', b'\r'] => None,
        [b'0' | b'1', b'\n', ..] | [b'0' | b'1', b'\r', b'\n', ..] => Some(true),
        _ => Some(false),
    };
    if fits == Some(false) {
        return Next::Nothing;
    }
    match request_line_start(buffer.get(..at).unwrap_or_default()) {
        None => Next::Nothing,
        Some(_) if fits.is_none() => Next::Incomplete(at),
        Some(start) => Next::Found(start),
    }
}

/// Where the method begins of a request line that ends with a version behind `before`.
fn request_line_start(before: &[u8]) -> Option<usize> {
    let before = before.strip_suffix(b" ")?;
    let nearest = before.len().saturating_sub(MAX_LINE);
    let space = nearest + memchr::memrchr(b' ', before.get(nearest..)?)?;
    let target = before.get(space + 1..)?;
    if target.is_empty() || target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        return None;
    }
    let before = before.get(..space)?;
    METHODS.iter().filter(|method| before.ends_with(method)).map(|method| space - method.len()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(input: &[u8], side: Side) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        for size in [1, 3, input.len()] {
            let mut search = Search::default();
            let mut found = None;
            for mut piece in input.chunks(size) {
                while !piece.is_empty() {
                    let (taken, start) = search.push(piece, side);
                    piece = &piece[taken..];
                    if let Some(start) = start {
                        found = Some([&start, piece].concat());
                        break;
                    }
                }
                if found.is_some() {
                    break;
                }
            }
            all.push(found.map(|found| found[..found.len().min(13)].to_vec()));
        }
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
        all.pop().flatten()
    }

    #[test]
    fn finds_requests_behind_anything() {
        for before in [
            "",
            "\r\n",
            "{\"a\":\"HTTP/1.1 and HTTP/1.1\"}",
            "junk\n",
            "UPPER",
            "a HTTP/1.1\r\n",
            "GET / HTTP/1.9\r\n",
        ] {
            let input = format!("{before}POST /v1 HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(
                search(input.as_bytes(), Side::Request).as_deref(),
                Some(&b"POST /v1 HTTP"[..]),
                "{before}"
            );
            assert_eq!(search(input.as_bytes(), Side::Response), None, "{before}");
        }
        for none in
            ["GET  HTTP/1.1\r\n", "get / HTTP/1.1\r\n", "GET /a\x01 HTTP/1.1\r\n", "GET / HTTP/1.1x\r\n"]
        {
            assert_eq!(search(none.as_bytes(), Side::Either).map(String::from_utf8), None, "{none}");
        }
    }

    #[test]
    fn finds_responses_behind_anything() {
        let input = b"...}HTTP/1.1 20 HTTP/1.1 200 OK\r\n";
        assert_eq!(search(input, Side::Either).as_deref(), Some(&b"HTTP/1.1 200 "[..]));
        assert_eq!(search(input, Side::Request), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut search = Search::default();
        for piece in [&[b'a'; 100_000][..], &[b'\n'; 100_000], &b"HTTP/1.1 ".repeat(10_000)] {
            for _ in 0..20 {
                let mut rest = piece;
                while !rest.is_empty() {
                    let (taken, found) = search.push(rest, Side::Either);
                    assert_eq!(found, None);
                    rest = &rest[taken..];
                    assert!(search.held_bytes() <= 8 * MAX_LINE, "{}", search.held_bytes());
                }
            }
        }
        assert!(search.passed() > 100_000);
    }

    #[test]
    fn the_last_start_line_of_a_broken_head() {
        let head = b"GET /a HTTP/1.1\r\nGET /b HTTP/1.1\r\nGET /c HTTP/1.1\r\nA: b\r\n\r\n";
        assert_eq!(last_start(head, Side::Request), Some(34));
        assert_eq!(last_start(b"GET /a HTTP/1.1\r\nA: b\r\n\r\n", Side::Request), None);
    }
}
