//! Server-sent events (WHATWG HTML section 9.2.6), decoded from pieces cut anywhere.

use std::ops::ControlFlow;

use crate::exchange::{Body, SseEvent};
use crate::items::{Out, keep_within, release};

/// Longest event type or id; none in use comes near it.
const MAX_FIELD: usize = 1 << 10;

/// Room for a field name in front of a value of the greatest length.
const NAME_ROOM: usize = 16;

/// Turns bytes into events.
pub(crate) struct SseDecoder {
    max_item: usize,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    line_cut: bool,
    /// Data of the event being read, without the last line feed.
    data: Vec<u8>,
    has_data: bool,
    data_cut: bool,
    event: String,
    id: String,
    /// The last byte was CR: LF now belongs to it.
    after_cr: bool,
    /// Bytes of a byte order mark that may still come at the very beginning.
    start: bool,
    /// Bytes were lost: nothing counts until a blank line.
    lost: bool,
    /// The line being read began before the loss, so that it is not blank whatever is left of it.
    line_torn: bool,
}

impl SseDecoder {
    pub(crate) fn new(max_item: usize) -> Self {
        Self {
            max_item,
            line: Vec::new(),
            line_cut: false,
            data: Vec::new(),
            has_data: false,
            data_cut: false,
            event: String::new(),
            id: String::new(),
            after_cr: false,
            start: true,
            lost: false,
            line_torn: false,
        }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.line.capacity() + self.data.capacity() + self.event.capacity() + self.id.capacity()
    }

    pub(crate) fn feed(&mut self, mut input: &[u8], out: &mut Out<'_>) -> ControlFlow<()> {
        // A data line that is the only one of its event so far and lies whole in this piece is not copied.
        let mut direct: Option<&[u8]> = None;
        while !input.is_empty() {
            if std::mem::take(&mut self.after_cr) && input.first() == Some(&b'\n') {
                input = input.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', input) else {
                let room = self.max_item.max(MAX_FIELD).saturating_add(NAME_ROOM);
                self.line_cut |= keep_within(&mut self.line, input, room);
                break;
            };
            let (line, rest) = input.split_at_checked(end).unwrap_or_default();
            self.after_cr = rest.first() == Some(&b'\r');
            input = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.take_line(line, false, &mut direct, out)?;
            } else {
                let room = self.max_item.max(MAX_FIELD).saturating_add(NAME_ROOM);
                let mut whole = std::mem::take(&mut self.line);
                let cut = keep_within(&mut whole, line, room) | std::mem::take(&mut self.line_cut);
                self.settle(&mut direct);
                // Its bytes die with this line: they are copied into `data`.
                let mut none = None;
                let flow = self.take_line(&whole, cut, &mut none, out);
                if let Some(value) = none {
                    self.append(value);
                }
                release(&mut whole);
                self.line = whole;
                flow?;
            }
        }
        self.settle(&mut direct);
        ControlFlow::Continue(())
    }

    /// Some bytes are missing here.
    pub(crate) fn gap(&mut self) {
        self.line.clear();
        self.line_cut = false;
        self.reset();
        self.after_cr = false;
        self.start = false;
        self.lost = true;
        self.line_torn = true;
    }

    /// The body has ended, in the middle of something if `cut`. An event whose blank line never came is handed on: some peers
    /// close without it.
    pub(crate) fn finish(&mut self, cut: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        if !self.line.is_empty() {
            let whole = std::mem::take(&mut self.line);
            let line_cut = std::mem::take(&mut self.line_cut);
            let mut direct = None;
            self.take_line(&whole, line_cut, &mut direct, out)?;
            self.settle(&mut direct);
            self.data_cut |= cut;
        }
        self.dispatch(None, out)
    }

    fn settle(&mut self, direct: &mut Option<&[u8]>) {
        if let Some(value) = direct.take() {
            self.append(value);
        }
    }

    fn append(&mut self, value: &[u8]) {
        self.data_cut |= keep_within(&mut self.data, value, self.max_item);
    }

    fn take_line<'a>(
        &mut self,
        line: &'a [u8],
        cut: bool,
        direct: &mut Option<&'a [u8]>,
        out: &mut Out<'_>,
    ) -> ControlFlow<()> {
        let line = if std::mem::take(&mut self.start) {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        } else {
            line
        };
        if self.lost {
            if line.is_empty() && !self.line_torn {
                self.lost = false;
            }
            self.line_torn = false;
            return ControlFlow::Continue(());
        }
        if line.is_empty() {
            return self.dispatch(direct.take(), out);
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (name, rest) = line.split_at_checked(colon).unwrap_or_default();
                let value = rest.get(1..).unwrap_or_default();
                (name, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        match name {
            b"data" => {
                self.data_cut |= cut;
                if self.has_data {
                    self.settle(direct);
                    self.append(b"\n");
                    self.append(value);
                } else {
                    self.has_data = true;
                    *direct = Some(value);
                }
            }
            b"event" => set(&mut self.event, value),
            b"id" if !within_field(value).contains(&0) => set(&mut self.id, value),
            // `retry` concerns only clients that reconnect; other names and comments are ignored.
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn dispatch(&mut self, direct: Option<&[u8]>, out: &mut Out<'_>) -> ControlFlow<()> {
        let flow = if self.has_data {
            let data = direct.unwrap_or(&self.data);
            let within = data.get(..self.max_item).unwrap_or(data);
            let truncated = self.data_cut || within.len() < data.len();
            out(Body::Event(SseEvent { event: &self.event, data: within, id: &self.id, truncated }))
        } else {
            ControlFlow::Continue(())
        };
        self.reset();
        flow
    }

    fn reset(&mut self) {
        release(&mut self.data);
        self.has_data = false;
        self.data_cut = false;
        self.event.clear();
    }
}

fn within_field(value: &[u8]) -> &[u8] {
    value.get(..MAX_FIELD).unwrap_or(value)
}

fn set(field: &mut String, value: &[u8]) {
    field.clear();
    field.push_str(&String::from_utf8_lossy(within_field(value)));
}

#[cfg(test)]
mod tests;
