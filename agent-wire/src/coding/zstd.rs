//! The zstd coding (RFC 8878), with the window that RFC 9659 allows over HTTP.

use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::{Decode, Fault, Out, SCRATCH};

/// RFC 9659 section 3: senders must not use windows of more than 8 MiB.
const MAX_WINDOW_LOG: u32 = 23;

/// A decompression context without the window.
const CONTEXT_BYTES: usize = 96 << 10;

/// One or more zstd frames.
pub(super) struct Zstd {
    decoder: Decoder<'static>,
    between_frames: bool,
    made: u64,
}

impl Zstd {
    pub(super) fn new() -> Result<Self, String> {
        let mut decoder = Decoder::new().map_err(|error| error.to_string())?;
        decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG)).map_err(|error| error.to_string())?;
        Ok(Self { decoder, between_frames: true, made: 0 })
    }
}

impl Decode for Zstd {
    fn write(&mut self, mut input: &[u8], out: &mut Out<'_>) -> Result<(), Fault> {
        let mut scratch = [0; SCRATCH];
        loop {
            let status = self
                .decoder
                .run_on_buffers(input, &mut scratch)
                .map_err(|error| Fault::Broken(error.to_string()))?;
            input = input.get(status.bytes_read..).unwrap_or_default();
            if status.bytes_read + status.bytes_written > 0 {
                self.between_frames = status.remaining == 0;
            }
            self.made += status.bytes_written as u64;
            if status.bytes_written > 0 {
                out(scratch.get(..status.bytes_written).unwrap_or_default())?;
            }
            // A full buffer may mean that more is waiting inside.
            if input.is_empty() && status.bytes_written < SCRATCH {
                return Ok(());
            }
            if status.bytes_read + status.bytes_written == 0 {
                return Ok(());
            }
        }
    }

    fn complete(&self) -> bool {
        self.between_frames
    }

    fn held_bytes(&self) -> usize {
        CONTEXT_BYTES + usize::try_from(self.made.min(1 << MAX_WINDOW_LOG)).unwrap_or_default()
    }
}
