//! The fields of a header block as the head of a request or a response, or as trailers (RFC 9113 section 8.3, RFC 8441).

use crate::exchange::{RequestHead, ResponseHead, Version};
use crate::headers::Headers;

use super::hpack::Section;

/// Whose head a header block is. `None`: neither, so trailers (or what told it is unknown).
pub(super) fn is_request(section: &Section) -> Option<bool> {
    let has = |name: &str| section.get(name).is_some();
    match (has(":method") || has(":path") || has(":scheme") || has(":authority"), has(":status")) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

/// The head of a request. What is unknown is empty.
pub(super) fn request(section: Section) -> RequestHead {
    let take = |name: &str| section.get(name).map(str::to_owned);
    let method = take(":method").unwrap_or_default();
    // CONNECT without `:protocol` names no path (RFC 9113 section 8.5).
    let target = take(":path").or_else(|| take(":authority").filter(|_| method == "CONNECT"));
    let fields = section.fields.into_iter().filter(|(name, _)| name != ":method" && name != ":path");
    RequestHead {
        method,
        target: target.unwrap_or_default(),
        version: Version::Http2,
        headers: fields.collect(),
    }
}

/// The head of a response; its status is 0 when it is unknown.
pub(super) fn response(section: Section) -> ResponseHead {
    let status = section.get(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
    let fields = section.fields.into_iter().filter(|(name, _)| name != ":status");
    ResponseHead { status, version: Version::Http2, headers: fields.collect() }
}

/// A request whose head was not seen.
pub(super) fn unknown_request() -> RequestHead {
    request(Section::default())
}

/// Trailers. Pseudo fields have no place there.
pub(super) fn trailers(section: Section) -> Headers {
    section.fields.into_iter().filter(|(name, _)| !name.starts_with(':')).collect()
}

/// The trailers that a gRPC response without messages sends in its head ("Trailers-Only").
pub(super) fn grpc_trailers(headers: &Headers) -> Headers {
    if !headers.get("content-type").is_some_and(|kind| kind.starts_with("application/grpc")) {
        return Headers::new();
    }
    headers.iter().filter(|(name, _)| name.starts_with("grpc-")).collect()
}

/// The codings that a body may have when the field that would tell is unknown. Each is believed only when the bytes look like it.
pub(super) fn possible_codings(headers: &Headers, unknown: usize) -> Vec<String> {
    if unknown == 0 || headers.get("content-encoding").is_some() {
        return Vec::new();
    }
    ["br", "gzip", "zstd"].map(str::to_owned).to_vec()
}

/// The length of the body that the head announces.
pub(super) fn content_length(headers: &Headers) -> Option<u64> {
    headers.get("content-length")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(fields: &[(&str, &str)]) -> Section {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Section { fields: fields.collect(), ..Section::default() }
    }

    #[test]
    fn heads_and_trailers() {
        let post = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api.example:8443"),
            (":path", "/v1/x?y=1"),
            ("a", "b"),
        ];
        assert_eq!(is_request(&section(&post)), Some(true));
        let head = request(section(&post));
        assert_eq!((head.method.as_str(), head.path(), head.query()), ("POST", "/v1/x", Some("y=1")));
        assert_eq!(head.authority(), Some("api.example:8443"));
        assert_eq!(head.headers.len(), 3);
        let connect = request(section(&[(":method", "CONNECT"), (":authority", "a:1")]));
        assert_eq!(connect.target, "a:1");
        let socket =
            [(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/w"), (":authority", "a")];
        let socket = request(section(&socket));
        assert_eq!((socket.target.as_str(), socket.headers.get(":protocol")), ("/w", Some("websocket")));
        let ok = section(&[(":status", "200"), ("server", "x")]);
        assert_eq!(is_request(&ok), Some(false));
        assert_eq!((response(ok.clone()).status, response(ok).headers.len()), (200, 1));
        assert_eq!(response(section(&[("server", "x")])).status, 0);
        let end = section(&[("grpc-status", "0"), (":status", "200")]);
        assert_eq!(trailers(end).iter().collect::<Vec<_>>(), [("grpc-status", "0")]);
        assert_eq!(is_request(&section(&[("grpc-status", "0")])), None);
    }

    #[test]
    fn grpc_may_answer_with_nothing_but_a_head() {
        let fields = [("content-type", "application/grpc+proto"), ("grpc-status", "5"), ("server", "x")];
        let head: Headers = fields.into_iter().collect();
        assert_eq!(grpc_trailers(&head).iter().collect::<Vec<_>>(), [("grpc-status", "5")]);
        assert!(grpc_trailers(&[("grpc-status", "5")].into_iter().collect()).is_empty());
    }
}
