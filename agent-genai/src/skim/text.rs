//! One JSON string on its way through the skimmer: copied up to a limit, never cut inside an escape or a character.

use super::MARK;

/// A string being copied.
#[derive(Debug, Default)]
pub(super) struct Text {
    limit: usize,
    /// Where its content begins in the output.
    start: usize,
    cut: bool,
    /// Length of the decoded string so far, in bytes.
    decoded: u64,
    escape: Escape,
    /// A leading surrogate whose partner has not come yet.
    lead: Option<u16>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Backslash,
    Hex {
        digits: u8,
        value: u16,
    },
}

/// How far [`Text::take`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// All bytes taken, the string goes on.
    More,
    /// The closing quote was taken and written. `whole` is false when the string had been cut.
    End { whole: bool },
    /// No valid escape.
    Invalid,
}

const REPLACEMENT: &[u8] = b"\\ufffd";

impl Text {
    pub(super) fn begin(&mut self, limit: usize, start: usize) {
        *self = Self { limit, start, ..Self::default() };
    }

    /// Where its content begins in the output.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Takes bytes up to and including the closing quote.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> (usize, Cut) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.escape != Escape::None {
                let Some(&byte) = rest.first() else { break };
                if !self.escaped(byte, out) {
                    return (at, Cut::Invalid);
                }
                at += 1;
                continue;
            }
            let found = memchr::memchr2(b'"', b'\\', rest);
            let run = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
            self.run(run, out);
            at += run.len();
            match found.and_then(|found| rest.get(found)) {
                None => break,
                Some(b'"') => {
                    self.finish(out);
                    out.push(b'"');
                    return (at + 1, Cut::End { whole: !self.cut });
                }
                Some(_) => {
                    self.escape = Escape::Backslash;
                    at += 1;
                }
            }
        }
        (bytes.len(), Cut::More)
    }

    /// The string has ended, whole or not: completes its content in the output. The caller writes the quote.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.lone_lead(out);
        self.escape = Escape::None;
        trim_partial(out, self.start);
        if self.cut {
            out.extend_from_slice(format!("{MARK}{}", self.decoded).as_bytes());
        }
    }

    fn run(&mut self, run: &[u8], out: &mut Vec<u8>) {
        if run.is_empty() {
            return;
        }
        self.lone_lead(out);
        self.decoded = self.decoded.saturating_add(run.len() as u64);
        if self.cut {
            return;
        }
        let room = self.limit.saturating_sub(out.len().saturating_sub(self.start));
        match run.get(..room) {
            Some(head) if head.len() < run.len() => {
                out.extend_from_slice(head);
                self.cut = true;
                trim_partial(out, self.start);
            }
            _ => out.extend_from_slice(run),
        }
    }

    /// One byte of an escape; `false` when there is no such escape.
    fn escaped(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match self.escape {
            Escape::None => true,
            Escape::Backslash => match byte {
                b'u' => {
                    self.escape = Escape::Hex { digits: 0, value: 0 };
                    true
                }
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                    self.lone_lead(out);
                    self.escape = Escape::None;
                    self.unit(&[b'\\', byte], 1, out);
                    true
                }
                _ => false,
            },
            Escape::Hex { digits, value } => {
                let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok())
                else {
                    return false;
                };
                let value = value << 4 | digit;
                if digits == 3 {
                    self.escape = Escape::None;
                    self.code_unit(value, out);
                } else {
                    self.escape = Escape::Hex { digits: digits + 1, value };
                }
                true
            }
        }
    }

    /// A complete `\uXXXX`. Surrogates are written in pairs only: a lone one is valid JSON, but no parser of Rust strings takes it.
    fn code_unit(&mut self, value: u16, out: &mut Vec<u8>) {
        match (value, self.lead) {
            (0xD800..=0xDBFF, _) => {
                self.lone_lead(out);
                self.lead = Some(value);
            }
            (0xDC00..=0xDFFF, Some(lead)) => {
                self.lead = None;
                self.unit(format!("\\u{lead:04x}\\u{value:04x}").as_bytes(), 4, out);
            }
            (0xDC00..=0xDFFF, None) => self.unit(REPLACEMENT, 3, out),
            _ => {
                self.lone_lead(out);
                let length = if value < 0x80 {
                    1
                } else if value < 0x800 {
                    2
                } else {
                    3
                };
                self.unit(format!("\\u{value:04x}").as_bytes(), length, out);
            }
        }
    }

    fn lone_lead(&mut self, out: &mut Vec<u8>) {
        if self.lead.take().is_some() {
            self.unit(REPLACEMENT, 3, out);
        }
    }

    /// Writes an escape, or cuts the string before it.
    fn unit(&mut self, escape: &[u8], decoded: u64, out: &mut Vec<u8>) {
        self.decoded = self.decoded.saturating_add(decoded);
        let used = out.len().saturating_sub(self.start);
        if self.cut || used + escape.len() > self.limit {
            self.cut = true;
        } else {
            out.extend_from_slice(escape);
        }
    }
}

/// Removes an incomplete UTF-8 sequence from the end of `out`, not going back before `start`.
fn trim_partial(out: &mut Vec<u8>, start: usize) {
    for back in 1..=3 {
        let Some(at) = out.len().checked_sub(back).filter(|at| *at >= start) else { return };
        let needed = match out.get(at) {
            Some(0x00..=0x7F) | None => return,
            Some(0x80..=0xBF) => continue,
            Some(0xC0..=0xDF) => 2,
            Some(0xE0..=0xEF) => 3,
            Some(_) => 4,
        };
        if needed > back {
            out.truncate(at);
        }
        return;
    }
}
