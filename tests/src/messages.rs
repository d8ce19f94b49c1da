//! A small HTTP/1.1 reader of whole streams, independent of the one that is tested: cuts a direction into bodies.

use anyhow::{Context, Result, bail};

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
}
