//! Newline-delimited JSON, cut into its lines.

use std::ops::ControlFlow;

use crate::exchange::Body;
use crate::items::{Out, keep_within, release};

/// Turns bytes into lines.
pub(crate) struct NdjsonDecoder {
    max_item: usize,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    line_cut: bool,
    /// Bytes were lost: what is left of this line is nothing.
    torn: bool,
}

impl NdjsonDecoder {
    pub(crate) fn new(max_item: usize) -> Self {
        Self { max_item, line: Vec::new(), line_cut: false, torn: false }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.line.capacity()
    }

    pub(crate) fn feed(&mut self, mut input: &[u8], out: &mut Out<'_>) -> ControlFlow<()> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let (line, rest) = input.split_at_checked(end).unwrap_or_default();
            input = rest.get(1..).unwrap_or_default();
            if std::mem::take(&mut self.torn) {
                continue;
            }
            if self.line.is_empty() {
                self.hand_on(line, false, out)?;
            } else {
                self.hold(line);
                self.flush(out)?;
            }
        }
        if !self.torn {
            self.hold(input);
        }
        ControlFlow::Continue(())
    }

    /// Some bytes are missing here.
    pub(crate) fn gap(&mut self) {
        release(&mut self.line);
        self.line_cut = false;
        self.torn = true;
    }

    /// The body has ended, in the middle of something if `cut`; a last line needs no line feed.
    pub(crate) fn finish(&mut self, cut: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        self.line_cut |= cut;
        self.flush(out)
    }

    /// One byte more than an item may have, so that a CR at the end of the longest does not make it too long.
    fn hold(&mut self, piece: &[u8]) {
        self.line_cut |= keep_within(&mut self.line, piece, self.max_item.saturating_add(1));
    }

    fn flush(&mut self, out: &mut Out<'_>) -> ControlFlow<()> {
        let mut line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.line_cut);
        let flow = self.hand_on(&line, cut, out);
        release(&mut line);
        self.line = line;
        flow
    }

    fn hand_on(&self, line: &[u8], cut: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        let line = if cut { line } else { line.strip_suffix(b"\r").unwrap_or(line) };
        let data = line.get(..self.max_item).unwrap_or(line);
        if data.iter().all(u8::is_ascii_whitespace) {
            return ControlFlow::Continue(());
        }
        out(Body::Line { data, truncated: cut || data.len() < line.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pieces: &[&[u8]], max_item: usize) -> Vec<(String, bool)> {
        let mut decoder = NdjsonDecoder::new(max_item);
        let mut lines = Vec::new();
        let mut out = |body: Body<'_>| {
            let Body::Line { data, truncated } = body else { panic!("no line: {body:?}") };
            lines.push((String::from_utf8_lossy(data).into_owned(), truncated));
            ControlFlow::Continue(())
        };
        for piece in pieces {
            assert!(decoder.feed(piece, &mut out).is_continue());
        }
        assert!(decoder.finish(false, &mut out).is_continue());
        assert!(decoder.held_bytes() <= 100);
        lines
    }

    #[test]
    fn lines_wherever_they_are_cut() {
        let input =
            b"{\"a\":1}\n\r\n \n{\"b\":2}\r\n0123456789\r\n0123456789x\n01234567890123456789\r\n{\"end\":3}";
        let whole = run(&[input], 10);
        let lines = ["{\"a\":1}", "{\"b\":2}", "0123456789", "0123456789", "0123456789", "{\"end\":3}"];
        let cut = [false, false, false, true, true, false];
        assert_eq!(whole, lines.into_iter().map(str::to_owned).zip(cut).collect::<Vec<_>>());
        assert_eq!(run(&input.chunks(1).collect::<Vec<_>>(), 10), whole);
        for at in 0..input.len() {
            assert_eq!(run(&[&input[..at], &input[at..]], 10), whole, "cut at {at}");
        }
    }

    #[test]
    fn a_gap_costs_the_line_it_touches() {
        let mut decoder = NdjsonDecoder::new(100);
        let mut lines = Vec::new();
        let mut out = |body: Body<'_>| {
            if let Body::Line { data, .. } = body {
                lines.push(String::from_utf8_lossy(data).into_owned());
            }
            ControlFlow::Continue(())
        };
        let _ = decoder.feed(b"1\n{\"2\":", &mut out);
        decoder.gap();
        let _ = decoder.feed(b"0}", &mut out);
        let _ = decoder.feed(b"\n3\n", &mut out);
        let _ = decoder.finish(false, &mut out);
        assert_eq!(lines, ["1", "3"]);
    }
}
