//! A response body that pauses between its pieces.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// The pieces, each after its pause. The server flushes whenever it has to wait, so a pause separates writes.
#[derive(Debug)]
pub(super) struct Paced {
    pieces: VecDeque<(Duration, Bytes)>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Total length, when the message is sent with one.
    length: Option<u64>,
}

impl Paced {
    pub(super) fn new(pieces: Vec<(Duration, Bytes)>, with_length: bool) -> Self {
        let length = pieces.iter().map(|(_, piece)| piece.len() as u64).sum();
        Self { pieces: pieces.into(), sleep: None, length: with_length.then_some(length) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some((pause, _)) = self.pieces.front() else { return Poll::Ready(None) };
        if !pause.is_zero() {
            let pause = *pause;
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            ready!(sleep.as_mut().poll(context));
            self.sleep = None;
        }
        let piece = self.pieces.pop_front().map(|(_, piece)| piece).unwrap_or_default();
        if let Some(left) = &mut self.length {
            *left -= piece.len() as u64;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Compresses the pieces as one gzip member, flushed after each, so that every piece can be decoded when it arrives.
pub(super) fn gzip(pieces: Vec<Bytes>) -> Result<Vec<Bytes>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut packed = Vec::new();
    for piece in pieces {
        encoder.write_all(&piece).context("gzip")?;
        encoder.flush().context("gzip")?;
        packed.push(Bytes::from(std::mem::take(encoder.get_mut())));
    }
    let tail = encoder.finish().context("gzip")?;
    packed.push(Bytes::from(tail));
    Ok(packed)
}
