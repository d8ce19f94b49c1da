//! A small HTTP/2 encoder: frames, and header blocks with a dynamic table (RFC 7541 without Huffman code, which has tests of its own).

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn data(stream: u32, payload: &[u8], end: bool) -> Vec<u8> {
    frame(0, u8::from(end), stream, payload)
}

pub(crate) fn padded(stream: u32, payload: &[u8], pad: u8, end: bool) -> Vec<u8> {
    let payload = [&[pad], payload, &vec![0; usize::from(pad)]].concat();
    frame(0, 8 | u8::from(end), stream, &payload)
}

pub(crate) fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[0, 1, 0, 0, 16, 0, 0, 3, 0, 0, 0, 100])
}

pub(crate) fn window(stream: u32) -> Vec<u8> {
    frame(8, 0, stream, &[0, 1, 0, 0])
}

/// The header blocks of one direction.
#[derive(Default)]
pub(crate) struct Encoder {
    table: Vec<(String, String)>,
}

/// Names that are never put into the table.
const UNINDEXED: [&str; 2] = ["content-length", "authorization"];

impl Encoder {
    pub(crate) fn block(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            let known = self.table.iter().position(|entry| entry.0 == *name && entry.1 == *value);
            let fixed = match (*name, *value) {
                (":method", "GET") => Some(2),
                (":method", "POST") => Some(3),
                (":scheme", "https") => Some(7),
                (":status", "200") => Some(8),
                _ => None,
            };
            if let Some(index) = fixed.or(known.map(|at| at + 62)) {
                integer(&mut block, 0x80, 7, index);
                continue;
            }
            let index = match *name {
                ":authority" => 1,
                ":method" => 2,
                ":path" => 4,
                ":status" => 8,
                "content-length" => 28,
                "content-type" => 31,
                _ => 0,
            };
            if UNINDEXED.contains(name) {
                integer(&mut block, 0x10, 4, index);
            } else {
                integer(&mut block, 0x40, 6, index);
                self.table.insert(0, ((*name).to_owned(), (*value).to_owned()));
            }
            if index == 0 {
                string(&mut block, name);
            }
            string(&mut block, value);
        }
        block
    }

    /// A HEADERS frame.
    pub(crate) fn headers(&mut self, stream: u32, fields: &[(&str, &str)], end: bool) -> Vec<u8> {
        let block = self.block(fields);
        frame(1, 4 | u8::from(end), stream, &block)
    }

    /// The same in several frames, padded and with a priority.
    pub(crate) fn cut_headers(&mut self, stream: u32, fields: &[(&str, &str)], end: bool) -> Vec<u8> {
        let block = self.block(fields);
        let (first, rest) = block.split_at(block.len() / 3);
        let (second, third) = rest.split_at(rest.len() / 2);
        let payload = [&[3], &[0, 0, 0, 0, 15][..], first, &[0; 3]].concat();
        [
            frame(1, 0x28 | u8::from(end), stream, &payload),
            frame(9, 0, stream, second),
            frame(9, 4, stream, third),
        ]
        .concat()
    }

    pub(crate) fn post(&mut self, stream: u32, length: usize) -> Vec<u8> {
        let length = length.to_string();
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api.example.com"),
            (":path", "/v1/chat"),
            ("content-type", "application/json"),
            ("content-length", &length),
        ];
        self.headers(stream, &fields, length == "0")
    }

    pub(crate) fn ok(&mut self, stream: u32, media_type: &str) -> Vec<u8> {
        self.headers(stream, &[(":status", "200"), ("content-type", media_type), ("server", "test")], false)
    }
}

fn integer(block: &mut Vec<u8>, flags: u8, prefix: u8, mut value: usize) {
    let most = (1 << prefix) - 1;
    let byte = |value: usize| u8::try_from(value).unwrap_or(0);
    if value < most {
        block.push(flags | byte(value));
        return;
    }
    block.push(flags | byte(most));
    value -= most;
    while value >= 128 {
        block.push(0x80 | byte(value % 128));
        value /= 128;
    }
    block.push(byte(value));
}

fn string(block: &mut Vec<u8>, text: &str) {
    integer(block, 0, 7, text.len());
    block.extend_from_slice(text.as_bytes());
}
