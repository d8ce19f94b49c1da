//! The br coding (RFC 7932).

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::{Decode, Fault, Out, SCRATCH, after_end};

/// A state with its tables, without the window.
const STATE_BYTES: usize = 64 << 10;

/// Largest window of RFC 7932 section 9.1.
const MAX_WINDOW: u64 = 16 << 20;

/// Input of one step.
const STEP: usize = 512;

/// A brotli stream.
pub(super) struct Brotli {
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    ended: bool,
    /// Bytes that came out: the window grows with them.
    made: u64,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        // Strict: without the "large window" extension, which may ask for a gigabyte and which HTTP does not allow.
        Self { state: Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())), ended: false, made: 0 }
    }
}

impl Decode for Brotli {
    fn write(&mut self, input: &[u8], out: &mut Out<'_>) -> Result<(), Fault> {
        // The library keeps to itself what it has decoded of a piece when it finds a fault in it: small pieces lose little.
        input.chunks(STEP).try_for_each(|step| self.step(step, out))
    }

    fn complete(&self) -> bool {
        self.ended
    }

    fn held_bytes(&self) -> usize {
        STATE_BYTES + usize::try_from(self.made.min(MAX_WINDOW)).unwrap_or_default()
    }
}

impl Brotli {
    fn step(&mut self, input: &[u8], out: &mut Out<'_>) -> Result<(), Fault> {
        if self.ended {
            return if input.is_empty() { Ok(()) } else { Err(after_end()) };
        }
        let mut scratch = [0; SCRATCH];
        let (mut left, mut taken) = (input.len(), 0);
        loop {
            let (mut room, mut made, mut total) = (SCRATCH, 0, 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut taken,
                input,
                &mut room,
                &mut made,
                &mut scratch,
                &mut total,
                &mut self.state,
            );
            self.made += made as u64;
            if made > 0 {
                out(scratch.get(..made).unwrap_or_default())?;
            }
            match result {
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::NeedsMoreInput => return Ok(()),
                BrotliResult::ResultSuccess if left == 0 => {
                    self.ended = true;
                    return Ok(());
                }
                BrotliResult::ResultSuccess => {
                    self.ended = true;
                    return Err(after_end());
                }
                BrotliResult::ResultFailure => return Err(Fault::Broken("not a brotli stream".to_owned())),
            }
        }
    }
}
