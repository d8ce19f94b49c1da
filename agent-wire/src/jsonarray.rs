//! A body that is one JSON array (RFC 8259), cut into its elements as they come.

use std::ops::ControlFlow;

use crate::exchange::Body;
use crate::items::{Out, keep_within, release};

/// Turns bytes into elements.
pub(crate) struct JsonArrayDecoder {
    max_item: usize,
    place: Place,
    /// The beginning of an element whose end has not come.
    element: Vec<u8>,
    element_cut: bool,
    fault: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In front of the opening bracket.
    Start,
    /// Between elements.
    Between,
    /// In an element.
    Element(Nesting),
    /// Behind the closing bracket.
    End,
    /// Behind a fault, where nothing is an element.
    Lost,
}

/// Where in an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Nesting {
    /// Open objects and arrays.
    depth: u64,
    /// It began with a bracket or a brace, so that it ends with its own; a scalar ends in front of what follows it.
    bracketed: bool,
    string: bool,
    escaped: bool,
}

impl JsonArrayDecoder {
    pub(crate) fn new(max_item: usize) -> Self {
        Self { max_item, place: Place::Start, element: Vec::new(), element_cut: false, fault: None }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.element.capacity()
    }

    /// Why nothing more is handed on.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    pub(crate) fn feed(&mut self, mut input: &[u8], out: &mut Out<'_>) -> ControlFlow<()> {
        loop {
            match &mut self.place {
                Place::Element(nesting) => {
                    let end = nesting.end(input);
                    let (piece, rest) =
                        input.split_at_checked(end.unwrap_or(input.len())).unwrap_or_default();
                    input = rest;
                    if end.is_none() {
                        self.element_cut |= keep_within(&mut self.element, piece, self.max_item);
                        return ControlFlow::Continue(());
                    }
                    self.place = Place::Between;
                    if self.element.is_empty() {
                        hand_on(piece, false, self.max_item, out)?;
                    } else {
                        self.element_cut |= keep_within(&mut self.element, piece, self.max_item);
                        self.flush(out)?;
                    }
                }
                place => {
                    let Some((byte, rest)) = input.split_first() else { return ControlFlow::Continue(()) };
                    match (*place, *byte) {
                        (Place::Lost, _) => return ControlFlow::Continue(()),
                        // The byte order mark belongs to no element either.
                        (Place::Start, 0xef | 0xbb | 0xbf) => input = rest,
                        (_, byte) if byte.is_ascii_whitespace() => input = rest,
                        (Place::Start, b'[') => (*place, input) = (Place::Between, rest),
                        (Place::Between, b',') => input = rest,
                        (Place::Between, b']') => (*place, input) = (Place::End, rest),
                        (Place::Between, b'}') => {
                            self.lose("it is malformed between its elements".to_owned());
                        }
                        (Place::Between, _) => *place = Place::Element(Nesting::default()),
                        (Place::Start, _) => self.lose("it does not begin with a bracket".to_owned()),
                        _ => self.lose("there are bytes behind its end".to_owned()),
                    }
                }
            }
        }
    }

    /// Some bytes are missing here. Whether what follows is inside a string cannot be known.
    pub(crate) fn gap(&mut self, bytes: u64) {
        if self.place != Place::Lost {
            self.lose(format!("{bytes} bytes were lost, so that the place of the next element is unknown"));
        }
    }

    /// The body has ended, before its time if `cut`. An element that is not complete is handed on as far as it came.
    pub(crate) fn finish(&mut self, cut: bool, out: &mut Out<'_>) -> ControlFlow<()> {
        let place = std::mem::replace(&mut self.place, Place::Lost);
        if !matches!(place, Place::End | Place::Lost) && !cut {
            self.fault.get_or_insert("it stops before its end".to_owned());
        }
        if self.element.is_empty() {
            return ControlFlow::Continue(());
        }
        self.element_cut = true;
        self.flush(out)
    }

    fn lose(&mut self, why: String) {
        self.place = Place::Lost;
        release(&mut self.element);
        self.element_cut = false;
        self.fault.get_or_insert(why);
    }

    fn flush(&mut self, out: &mut Out<'_>) -> ControlFlow<()> {
        let mut element = std::mem::take(&mut self.element);
        let flow = hand_on(&element, std::mem::take(&mut self.element_cut), self.max_item, out);
        release(&mut element);
        self.element = element;
        flow
    }
}

fn hand_on(element: &[u8], cut: bool, max_item: usize, out: &mut Out<'_>) -> ControlFlow<()> {
    let data = element.get(..max_item).unwrap_or(element);
    let truncated = cut || data.len() < element.len();
    // A scalar reaches up to the comma or bracket that follows it.
    let data = if truncated { data } else { data.trim_ascii_end() };
    out(Body::Element { data, truncated })
}

impl Nesting {
    /// The place behind the end of the element, if that lies in this piece.
    fn end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            if self.escaped {
                self.escaped = false;
                at += 1;
                continue;
            }
            if self.string {
                let special = memchr::memchr2(b'"', b'\\', rest)?;
                self.escaped = rest.get(special) == Some(&b'\\');
                self.string = self.escaped;
                at += special + 1;
                continue;
            }
            match rest.first() {
                Some(b'"') => self.string = true,
                Some(b'{' | b'[') => {
                    self.bracketed |= self.depth == 0;
                    self.depth += 1;
                }
                Some(b']' | b',') if self.depth == 0 => return Some(at),
                Some(b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 && self.bracketed {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests;
