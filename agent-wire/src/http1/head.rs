//! Message heads: where one ends, and what it says.

use std::borrow::Cow;

use httparse::{EMPTY_HEADER, Error, Header, ParserConfig, Status};

use crate::exchange::{Nanos, RequestHead, ResponseHead, Version};
use crate::headers::Headers;

/// Header counts tried one after the other: most heads fit the first.
const MAX_FIELDS: [usize; 2] = [64, 512];

/// Longest method token taken for one; the IANA registry's longest has 17 characters.
const MAX_METHOD: u8 = 24;

/// Which heads may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
    /// Not known yet.
    Either,
}

/// A head being collected. Nothing is searched twice and nothing is copied when the head lies whole in one piece.
#[derive(Debug, Default)]
pub(crate) struct HeadBuffer {
    buffer: Vec<u8>,
    /// Time of the first byte, when there was one.
    started: Option<Nanos>,
    start: Start,
    end: End,
}

/// What a piece of input brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Collected<'a> {
    /// No end yet; all input is taken.
    More,
    /// A whole head, and how many bytes of the input belong to it or precede it.
    Head(Cow<'a, [u8]>, usize),
    /// This is no head, or a too long one: what was collected of it, and how many bytes of the input belong to that or precede it. They
    /// may be none.
    NoHead(Vec<u8>, usize),
}

impl HeadBuffer {
    /// Time of the first byte, once there was one.
    pub(crate) fn started(&self) -> Option<Nanos> {
        self.started
    }

    /// Whether a message has begun: line ends in front of one do not count.
    pub(crate) fn is_empty(&self) -> bool {
        self.started.is_none()
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Takes input. After anything but `More` a new buffer must be used.
    pub(crate) fn push<'a>(&mut self, input: &'a [u8], side: Side, max: usize, at: Nanos) -> Collected<'a> {
        // RFC 9112 section 2.2: empty lines before a request line are ignored; we are as lenient with responses.
        let blank = if self.is_empty() {
            input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
        } else {
            0
        };
        let input = input.get(blank..).unwrap_or_default();
        if input.is_empty() {
            return Collected::More;
        }
        self.started.get_or_insert(at);
        if !self.start.check(input, side) {
            return Collected::NoHead(std::mem::take(&mut self.buffer), blank);
        }
        let end = self.end.find(input);
        let length = end.unwrap_or(input.len());
        let room = max.saturating_sub(self.buffer.len());
        if length > room {
            self.buffer.extend(input.iter().take(room));
            return Collected::NoHead(std::mem::take(&mut self.buffer), blank + room);
        }
        let head = input.get(..length).unwrap_or_default();
        match end {
            None => {
                self.buffer.extend_from_slice(head);
                Collected::More
            }
            Some(_) if self.buffer.is_empty() => Collected::Head(Cow::Borrowed(head), blank + length),
            Some(_) => {
                self.buffer.extend_from_slice(head);
                Collected::Head(Cow::Owned(std::mem::take(&mut self.buffer)), blank + length)
            }
        }
    }
}

/// Checks the beginning of a start line byte by byte, so that what is no HTTP is not collected.
#[derive(Debug, Default)]
struct Start {
    seen: u8,
    decided: bool,
    no_request: bool,
    no_response: bool,
}

impl Start {
    fn check(&mut self, input: &[u8], side: Side) -> bool {
        self.no_request |= side == Side::Response;
        self.no_response |= side == Side::Request;
        for &byte in input {
            if self.decided {
                return true;
            }
            let status = b"HTTP/1.";
            self.no_response |= status.get(usize::from(self.seen)) != Some(&byte);
            let method_end = byte == b' ' && self.seen > 0 && !self.no_request;
            self.no_request |= !method_end && (!is_token(byte) || self.seen >= MAX_METHOD);
            if self.no_request && self.no_response {
                return false;
            }
            self.seen += 1;
            self.decided = method_end || (!self.no_response && usize::from(self.seen) == status.len());
        }
        true
    }
}

