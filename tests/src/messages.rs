//! Small readers of whole streams, HTTP/1.1 and HTTP/2, independent of those that are tested: they cut a direction into bodies.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Request line or status line.
    pub start_line: String,
    /// Body, transfer coding removed.
    pub body: Vec<u8>,
}

/// Every message of one direction, to the last byte.
///
/// # Errors
/// When the bytes are no sequence of whole HTTP/1.1 messages.
pub fn split(mut bytes: &[u8]) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (message, rest) = one(bytes).with_context(|| format!("message {}", messages.len()))?;
        bytes = rest;
        if !message.start_line.starts_with("HTTP/1.1 1") {
            messages.push(message);
        }
    }
    Ok(messages)
}

/// What a client of HTTP/2 begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The bodies of one direction of an HTTP/2 connection, one for each stream that has a head.
///
/// # Errors
/// When the bytes are no sequence of frames, or a message in them has no end.
pub fn http2(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const END_STREAM: u8 = 1;
    const PADDED: u8 = 8;
    let mut bytes = bytes.strip_prefix(PREFACE).unwrap_or(bytes);
    let mut bodies: BTreeMap<u32, (Vec<u8>, bool)> = BTreeMap::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let [a, b, c, kind, flags, stream @ ..] = *head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let (payload, after) =
            rest.split_at_checked(usize::try_from(length)?).context("a frame that is cut off")?;
        bytes = after;
        if kind != DATA && kind != HEADERS {
            continue;
        }
        let (body, ended) = bodies.entry(u32::from_be_bytes(stream) & 0x7fff_ffff).or_default();
        *ended |= flags & END_STREAM != 0;
        if kind == DATA && flags & PADDED == 0 {
            body.extend_from_slice(payload);
        } else if kind == DATA {
            let (padding, data) = payload.split_first().context("a padded frame without padding")?;
            let length = data.len().checked_sub(usize::from(*padding)).context("more padding than frame")?;
            body.extend(data.iter().take(length));
        }
    }
    ensure!(bytes.is_empty(), "a frame head that is cut off");
    ensure!(bodies.values().all(|(_, ended)| *ended), "a message without an end");
    Ok(bodies.into_values().map(|(body, _)| body).collect())
}

fn one(bytes: &[u8]) -> Result<(Message, &[u8])> {
    let end = find(bytes, b"\r\n\r\n").context("a head without an end")?;
    let (head, rest) = bytes.split_at(end + 4);
    let head = std::str::from_utf8(head).context("a head that is no text")?;
    let start_line = head.lines().next().unwrap_or_default().to_owned();
    let field = |wanted: &str| {
        head.lines().skip(1).filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_ascii_lowercase())
        })
    };
    let (body, rest) = if field("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        chunked(rest)?
    } else if let Some(length) = field("content-length") {
        let length: usize = length.parse().context("content-length")?;
        if length > rest.len() {
            bail!("`{start_line}` has {} of {length} bytes", rest.len());
        }
        let (body, rest) = rest.split_at(length);
        (body.to_vec(), rest)
    } else {
        (Vec::new(), rest)
    };
    Ok((Message { start_line, body }, rest))
}

fn chunked(mut bytes: &[u8]) -> Result<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let line = find(bytes, b"\r\n").context("a chunk without a size")?;
        let (size, rest) = bytes.split_at(line);
        let size = std::str::from_utf8(size).context("chunk size")?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .context("chunk size")?;
        let chunk = rest.get(2..2 + size).with_context(|| format!("a chunk of {size} bytes is cut off"))?;
        body.extend_from_slice(chunk);
        bytes = rest.get(2 + size..).unwrap_or_default();
        bytes = bytes
            .strip_prefix(b"\r\n")
            .context("a chunk without an end, or trailers, which the stand-in never sends")?;
        if size == 0 {
            return Ok((body, bytes));
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_chunks_are_followed() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\
                      HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\n\r\n";
        let bodies: Vec<Vec<u8>> = split(bytes).unwrap().into_iter().map(|message| message.body).collect();
        assert_eq!(bodies, [b"abc".to_vec(), b"def".to_vec()]);
    }

    #[test]
    fn a_cut_is_an_error() {
        assert!(split(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab").is_err());
        assert!(split(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nd").is_err());
        assert!(split(b"HTTP/1.1 200").is_err());
    }

    #[test]
    fn frames_are_cut_into_bodies() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]); // SETTINGS
        bytes.extend([0, 0, 1, 1, 4, 0, 0, 0, 1, 0x82]);
        bytes.extend([0, 0, 1, 1, 5, 0, 0, 0, 3, 0x82]); // no body
        bytes.extend([0, 0, 2, 0, 0, 0, 0, 0, 1, b'a', b'b']);
        bytes.extend([0, 0, 4, 0, 9, 0, 0, 0, 1, 2, b'c', 0, 0]); // padded, the end
        assert_eq!(http2(&bytes).unwrap(), [b"abc".to_vec(), Vec::new()]);
        assert!(http2(&bytes[..bytes.len() - 1]).is_err(), "cut off");
        assert!(http2(&bytes[..bytes.len() - 13]).is_err(), "without an end");
    }
}
