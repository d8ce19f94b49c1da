//! How a body is cut into items: by its media type, corrected by its first bytes.

use crate::eventstream::starts_with_prelude;
use crate::exchange::BodyKind;
use crate::headers::Headers;

/// Blank bytes looked past before the media type is believed.
const MAX_BLANK: usize = 64;

/// Media types that say nothing.
const VAGUE: [&str; 4] = ["", "text/plain", "application/octet-stream", "binary/octet-stream"];

/// What a body says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Declared {
    kind: BodyKind,
    /// Server-sent events may be hidden under this type.
    may_be_events: bool,
    /// Messages of an AWS event stream may be hidden under this type.
    may_be_messages: bool,
    /// A JSON array of objects is a stream of them.
    may_be_array: bool,
}

impl Declared {
    /// From the Content-Type field. Only responses are server-sent events under another type.
    pub(crate) fn new(headers: &Headers, response: bool) -> Self {
        let media_type = headers.get("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let kind = match media_type.as_str() {
            "text/event-stream" => BodyKind::Sse,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonl"
            | "application/stream+json" => BodyKind::Ndjson,
            "application/vnd.amazon.eventstream" => BodyKind::EventStream,
            _ if is_grpc(&media_type) => BodyKind::Grpc,
            _ => BodyKind::Whole,
        };
        let vague = VAGUE.contains(&media_type.as_str());
        let may_be_events = response
            && (vague
                || media_type.contains("json") && kind != BodyKind::Grpc
                || kind == BodyKind::EventStream);
        let may_be_array = kind == BodyKind::Whole && (media_type.is_empty() || media_type.contains("json"));
        Self { kind, may_be_events, may_be_messages: vague, may_be_array }
    }

    /// Decides by the first decoded bytes; `None` asks for more. With `last` there are no more.
    pub(crate) fn settle(self, first: &[u8], last: bool) -> Option<BodyKind> {
        let undecided = if last { Some(self.kind) } else { None };
        if self.may_be_messages {
            match starts_with_prelude(first) {
                Some(true) => return Some(BodyKind::EventStream),
                Some(false) => {}
                None if last => {}
                None => return None,
            }
        }
        // Only these beliefs can be overturned by text.
        let believed = !matches!(self.kind, BodyKind::Sse | BodyKind::EventStream);
        if believed && !self.may_be_events && !self.may_be_array {
            return Some(self.kind);
        }
        let marked = b"\xef\xbb\xbf";
        if first.len() < marked.len() && marked.starts_with(first) {
            return undecided;
        }
        let unmarked = first.strip_prefix(marked).unwrap_or(first);
        let text = unmarked.trim_ascii_start();
        // Whatever follows them: else the answer would depend on how much of the body is here already.
        if unmarked.len() - text.len() > MAX_BLANK {
            return Some(self.kind);
        }
        let Some(initial) = text.first() else { return undecided };
        // Errors in JSON or HTML under the type of a stream.
        if !believed && matches!(initial, b'{' | b'[' | b'<') {
            return Some(BodyKind::Whole);
        }
        if self.may_be_array
            && let Some(inside) = text.strip_prefix(b"[")
        {
            let element = inside.trim_ascii_start();
            return match element.first() {
                _ if inside.len() - element.len() > MAX_BLANK => Some(self.kind),
                Some(b'{') => Some(BodyKind::JsonArray),
                Some(_) => Some(self.kind),
                None => undecided,
            };
        }
        if !self.may_be_events {
            return Some(self.kind);
        }
        for name in [&b":"[..], b"data:", b"event:", b"id:", b"retry:"] {
            if text.starts_with(name) {
                return Some(BodyKind::Sse);
            }
            if name.starts_with(text) && !last {
                return None;
            }
        }
        Some(self.kind)
    }
}