/// Finds the blank line that ends a head, over pieces, looking at every byte once.
#[derive(Debug, Default, Clone, Copy)]
enum End {
    /// Inside a line.
    #[default]
    Line,
    /// Behind a line feed.
    Feed,
    /// Behind a line feed and a carriage return.
    FeedReturn,
}

impl End {
    /// Length of `input` up to and with the line feed of the blank line.
    fn find(&mut self, input: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            match (*self, rest.first()) {
                (_, None) => return None,
                (Self::Feed | Self::FeedReturn, Some(b'\n')) => return Some(at + 1),
                (Self::Feed, Some(b'\r')) => {
                    *self = Self::FeedReturn;
                    at += 1;
                }
                _ => match memchr::memchr(b'\n', rest) {
                    Some(feed) => {
                        *self = Self::Feed;
                        at += feed + 1;
                    }
                    None => {
                        *self = Self::Line;
                        return None;
                    }
                },
            }
        }
    }
}

/// A parsed head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Request(RequestHead),
    Response(ResponseHead),
}

/// Parses a whole head. `strict` refuses lines that are no fields, for heads that were found by searching.
pub(crate) fn parse(head: &[u8], strict: bool) -> Option<Head> {
    let head = unfold(head);
    MAX_FIELDS.into_iter().find_map(|count| match parse_with(&head, count, strict) {
        Err(Error::TooManyHeaders) => None,
        result => Some(result.ok().flatten()),
    })?
}

fn parse_with(head: &[u8], count: usize, strict: bool) -> Result<Option<Head>, Error> {
    let mut config = ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(!strict);
    config.allow_multiple_spaces_in_request_line_delimiters(!strict);
    config.allow_multiple_spaces_in_response_status_delimiters(!strict);
    config.ignore_invalid_headers_in_requests(!strict);
    config.ignore_invalid_headers_in_responses(!strict);
    let mut fields = vec![EMPTY_HEADER; count];
    if head.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut fields);
        let complete = config.parse_response(&mut response, head)?.is_complete();
        let (Some(status), Some(minor), true) = (response.code, response.version, complete) else {
            return Ok(None);
        };
        let headers = to_headers(response.headers);
        Ok(Some(Head::Response(ResponseHead { status, version: version(minor), headers })))
    } else {
        let mut request = httparse::Request::new(&mut fields);
        let complete = config.parse_request(&mut request, head)?.is_complete();
        let (Some(method), Some(target), Some(minor), true) =
            (request.method, request.path, request.version, complete)
        else {
            return Ok(None);
        };
        Ok(Some(Head::Request(RequestHead {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version(minor),
            headers: to_headers(request.headers),
        })))
    }
}

/// Parses a trailer section, blank line included.
pub(crate) fn parse_trailers(section: &[u8]) -> Option<Headers> {
    let section = unfold(section);
    MAX_FIELDS.into_iter().find_map(|count| {
        let mut fields = vec![EMPTY_HEADER; count];
        match httparse::parse_headers(&section, &mut fields) {
            Err(Error::TooManyHeaders) => None,
            Ok(Status::Complete((_, fields))) => Some(Some(to_headers(fields))),
            Ok(Status::Partial) | Err(_) => Some(None),
        }
    })?
}

fn version(minor: u8) -> Version {
    if minor == 0 { Version::Http10 } else { Version::Http11 }
}

