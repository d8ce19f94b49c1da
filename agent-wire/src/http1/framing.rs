//! How long a message body is (RFC 9112 section 6.3).

use crate::exchange::{RequestHead, ResponseHead};
use crate::headers::Headers;

/// The length of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// That many bytes; 0 when there is no body.
    Known(u64),
    /// Chunked transfer coding.
    Chunked,
    /// All until the sender closes.
    UntilClose,
    /// The fields contradict themselves: the end cannot be known.
    Invalid,
}

/// The request method, as far as it matters to the framing of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// HEAD: the response has no body whatever its fields say.
    Head,
    /// CONNECT: a 2xx response leaves HTTP.
    Connect,
    /// Any other.
    Other,
}

impl Method {
    pub(crate) fn new(method: &str) -> Self {
        match method {
            "HEAD" => Self::Head,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// Transfer codings of a message, lower case, in the order in which they were applied, without `identity` (RFC 2616) and parameters.
fn transfer_codings(headers: &Headers) -> Vec<String> {
    let names = headers.get_all("transfer-encoding").flat_map(|value| value.split(','));
    let names = names.map(|name| name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty() && name != "identity").collect()
}

/// Transfer codings other than chunked: they are undone like content codings.
pub(crate) fn other_transfer_codings(headers: &Headers) -> Vec<String> {
    transfer_codings(headers).into_iter().filter(|name| name != "chunked").collect()
}

/// Body length of a request.
pub(crate) fn request_length(head: &RequestHead) -> Length {
    if Method::new(&head.method) == Method::Connect {
        return Length::Known(0);
    }
    match transfer_length(&head.headers) {
        // A request whose last coding is not chunked has no end (section 6.3, item 4).
        Some(Length::UntilClose) => Length::Invalid,
        Some(length) => length,
        None => content_length(&head.headers).unwrap_or(Length::Known(0)),
    }
}

/// Body length of a final response to a request of that method. Not for responses that leave HTTP.
pub(crate) fn response_length(method: Method, head: &ResponseHead) -> Length {
    if method == Method::Head || matches!(head.status, 100..=199 | 204 | 304) {
        return Length::Known(0);
    }
    match transfer_length(&head.headers) {
        Some(length) => length,
        None => content_length(&head.headers).unwrap_or(Length::UntilClose),
    }
}

/// Whether a response ends the use of HTTP on its connection.
pub(crate) fn leaves_http(method: Method, status: u16) -> bool {
    status == 101 || (method == Method::Connect && (200..300).contains(&status))
}

/// Transfer-Encoding overrides Content-Length (section 6.3, item 3).
fn transfer_length(headers: &Headers) -> Option<Length> {
    let codings = transfer_codings(headers);
    let chunked = codings.iter().filter(|name| *name == "chunked").count();
    match (codings.last(), chunked) {
        (None, _) => None,
        (Some(last), 1) if last == "chunked" => Some(Length::Chunked),
        (Some(_), 0) => Some(Length::UntilClose),
        // Chunked twice, or under another coding: section 7 forbids both.
        (Some(_), _) => Some(Length::Invalid),
    }
}

/// Several equal values count as one; different or malformed ones as none (section 6.3, item 5).
fn content_length(headers: &Headers) -> Option<Length> {
    let mut values = headers.get_all("content-length").flat_map(|value| value.split(',')).map(str::trim);
    let first = number(values.next()?);
    let same = values.all(|value| number(value) == first);
    Some(match first {
        Some(bytes) if same => Length::Known(bytes),
        _ => Length::Invalid,
    })
}

fn number(value: &str) -> Option<u64> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    if digits { value.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Version;

    fn request(method: &str, fields: &[(&str, &str)]) -> Length {
        let headers = fields.iter().copied().collect();
        request_length(&RequestHead {
            method: method.into(),
            target: "/".into(),
            version: Version::Http11,
            headers,
        })
    }

    fn response(method: Method, status: u16, fields: &[(&str, &str)]) -> Length {
        let headers = fields.iter().copied().collect();
        response_length(method, &ResponseHead { status, version: Version::Http11, headers })
    }

    #[test]
    fn requests() {
        assert_eq!(request("GET", &[]), Length::Known(0));
        assert_eq!(request("POST", &[("Content-Length", "12")]), Length::Known(12));
        assert_eq!(
            request("POST", &[("content-length", "12, 12"), ("Content-Length", "12")]),
            Length::Known(12)
        );
        assert_eq!(request("POST", &[("content-length", "12"), ("Content-Length", "13")]), Length::Invalid);
        for bad in ["", "+1", "-1", "1 2", "0x10", "18446744073709551616"] {
            assert_eq!(request("POST", &[("Content-Length", bad)]), Length::Invalid, "{bad}");
        }
        assert_eq!(
            request("POST", &[("Content-Length", "5"), ("Transfer-Encoding", "Chunked")]),
            Length::Chunked
        );
        assert_eq!(request("POST", &[("Transfer-Encoding", "gzip, chunked")]), Length::Chunked);
        assert_eq!(request("POST", &[("Transfer-Encoding", "gzip")]), Length::Invalid);
        assert_eq!(request("POST", &[("Transfer-Encoding", "chunked, chunked")]), Length::Invalid);
        assert_eq!(request("POST", &[("Transfer-Encoding", "chunked, gzip")]), Length::Invalid);
        assert_eq!(
            request("POST", &[("Transfer-Encoding", "identity"), ("Content-Length", "3")]),
            Length::Known(3)
        );
        assert_eq!(request("CONNECT", &[("Content-Length", "3")]), Length::Known(0));
    }

    #[test]
    fn responses() {
        let length = [("Content-Length", "9")];
        assert_eq!(response(Method::Other, 200, &length), Length::Known(9));
        assert_eq!(response(Method::Head, 200, &length), Length::Known(0));
        assert_eq!(response(Method::Other, 204, &length), Length::Known(0));
        assert_eq!(response(Method::Other, 304, &length), Length::Known(0));
        assert_eq!(response(Method::Other, 200, &[]), Length::UntilClose);
        assert_eq!(response(Method::Other, 200, &[("Transfer-Encoding", "gzip")]), Length::UntilClose);
        assert_eq!(
            response(Method::Other, 200, &[("Transfer-Encoding", "chunked"), ("Content-Length", "1")]),
            Length::Chunked
        );
        assert!(leaves_http(Method::Other, 101) && leaves_http(Method::Connect, 200));
        assert!(!leaves_http(Method::Connect, 407) && !leaves_http(Method::Other, 200));
        let head: Headers = [("transfer-encoding", "gzip, chunked")].into_iter().collect();
        assert_eq!(other_transfer_codings(&head), ["gzip"]);
    }
}
