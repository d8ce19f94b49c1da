//! Trace and span ids: derived, so that a replay gives the same, and joined to the application's own trace.

use sha2::{Digest, Sha256};

/// Ids of one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanIds {
    /// Trace id; never all zero.
    pub trace_id: [u8; 16],
    /// Span id; never all zero.
    pub span_id: [u8; 8],
    /// The span that made the request, when the request said so.
    pub parent_span_id: Option<[u8; 8]>,
}

impl SpanIds {
    /// Ids from what identifies the exchange (connection and offsets, or a recording's id): SHA-256 of the seed, cut to length.
    ///
    /// A valid `traceparent` (W3C Trace Context section 3.2.2) gives the trace id and the parent; the span id stays our own.
    #[must_use]
    pub fn derive(seed: &[u8], traceparent: Option<&str>) -> Self {
        let digest: [u8; 32] =
            Sha256::new().chain_update(b"wirespan span ids\0").chain_update(seed).finalize().into();
        let mut trace_id = [0; 16];
        let mut span_id = [0; 8];
        for (to, from) in trace_id.iter_mut().chain(&mut span_id).zip(digest) {
            *to = from;
        }
        // All zero means "none" in OTLP. A digest is never so in practice; the standard still forbids it.
        if trace_id == [0; 16] {
            trace_id = [1; 16];
        }
        if span_id == [0; 8] {
            span_id = [1; 8];
        }
        match traceparent.and_then(parse) {
            Some((trace_id, parent)) => Self { trace_id, span_id, parent_span_id: Some(parent) },
            None => Self { trace_id, span_id, parent_span_id: None },
        }
    }
}

/// Trace id and parent id of a `traceparent` value.
fn parse(value: &str) -> Option<([u8; 16], [u8; 8])> {
    let mut fields = value.trim().split('-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let [version] = unhex::<1>(version)?;
    unhex::<1>(flags)?;
    // Later versions may append fields; version 00 has exactly four, and ff is no version.
    if version == 0xff || version == 0 && fields.next().is_some() {
        return None;
    }
    let (trace, parent) = (unhex::<16>(trace)?, unhex::<8>(parent)?);
    (trace != [0; 16] && parent != [0; 8]).then_some((trace, parent))
}

/// Lower-case hex of exactly `N` bytes.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut out = [0; N];
    for (to, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *to = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let ids = SpanIds::derive(b"a", None);
        assert_eq!(ids, SpanIds::derive(b"a", None));
        assert_ne!(ids, SpanIds::derive(b"b", None));
        assert_ne!(ids.trace_id[..8], ids.span_id);
    }

    #[test]
    fn an_incoming_context_is_joined() {
        let ids = SpanIds::derive(b"a", Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert_eq!(hex(&ids.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(ids.parent_span_id.map(|id| hex(&id)).as_deref(), Some("00f067aa0ba902b7"));
        for invalid in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(SpanIds::derive(b"a", Some(invalid)), SpanIds::derive(b"a", None), "{invalid}");
        }
        let later =
            SpanIds::derive(b"a", Some("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
        assert!(later.parent_span_id.is_some());
    }
}