fn to_headers(fields: &[Header<'_>]) -> Headers {
    fields.iter().map(|field| (field.name, String::from_utf8_lossy(field.value))).collect()
}

/// Joins folded lines (RFC 9112 section 5.2) with a space, as a recipient must.
fn unfold(head: &[u8]) -> Cow<'_, [u8]> {
    let is_fold = |feed: usize| matches!(head.get(feed + 1), Some(b' ' | b'\t'));
    if !memchr::memchr_iter(b'\n', head).any(is_fold) {
        return Cow::Borrowed(head);
    }
    let mut whole: Vec<u8> = Vec::with_capacity(head.len());
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            while matches!(whole.last(), Some(b'\r' | b'\n' | b' ' | b'\t')) {
                whole.pop();
            }
            whole.push(b' ');
            whole.extend_from_slice(line.trim_ascii_start());
            if line.trim_ascii().is_empty() {
                whole.extend_from_slice(b"\r\n");
            }
        } else {
            whole.extend_from_slice(line);
        }
    }
    Cow::Owned(whole)
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(pieces: &[&[u8]], side: Side, max: usize) -> Option<(Vec<u8>, usize)> {
        let mut buffer = HeadBuffer::default();
        for piece in pieces {
            match buffer.push(piece, side, max, 1) {
                Collected::More => {}
                Collected::Head(head, taken) => return Some((head.into_owned(), taken)),
                Collected::NoHead(..) => return None,
            }
        }
        None
    }

    #[test]
    fn finds_the_end_wherever_it_is_cut() {
        for head in
            [&b"GET / HTTP/1.1\r\nA: b\r\n\r\n"[..], b"GET / HTTP/1.1\nA: b\n\n", b"GET / HTTP/1.1\n\r\n"]
        {
            let mut input = b"\r\n\n".to_vec();
            input.extend_from_slice(head);
            input.extend_from_slice(b"rest");
            for cut in 0..input.len() {
                let pieces = [&input[..cut], &input[cut..]];
                let found = collect(&pieces, Side::Request, 100).map(|(head, _)| head);
                assert_eq!(found.as_deref(), Some(head), "cut at {cut}");
            }
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            assert_eq!(collect(&bytes, Side::Either, 100).map(|(head, _)| head).as_deref(), Some(head));
        }
    }

    #[test]
    fn what_is_no_head_is_not_collected() {
        for garbage in
            [&b"\x16\x03\x01"[..], b"{\"a\"", b" GET", b"HTTP/2", b"ATOKENTHATISMUCHTOOLONGFORAMETHOD "]
        {
            assert_eq!(collect(&[garbage], Side::Either, 100), None, "{garbage:?}");
        }
        let mut buffer = HeadBuffer::default();
        assert!(matches!(buffer.push(b"GET / ", Side::Response, 100, 1), Collected::NoHead(..)));
        let mut buffer = HeadBuffer::default();
        assert!(
            matches!(buffer.push(b"HTTP/1.1 200", Side::Either, 8, 1), Collected::NoHead(head, 8) if head == b"HTTP/1.1")
        );
    }

    #[test]
    fn parses_what_peers_send() {
        let Some(Head::Request(head)) =
            parse(b"POST /v1?x HTTP/1.1\nHost: a\r\nX-Long: one\r\n\t two\r\nX-Bin: \xff\r\n\r\n", false)
        else {
            panic!("no request")
        };
        assert_eq!(
            (head.method.as_str(), head.target.as_str(), head.version),
            ("POST", "/v1?x", Version::Http11)
        );
        assert_eq!(head.headers.get("x-long"), Some("one two"));
        assert_eq!(head.headers.get("x-bin"), Some("\u{fffd}"));
        let Some(Head::Response(head)) = parse(b"HTTP/1.0 404\r\nContent-Length : 3\r\n\r\n", false) else {
            panic!("no response")
        };
        assert_eq!(
            (head.status, head.version, head.headers.get("content-length")),
            (404, Version::Http10, Some("3"))
        );
        let many: String = (0..400).map(|n| format!("h{n}: {n}\r\n")).collect();
        let Some(Head::Request(head)) = parse(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes(), false)
        else {
            panic!("no request")
        };
        assert_eq!(head.headers.len(), 400);
        assert_eq!(parse(b"GET / HTTP/1.1\r\nGET / HTTP/1.1\r\n\r\n", true), None);
    }
}
