//! Forms (`multipart/form-data`, RFC 7578): the text fields of an upload, as the body arrives. Files are measured, never kept.

use serde_json::{Map, Value};

/// Longest head of one part, in bytes.
const MAX_HEAD: usize = 8 << 10;
/// Most fields kept.
const MAX_FIELDS: usize = 128;
/// What all fields together may hold at least, in bytes.
const MIN_HELD: usize = 64 << 10;
/// Longest boundary (RFC 2046 section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// A form on its way.
pub(super) struct Form {
    /// Line break, two dashes, boundary.
    delimiter: Vec<u8>,
    carry: Vec<u8>,
    state: State,
    /// Most bytes kept of one field, and of all of them together.
    max_field: usize,
    max_held: usize,
    fields: Map<String, Value>,
    held: usize,
}

enum State {
    /// Before the first delimiter.
    Preamble,
    /// Behind a delimiter: its line ends here, or the form does.
    Delimited,
    Head,
    Field {
        name: String,
        value: Vec<u8>,
        length: usize,
    },
    File {
        name: String,
        bytes: u64,
    },
    Done,
}

impl Form {
    /// A form, when the media type says so. `max_field`: most bytes kept of one field.
    pub(super) fn new(content_type: &str, max_field: usize) -> Option<Self> {
        let (kind, parameters) = content_type.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
        })?;
        if boundary.is_empty() || boundary.len() > MAX_BOUNDARY {
            return None;
        }
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // The first delimiter begins the body without a line break in front.
        let carry = b"\r\n".to_vec();
        Some(Self {
            delimiter,
            carry,
            state: State::Preamble,
            max_field,
            fields: Map::new(),
            held: 0,
            max_held: max_field.max(MIN_HELD),
        })
    }

    /// Bytes of the body.
    pub(super) fn push(&mut self, data: &[u8]) {
        let mut input = std::mem::take(&mut self.carry);
        input.extend_from_slice(data);
        let mut rest = input.as_slice();
        while let Some(taken) = self.step(rest) {
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.carry = rest.to_vec();
    }

    /// The fields as an object of texts. A file is an object of its length.
    pub(super) fn finish(self) -> Value {
        Value::Object(self.fields)
    }

    pub(super) fn held_bytes(&self) -> usize {
        let under_way = match &self.state {
            State::Field { value, .. } => value.capacity(),
            _ => 0,
        };
        self.carry.capacity() + self.held + under_way
    }

    /// One step on what there is: the bytes used up, or `None` when more must come first.
    fn step(&mut self, input: &[u8]) -> Option<usize> {
        match &mut self.state {
            State::Done if input.is_empty() => None,
            State::Done => Some(input.len()),
            State::Delimited => match input {
                [b'-', b'-', ..] => {
                    self.state = State::Done;
                    Some(2)
                }
                [b'\r', b'\n', ..] => {
                    self.state = State::Head;
                    Some(2)
                }
                // Padding may stand between the delimiter and the end of its line.
                [b' ' | b'\t', ..] => Some(1),
                [] | [b'-' | b'\r'] => None,
                _ => {
                    self.state = State::Done;
                    Some(0)
                }
            },
            State::Head => self.head(input),
            State::Preamble | State::Field { .. } | State::File { .. } => self.body(input),
        }
    }

    fn head(&mut self, input: &[u8]) -> Option<usize> {
        // A part without any field of its head begins with the empty line at once.
        let end =
            if input.starts_with(b"\r\n") { Some(0) } else { find(input, b"\r\n\r\n").map(|at| at + 2) };
        let Some(end) = end else {
            if input.len() > MAX_HEAD {
                self.state = State::Done;
                return Some(input.len());
            }
            return None;
        };
        let head = String::from_utf8_lossy(input.get(..end).unwrap_or_default()).into_owned();
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.to_owned())
        });
        let disposition = disposition.unwrap_or_default();
        let name = parameter(&disposition, "name").unwrap_or_default().trim_end_matches("[]").to_owned();
        self.state = if parameter(&disposition, "filename").is_some() {
            State::File { name, bytes: 0 }
        } else {
            State::Field { name, value: Vec::new(), length: 0 }
        };
        Some(end + 2)
    }

    fn body(&mut self, input: &[u8]) -> Option<usize> {
        let found = find(input, &self.delimiter);
        // What could be the beginning of a delimiter stays until more has come.
        let safe = found.unwrap_or_else(|| input.len().saturating_sub(self.delimiter.len() - 1));
        let content = input.get(..safe).unwrap_or_default();
        match &mut self.state {
            State::Field { value, length, .. } => {
                *length = length.saturating_add(content.len());
                let left = self.max_held.saturating_sub(self.held);
                let room = self.max_field.min(left).saturating_sub(value.len());
                value.extend_from_slice(content.get(..room).unwrap_or(content));
            }
            State::File { bytes, .. } => *bytes = bytes.saturating_add(content.len() as u64),
            _ => {}
        }
        match found {
            Some(at) => {
                self.close();
                Some(at + self.delimiter.len())
            }
            None if safe > 0 => Some(safe),
            None => None,
        }
    }

    /// The part is over.
    fn close(&mut self) {
        let (name, value) = match std::mem::replace(&mut self.state, State::Delimited) {
            State::Field { name, value, length } => {
                let cut = length > value.len();
                let text = String::from_utf8_lossy(&value).into_owned();
                (name, Value::String(if cut { format!("{text}{}{length}", crate::skim::MARK) } else { text }))
            }
            State::File { name, bytes } => (name, serde_json::json!({ "bytes": bytes })),
            _ => return,
        };
        if name.is_empty() || self.fields.len() >= MAX_FIELDS {
            return;
        }
        self.held += name.len() + value.as_str().map_or(16, str::len);
        match self.fields.get_mut(&name) {
            // A field that comes again is one of a list.
            Some(Value::Array(items)) if items.len() < MAX_FIELDS => items.push(value),
            Some(Value::Array(_)) => {}
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                self.fields.insert(name, value);
            }
        }
    }
}

