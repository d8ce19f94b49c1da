//! What a request wants of the stand-in, said in its path: `/gap=100/chunks=30/gzip/v1/chat/completions`.

use std::time::Duration;

/// Wishes for one answer. Segments before the API's own path set them; unknown segments are ignored, as a gateway's prefix would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// `gap=MS`: pause before each event of a stream.
    pub gap: Duration,
    /// `chunks=N`: content chunks of a stream.
    pub chunks: usize,
    /// `size=N`: bytes of text in the answer, instead of a few words.
    pub size: Option<usize>,
    /// `gzip`: the body is compressed.
    pub gzip: bool,
    /// `split`: the head, then the body, in TLS records of their own.
    pub split: bool,
    /// `piece=N`: the body in writes of N bytes, each in a TLS record of its own.
    pub piece: Option<usize>,
    /// `status=N`: an error of the provider with this status.
    pub status: Option<u16>,
    /// `break`: an error event inside the stream.
    pub error_in_stream: bool,
    /// `think`: the model's reasoning is part of the answer.
    pub think: bool,
    /// `search`: the provider searched the web before it answered.
    pub search: bool,
    /// `hold=MS`: pause before the first byte of the answer.
    pub hold: Duration,
    /// `gate`: no byte of the answer before the gate is open.
    pub gate: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            gap: Duration::ZERO,
            chunks: 6,
            size: None,
            gzip: false,
            split: false,
            piece: None,
            status: None,
            error_in_stream: false,
            think: false,
            search: false,
            hold: Duration::ZERO,
            gate: false,
        }
    }
}

impl Wish {
    /// Reads the segments of a path.
    #[must_use]
    pub fn from_path(path: &str) -> Self {
        let mut wish = Self::default();
        for segment in path.split('/') {
            let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
            let number = value.parse::<u64>().ok();
            let size = value.parse::<usize>().ok();
            match (name, number, size) {
                ("gap", Some(ms), _) => wish.gap = Duration::from_millis(ms),
                ("hold", Some(ms), _) => wish.hold = Duration::from_millis(ms),
                ("chunks", _, Some(count)) => wish.chunks = count,
                ("size", _, Some(bytes)) => wish.size = Some(bytes),
                ("piece", _, Some(bytes)) if bytes > 0 => wish.piece = Some(bytes),
                ("status", Some(status), _) => wish.status = u16::try_from(status).ok(),
                ("gzip", ..) => wish.gzip = true,
                ("split", ..) => wish.split = true,
                ("break", ..) => wish.error_in_stream = true,
                ("think", ..) => wish.think = true,
                ("search", ..) => wish.search = true,
                ("gate", ..) => wish.gate = true,
                _ => {}
            }
        }
        wish
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_wishes() {
        let wish = Wish::from_path("/gap=100/chunks=30/gzip/split/size=5/v1/chat/completions");
        assert_eq!(wish.gap, Duration::from_millis(100));
        assert_eq!((wish.chunks, wish.size, wish.gzip, wish.split), (30, Some(5), true, true));
        assert_eq!(Wish::from_path("/v1/messages"), Wish::default());
        assert_eq!(Wish::from_path("/piece=0/status=x/v1/messages"), Wish::default());
    }
}
