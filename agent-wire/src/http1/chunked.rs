//! The chunked transfer coding (RFC 9112 section 7.1), from pieces cut anywhere.

use crate::headers::Headers;
use crate::http1::head::parse_trailers;

/// Longest chunk-size line, extensions included.
const MAX_SIZE_LINE: usize = 16 << 10;

/// Where in the coding we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the digits of a chunk size.
    Size { value: u64, digits: bool },
    /// Behind the digits, before the line feed.
    SizeLine { value: u64 },
    /// In chunk data, so many bytes of them to come.
    Data(u64),
    /// Behind the data of a chunk, before its line end.
    DataEnd { after_cr: bool },
    /// In the trailer section.
    Trailers,
}

/// Undoes the coding.
#[derive(Debug)]
pub(crate) struct Chunked {
    at: At,
    /// Bytes of the size line so far.
    line: usize,
    trailers: Vec<u8>,
    max_trailers: usize,
}

/// What one call found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// Nothing to hand on: more input is wanted.
    Nothing,
    /// Data of a chunk.
    Data(&'a [u8]),
    /// The end, with the trailer fields.
    End(Headers),
    /// The coding is broken here.
    Broken,
}

impl Chunked {
    /// `max_trailers`: longest trailer section in bytes.
    pub(crate) fn new(max_trailers: usize) -> Self {
        Self { at: At::Size { value: 0, digits: false }, line: 0, trailers: Vec::new(), max_trailers }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.trailers.capacity()
    }

    /// Skips missing bytes if they lie wholly inside the chunk being read; tells whether they do.
    pub(crate) fn absorb(&mut self, missing: u64) -> bool {
        match &mut self.at {
            At::Data(left) if missing <= *left => {
                *left -= missing;
                if *left == 0 {
                    self.at = At::DataEnd { after_cr: false };
                }
                true
            }
            _ => false,
        }
    }

    /// Takes the beginning of `input`: how many bytes, and what they are. To be called again with the rest.
    pub(crate) fn next<'a>(&mut self, input: &'a [u8]) -> (usize, Found<'a>) {
        let mut taken = 0;
        while let Some(&byte) = input.get(taken) {
            match self.at {
                At::Data(left) => {
                    let rest = input.get(taken..).unwrap_or_default();
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let left = left - length as u64;
                    self.at = if left == 0 { At::DataEnd { after_cr: false } } else { At::Data(left) };
                    return (taken + length, Found::Data(rest.get(..length).unwrap_or_default()));
                }
                At::Trailers => return self.trailer_section(input, taken),
                At::Size { value, digits } => match hex(byte) {
                    Some(digit) => match value.checked_mul(16) {
                        Some(value) => self.at = At::Size { value: value + digit, digits: true },
                        None => return (taken, Found::Broken),
                    },
                    None if !digits => return (taken, Found::Broken),
                    None if matches!(byte, b'\r' | b'\n' | b';' | b' ' | b'\t') => {
                        self.at = At::SizeLine { value };
                        continue;
                    }
                    None => return (taken, Found::Broken),
                },
                At::SizeLine { value } if byte == b'\n' => {
                    self.line = 0;
                    self.at = if value == 0 { At::Trailers } else { At::Data(value) };
                    taken += 1;
                    continue;
                }
                // Extensions are skipped (section 7.1.1).
                At::SizeLine { .. } => {}
                At::DataEnd { after_cr: false } if byte == b'\r' => self.at = At::DataEnd { after_cr: true },
                At::DataEnd { .. } if byte == b'\n' => {
                    self.at = At::Size { value: 0, digits: false };
                    taken += 1;
                    continue;
                }
                At::DataEnd { .. } => return (taken, Found::Broken),
            }
            taken += 1;
            if matches!(self.at, At::Size { .. } | At::SizeLine { .. }) {
                self.line += 1;
                if self.line > MAX_SIZE_LINE {
                    return (taken, Found::Broken);
                }
            }
        }
        (taken, Found::Nothing)
    }

    fn trailer_section<'a>(&mut self, input: &'a [u8], mut taken: usize) -> (usize, Found<'a>) {
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest);
            let line = rest.get(..end.map_or(rest.len(), |end| end + 1)).unwrap_or_default();
            let room = self.max_trailers.saturating_sub(self.trailers.len());
            if line.len() > room {
                return (taken + room, Found::Broken);
            }
            taken += line.len();
            self.trailers.extend_from_slice(line);
            if end.is_none() {
                return (taken, Found::Nothing);
            }
            if blank_line_ends(&self.trailers) {
                let section = std::mem::take(&mut self.trailers);
                // Trailers that cannot be parsed are no reason to lose the place: the end of the section is known.
                return (taken, Found::End(parse_trailers(&section).unwrap_or_default()));
            }
        }
    }
}