/// A parameter of a Content-Disposition field. Browsers and libraries quote it and escape the quote.
fn parameter<'a>(field: &'a str, name: &str) -> Option<&'a str> {
    field.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"--b1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b1\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\x00\r\n--b\x01\r\n\
        --b1\r\ncontent-disposition: form-data; name=\"timestamp_granularities[]\"\r\n\r\nword\r\n--b1\r\n\
        Content-Disposition: form-data; name=\"timestamp_granularities[]\"\r\n\r\nsegment\r\n--b1--\r\nepilogue";

    fn read(cuts: &[usize]) -> Value {
        let mut form = Form::new("multipart/form-data; boundary=\"b1\"", 64).unwrap();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([BODY.len()]) {
            form.push(&BODY[from..cut]);
            from = cut;
        }
        form.finish()
    }

    #[test]
    fn fields_and_files_wherever_the_body_is_cut() {
        let expected = serde_json::json!({"model": "whisper-1", "file": {"bytes": 7}, "timestamp_granularities": ["word", "segment"]});
        assert_eq!(read(&[]), expected);
        for cut in 1..BODY.len() {
            assert_eq!(read(&[cut]), expected, "cut at {cut}");
        }
        assert_eq!(read(&(1..BODY.len()).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn long_fields_are_cut_and_marked() {
        let mut form = Form::new("multipart/form-data;boundary=x", 4).unwrap();
        form.push(b"--x\r\nContent-Disposition: form-data; name=p\r\n\r\nabcdefgh\r\n--x--");
        let value = form.finish();
        assert_eq!(crate::skim::text_len(value["p"].as_str().unwrap()), 8);
    }

    #[test]
    fn many_long_fields_hold_no_more_than_one() {
        let most = 100_000;
        let mut form = Form::new("multipart/form-data;boundary=x", most).unwrap();
        for _ in 0..40 {
            form.push(b"\r\n--x\r\nContent-Disposition: form-data; name=p\r\n\r\n");
            form.push(&vec![b'a'; 80_000]);
            assert!(form.held_bytes() < 5 * most);
        }
        assert!(form.held_bytes() > most / 2);
        form.push(b"\r\n--x--");
        let bytes: usize =
            form.finish()["p"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().len()).sum();
        assert!(bytes < 2 * most, "{bytes}");
    }

    #[test]
    fn no_form_and_broken_forms() {
        assert!(Form::new("application/json", 4).is_none());
        assert!(Form::new("multipart/form-data", 4).is_none());
        assert!(Form::new("multipart/form-data; boundary=", 4).is_none());
        let mut form = Form::new("multipart/form-data; boundary=x", 4).unwrap();
        form.push(&vec![b'a'; 100_000]);
        assert!(form.held_bytes() < 200_000);
        form.push(b"\r\n--x\r\n");
        form.push(&vec![b'h'; 100_000]);
        assert_eq!(form.finish(), serde_json::json!({}));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(parts in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64), 0..16)) {
            let mut form = Form::new("multipart/form-data; boundary=b1", 16).unwrap();
            for part in parts {
                form.push(b"\r\n--b1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n");
                form.push(&part);
            }
            let _ = form.finish();
        }
    }
}
