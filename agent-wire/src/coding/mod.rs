//! Content codings undone as the bytes arrive: a chain of stages, each handing on what its input allows at once.

mod brotli;
mod deflate;
mod detect;
mod gzip;
mod stage;
#[cfg(test)]
mod tests;
mod zstd;

pub(crate) use deflate::{INFLATE_BYTES, inflate};
use detect::Kind;
use stage::Stage;

/// Most codings that one body may carry on top of each other; more than that is an attack, not a body.
const MAX_STAGES: usize = 4;

/// Output buffer of one decoding step; on the stack, so that an idle stream holds none.
const SCRATCH: usize = 8 << 10;

/// Why a chain stopped.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The receiver wants no more.
    #[error("the rest is not wanted")]
    Unwanted,
    /// More than [`crate::Limits::max_decoded`] bytes came out.
    #[error(
        "the body decodes to more than {0} bytes, the limit for one body; the rest is counted, not decoded"
    )]
    TooMuch(u64),
    /// Bytes that the coding's specification does not allow.
    #[error("content coding {coding:?} is broken: {why}")]
    Broken {
        /// Name of the coding.
        coding: &'static str,
        /// What was wrong.
        why: String,
    },
    /// The message ended inside the coding.
    #[error("content coding {0:?} stops before its end")]
    Unfinished(&'static str),
    /// Bytes inside the coded body are missing.
    #[error("{0} bytes of a body in content coding {1:?} were lost; what follows them cannot be decoded")]
    Lost(u64, &'static str),
    /// A coding that this program does not know.
    #[error("content coding {0:?} is unknown; gzip, deflate, br and zstd can be decoded")]
    Unknown(String),
    /// More codings than [`MAX_STAGES`].
    #[error("{0} content codings on top of each other; at most {MAX_STAGES} are decoded")]
    TooDeep(usize),
}

/// Takes decoded bytes.
pub(crate) type Out<'a> = dyn FnMut(&[u8]) -> Result<(), Stop> + 'a;

/// Why a decoder stopped: because of its receiver, or because of its input.
pub(crate) enum Fault {
    Stop(Stop),
    Broken(String),
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn after_end() -> Fault {
    Fault::Broken("there are bytes after the end of the stream".to_owned())
}

/// The decoder of one coding. `write` takes all of its input unless it fails.
trait Decode: Send {
    /// Decodes `input`, handing on everything that is certain already.
    fn write(&mut self, input: &[u8], out: &mut Out<'_>) -> Result<(), Fault>;
    /// Whether the stream may end here.
    fn complete(&self) -> bool;
    /// Bytes held; an estimate from the library's documentation where it does not tell.
    fn held_bytes(&self) -> usize;
}

/// The codings of one body, in the order in which they are undone.
pub(crate) struct Chain(Vec<Stage>);

impl Chain {
    /// `codings` in the order of the header field, that is, in which they were applied.
    pub(crate) fn new(codings: &[String], limit: u64) -> Result<Self, Stop> {
        if codings.len() > MAX_STAGES {
            return Err(Stop::TooDeep(codings.len()));
        }
        let stage = |name: &String| {
            Kind::from_name(name)
                .map(|kind| Stage::new(kind, limit))
                .ok_or_else(|| Stop::Unknown(name.clone()))
        };
        codings.iter().rev().map(stage).collect::<Result<_, _>>().map(Self)
    }

    /// No coding at all.
    pub(crate) fn empty() -> Self {
        Self(Vec::new())
    }

    /// The outermost coding that is really there.
    pub(crate) fn coding(&self) -> Option<&'static str> {
        self.0.iter().find(|stage| !stage.is_plain()).map(Stage::coding)
    }

    /// Decodes a piece.
    pub(crate) fn write(&mut self, input: &[u8], out: &mut Out<'_>) -> Result<(), Stop> {
        write_through(&mut self.0, input, out)
    }

    /// The body has ended: hands on what was held back.
    pub(crate) fn finish(&mut self, out: &mut Out<'_>) -> Result<(), Stop> {
        let mut stages = self.0.as_mut_slice();
        while let Some((first, rest)) = stages.split_first_mut() {
            first.finish(&mut |piece| write_through(rest, piece, out))?;
            stages = rest;
        }
        Ok(())
    }

    /// Bytes held by all decoders.
    pub(crate) fn held_bytes(&self) -> usize {
        self.0.iter().map(Stage::held_bytes).sum()
    }
}

fn write_through(stages: &mut [Stage], input: &[u8], out: &mut Out<'_>) -> Result<(), Stop> {
    match stages.split_first_mut() {
        None => out(input),
        Some((first, rest)) => first.write(input, &mut |piece| write_through(rest, piece, out)),
    }
}
