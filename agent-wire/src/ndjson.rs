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
