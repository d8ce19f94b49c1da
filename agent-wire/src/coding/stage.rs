//! One coding of a body: finds out whether it is really there, decodes it, and counts what comes out.

use super::brotli::Brotli;
use super::deflate::Deflate;
use super::detect::{Found, Kind, detect};
use super::gzip::Gzip;
use super::zstd::Zstd;
use super::{Decode, Fault, Out, Stop};

/// Most bytes kept so that a body that turns out to be plain text can still be handed on whole.
const MAX_KEPT: usize = 1 << 10;

/// One coding.
pub(super) struct Stage {
    kind: Kind,
    phase: Phase,
    produced: u64,
    limit: u64,
    /// Everything so far, as long as it is text and nothing has come out. Brotli and raw deflate have no magic number, but text fails in
    /// them almost at once, and coded bytes are not text for long.
    kept: Option<Vec<u8>>,
}

enum Phase {
    Detect(Vec<u8>),
    Plain,
    Coded(Box<dyn Decode>),
}

impl Stage {
    pub(super) fn new(kind: Kind, limit: u64) -> Self {
        Self { kind, phase: Phase::Detect(Vec::new()), produced: 0, limit, kept: None }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.phase, Phase::Plain)
    }

    pub(super) fn coding(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Out<'_>) -> Result<(), Stop> {
        if let Phase::Detect(first) = &mut self.phase {
            if first.is_empty()
                && let Some(found) = detect(self.kind, input, false)
            {
                self.begin(found)?;
                return self.decode(input, out);
            }
            first.extend_from_slice(input);
            let Some(found) = detect(self.kind, first, false) else { return Ok(()) };
            let first = std::mem::take(first);
            self.begin(found)?;
            return self.decode(&first, out);
        }
        self.decode(input, out)
    }

    pub(super) fn finish(&mut self, out: &mut Out<'_>) -> Result<(), Stop> {
        if let Phase::Detect(first) = &mut self.phase {
            let first = std::mem::take(first);
            if first.is_empty() {
                return Ok(());
            }
            let Some(found) = detect(self.kind, &first, true) else { return Ok(()) };
            self.begin(found)?;
            self.decode(&first, out)?;
        }
        match &self.phase {
            Phase::Coded(decoder) if !decoder.complete() => match self.kept.take() {
                Some(kept) if self.produced == 0 => self.give_up_coding(&kept, out),
                _ => Err(Stop::Unfinished(self.kind.name())),
            },
            _ => Ok(()),
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        let held = match &self.phase {
            Phase::Detect(first) => first.capacity(),
            Phase::Plain => 0,
            Phase::Coded(decoder) => decoder.held_bytes(),
        };
        held + self.kept.as_ref().map_or(0, Vec::capacity)
    }

    fn begin(&mut self, found: Found) -> Result<(), Stop> {
        let decoder: Box<dyn Decode> = match (found, self.kind) {
            (Found::Plain, _) => {
                self.phase = Phase::Plain;
                return Ok(());
            }
            (Found::RawDeflate, _) => Box::new(Deflate::raw()),
            (Found::Coded, Kind::Deflate) => Box::new(Deflate::zlib()),
            (Found::Coded, Kind::Gzip) => Box::new(Gzip::new()),
            (Found::Coded, Kind::Brotli) => Box::new(Brotli::new()),
            (Found::Coded, Kind::Zstd) => Box::new(Zstd::new().map_err(|why| self.broken(why))?),
        };
        if found == Found::RawDeflate || self.kind == Kind::Brotli {
            self.kept = Some(Vec::new());
        }
        self.phase = Phase::Coded(decoder);
        Ok(())
    }

    fn decode(&mut self, input: &[u8], out: &mut Out<'_>) -> Result<(), Stop> {
        let mut rest = input;
        // Byte by byte, so that the place of a fault does not depend on how the body is cut.
        while let (Some(kept), Some((byte, after))) = (&mut self.kept, rest.split_first()) {
            if !is_text(*byte) || kept.len() >= MAX_KEPT {
                self.kept = None;
                break;
            }
            kept.push(*byte);
            rest = after;
            match self.run(std::slice::from_ref(byte), out) {
                Ok(()) => {}
                Err(Fault::Stop(stop)) => return Err(stop),
                Err(Fault::Broken(why)) => match self.kept.take() {
                    Some(kept) => self.give_up_coding(&kept, out)?,
                    None => return Err(self.broken(why)),
                },
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        self.run(rest, out).map_err(|fault| match fault {
            Fault::Stop(stop) => stop,
            Fault::Broken(why) => self.broken(why),
        })
    }

    /// Runs bytes through the decoder, if there is one.
    fn run(&mut self, input: &[u8], out: &mut Out<'_>) -> Result<(), Fault> {
        let decoder = match &mut self.phase {
            Phase::Coded(decoder) => decoder,
            Phase::Plain | Phase::Detect(_) => return Ok(out(input)?),
        };
        let (produced, limit) = (&mut self.produced, self.limit);
        let result = decoder.write(input, &mut |piece| {
            let room = usize::try_from(limit - *produced).unwrap_or(usize::MAX);
            let within = piece.get(..room).unwrap_or(piece);
            *produced += within.len() as u64;
            if !within.is_empty() {
                out(within)?;
            }
            if within.len() < piece.len() { Err(Stop::TooMuch(limit)) } else { Ok(()) }
        });
        if self.produced > 0 {
            self.kept = None;
        }
        result
    }

    fn give_up_coding(&mut self, kept: &[u8], out: &mut Out<'_>) -> Result<(), Stop> {
        self.phase = Phase::Plain;
        self.kept = None;
        out(kept)
    }

    fn broken(&self, why: String) -> Stop {
        Stop::Broken { coding: self.kind.name(), why }
    }
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)
}
