//! The deflate coding: RFC 1951 data, in the zlib wrapper of RFC 1950 or raw.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Decode, Fault, Out, after_end};

/// Output of one step: as much as the window, so that nothing stays inside when the next byte is a fault.
const SCRATCH: usize = 32 << 10;

/// Window and tables of one inflate state.
pub(crate) const INFLATE_BYTES: usize = 44 << 10;

/// A zlib or raw deflate stream.
pub(super) struct Deflate {
    inflate: Decompress,
    ended: bool,
}

impl Deflate {
    pub(super) fn zlib() -> Self {
        Self { inflate: Decompress::new(true), ended: false }
    }

    pub(super) fn raw() -> Self {
        Self { inflate: Decompress::new(false), ended: false }
    }
}

impl Decode for Deflate {
    fn write(&mut self, input: &[u8], out: &mut Out<'_>) -> Result<(), Fault> {
        if !self.ended {
            let (taken, ended) = inflate(&mut self.inflate, input, out)?;
            self.ended = ended;
            let rest = input.get(taken..).unwrap_or_default();
            if ended && !rest.is_empty() {
                return Err(after_end());
            }
            return Ok(());
        }
        match input.len() {
            0 => Ok(()),
            _ => Err(after_end()),
        }
    }

    fn complete(&self) -> bool {
        self.ended
    }

    fn held_bytes(&self) -> usize {
        INFLATE_BYTES
    }
}

/// Runs `input` through; gives the bytes taken and whether the stream has ended.
pub(crate) fn inflate(
    state: &mut Decompress,
    input: &[u8],
    out: &mut Out<'_>,
) -> Result<(usize, bool), Fault> {
    let mut scratch = [0; SCRATCH];
    let mut taken = 0;
    loop {
        let rest = input.get(taken..).unwrap_or_default();
        let (in_before, out_before) = (state.total_in(), state.total_out());
        let result = state.decompress(rest, &mut scratch, FlushDecompress::None);
        let used = usize::try_from(state.total_in() - in_before).unwrap_or(rest.len());
        let made = usize::try_from(state.total_out() - out_before).unwrap_or(SCRATCH);
        taken += used;
        // What came out before the fault is good.
        if made > 0 {
            out(scratch.get(..made).unwrap_or_default())?;
        }
        match result {
            Err(error) => return Err(Fault::Broken(error.to_string())),
            Ok(Status::StreamEnd) => return Ok((taken, true)),
            Ok(_) if made < SCRATCH && (used == rest.len() || used + made == 0) => return Ok((taken, false)),
            Ok(_) => {}
        }
    }
}