/// Whether a section that ends with a line feed ends with a blank line.
fn blank_line_ends(section: &[u8]) -> bool {
    let Some(line) = section.strip_suffix(b"\n") else { return false };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.is_empty() || line.ends_with(b"\n")
}

fn hex(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"5;name=\"v\"\r\nhello\r\n00A \nworldworld\n0\r\nX-Sum: 1\r\nB: 2\r\n\r\nnext";

    fn run(pieces: &[&[u8]]) -> (Vec<u8>, Option<Headers>, usize) {
        let (mut chunked, mut data, mut taken) = (Chunked::new(100), Vec::new(), 0);
        for mut piece in pieces.iter().copied() {
            loop {
                let (used, found) = chunked.next(piece);
                taken += used;
                piece = &piece[used..];
                match found {
                    Found::Data(bytes) => data.extend_from_slice(bytes),
                    Found::Nothing => break,
                    Found::End(trailers) => return (data, Some(trailers), taken),
                    Found::Broken => return (data, None, taken),
                }
            }
        }
        (data, None, taken)
    }

    #[test]
    fn decodes_wherever_it_is_cut() {
        let trailers = [("X-Sum", "1"), ("B", "2")].into_iter().collect();
        let expected = (b"helloworldworld".to_vec(), Some(trailers), WHOLE.len() - 4);
        for cut in 0..WHOLE.len() {
            assert_eq!(run(&[&WHOLE[..cut], &WHOLE[cut..]]), expected, "cut at {cut}");
        }
        assert_eq!(run(&WHOLE.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn refuses_what_is_no_chunk() {
        for broken in
            [&b"\r\n"[..], b"g\r\n", b"-1\r\n", b"5x\r\n", b"11111111111111111\r\n", b"1\r\nab", b"1\r\na\rb"]
        {
            assert_eq!(run(&[broken]).1, None, "{broken:?}");
            let mut chunked = Chunked::new(100);
            let mut rest = broken;
            let last = loop {
                match chunked.next(rest) {
                    (used, Found::Data(_)) => rest = &rest[used..],
                    (_, found) => break found,
                }
            };
            assert_eq!(last, Found::Broken, "{broken:?}");
        }
        let long = [b"0\r\n".as_slice(), &[b'a'; 200]].concat();
        assert_eq!(Chunked::new(100).next(&long).1, Found::Broken);
        let extension = [b"1;".as_slice(), &[b'a'; MAX_SIZE_LINE]].concat();
        assert_eq!(Chunked::new(100).next(&extension).1, Found::Broken);
    }

    #[test]
    fn absorbs_what_is_missing_inside_a_chunk() {
        let mut chunked = Chunked::new(100);
        assert!(!chunked.absorb(1));
        assert_eq!(chunked.next(b"5\r\nh"), (4, Found::Data(b"h")));
        assert!(!chunked.absorb(5));
        assert!(chunked.absorb(4));
        assert_eq!(chunked.next(b"\r\n0\r\n\r\n"), (7, Found::End(Headers::new())));
    }
}