/// `application/grpc` and `application/grpc+proto`, not `application/grpc-web`, whose body is framed otherwise.
fn is_grpc(media_type: &str) -> bool {
    media_type.strip_prefix("application/grpc").is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(media_type: &str, response: bool) -> Declared {
        Declared::new(&[("Content-Type", media_type)].into_iter().collect(), response)
    }

    #[test]
    fn media_types_name_the_kind() {
        for (media_type, first, kind) in [
            ("text/event-stream; charset=utf-8", "data: x", BodyKind::Sse),
            ("Text/Event-Stream", "\n: ping", BodyKind::Sse),
            ("application/x-ndjson", "{", BodyKind::Ndjson),
            ("application/stream+json", "{", BodyKind::Ndjson),
            ("application/jsonl", "{", BodyKind::Ndjson),
            ("application/json", "{", BodyKind::Whole),
            ("application/grpc", "data: x", BodyKind::Grpc),
            ("application/grpc+json", "\0\0", BodyKind::Grpc),
            ("application/grpc-web+proto", "\0\0", BodyKind::Whole),
            ("application/vnd.amazon.eventstream", "\0\0\0\u{1}", BodyKind::EventStream),
            ("", "{", BodyKind::Whole),
        ] {
            assert_eq!(
                declared(media_type, true).settle(first.as_bytes(), false),
                Some(kind),
                "{media_type}"
            );
        }
    }

    #[test]
    fn first_bytes_correct_the_media_type() {
        for (media_type, first, kind) in [
            ("application/json", "data: {}", BodyKind::Sse),
            ("application/json", "\u{feff}\r\nevent: x", BodyKind::Sse),
            ("", "id: 1", BodyKind::Sse),
            ("text/plain", ": hi", BodyKind::Sse),
            ("application/x-ndjson", "data: {}", BodyKind::Sse),
            ("text/event-stream", " {\"error\"", BodyKind::Whole),
            ("text/event-stream", "<html>", BodyKind::Whole),
            ("text/event-stream", "[", BodyKind::Whole),
            ("application/vnd.amazon.eventstream", "{\"message\"", BodyKind::Whole),
            ("application/vnd.amazon.eventstream", "data: {}", BodyKind::Sse),
            ("application/octet-stream", EMPTY_MESSAGE, BodyKind::EventStream),
            ("", EMPTY_MESSAGE, BodyKind::EventStream),
            ("", "\0\0\0\u{10}\0\0\0\0\u{1}\0\0\0", BodyKind::Whole),
            ("application/json", EMPTY_MESSAGE, BodyKind::Whole),
            ("text/html", "data: not events", BodyKind::Whole),
        ] {
            assert_eq!(
                declared(media_type, true).settle(first.as_bytes(), false),
                Some(kind),
                "{media_type} {first}"
            );
        }
        assert_eq!(declared("application/json", false).settle(b"data: x", false), Some(BodyKind::Whole));
    }

    /// Prelude of a message with a payload of 3 bytes and no headers; its checksum happens to be ASCII.
    const EMPTY_MESSAGE: &str = "\u{0}\u{0}\u{0}\u{13}\u{0}\u{0}\u{0}\u{0}\u{42}\u{62}\u{32}\u{3b}";

    #[test]
    fn arrays_of_objects_are_streams() {
        for (media_type, first, kind) in [
            ("application/json; charset=UTF-8", "[{", BodyKind::JsonArray),
            ("application/json", "\u{feff}\r\n[\n  {\"a\"", BodyKind::JsonArray),
            ("", "[ {", BodyKind::JsonArray),
            ("application/json", "[1", BodyKind::Whole),
            ("application/json", "[]", BodyKind::Whole),
            ("application/json", "[[{", BodyKind::Whole),
            ("application/json", "[\"a\"", BodyKind::Whole),
            ("application/x-ndjson", "[{", BodyKind::Ndjson),
            ("text/plain", "[{", BodyKind::Whole),
        ] {
            for response in [true, false] {
                let declared = declared(media_type, response);
                let text = first.as_bytes();
                assert_eq!(declared.settle(text, false), Some(kind), "{media_type} {first}");
                for cut in 0..text.len() {
                    let early = declared.settle(&text[..cut], false);
                    assert!(
                        early.is_none_or(|early| early == kind),
                        "{media_type} {first} cut at {cut}: {early:?}"
                    );
                }
            }
        }
        for first in ["", "[", " [ \n"] {
            assert_eq!(declared("application/json", false).settle(first.as_bytes(), false), None, "{first}");
            assert_eq!(
                declared("application/json", false).settle(first.as_bytes(), true),
                Some(BodyKind::Whole),
                "{first}"
            );
        }
        let wide = [b"[", &[b' '; 100][..], b"{"].concat();
        assert_eq!(declared("", true).settle(&wide, false), Some(BodyKind::Whole));
    }

    #[test]
    fn decides_only_when_it_can() {
        let json = declared("application/json", true);
        for first in ["", "d", "data", "e", "retry", " \n", "\u{feff}"] {
            assert_eq!(json.settle(first.as_bytes(), false), None, "{first}");
            assert_eq!(json.settle(first.as_bytes(), true), Some(BodyKind::Whole), "{first}");
        }
        assert_eq!(json.settle(b"dx", false), Some(BodyKind::Whole));
        assert_eq!(json.settle(&[b' '; 100], false), Some(BodyKind::Whole));
        let late = [&[b'\t'; 88][..], b": events"].concat();
        assert_eq!(json.settle(&late, false), Some(BodyKind::Whole));
        let untyped = declared("", true);
        assert_eq!(untyped.settle(&EMPTY_MESSAGE.as_bytes()[..11], false), None);
        assert_eq!(untyped.settle(&EMPTY_MESSAGE.as_bytes()[..11], true), Some(BodyKind::Whole));
    }
}
