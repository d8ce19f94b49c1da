//! Writes a capture file. A write that fails stops the recording, never the capture: it is said once, and what is missing is counted.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{BufWriter, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use agent_capture::CaptureEvent;

use super::{
    CaptureFileError, Frame, Header, MAGIC, MAX_PAYLOAD, VERSION,
    codec::{self, kind},
};

/// Writes events to a capture file for as long as that works.
#[derive(Debug)]
pub struct Recorder<W: Write = BufWriter<File>> {
    output: Option<W>,
    path: PathBuf,
    scratch: Vec<u8>,
    lost_frames: u64,
    lost_bytes: u64,
}

impl Recorder {
    /// Creates the file (mode 0600, never through a symbolic link) and writes the header.
    ///
    /// # Errors
    /// When the file cannot be created or the header cannot be written.
    pub fn create(path: &Path, header: &Header) -> Result<Self, CaptureFileError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default())
            .open(path)?;
        // An older file keeps its mode when it is truncated; a device (`/dev/full`) is left as it is.
        if file.metadata()?.is_file() {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Self::new(BufWriter::with_capacity(256 << 10, file), path, header)
    }
}

impl<W: Write> Recorder<W> {
    /// Writes the header to any writer; `path` is what messages call it.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn new(mut output: W, path: &Path, header: &Header) -> Result<Self, CaptureFileError> {
        output.write_all(MAGIC)?;
        output.write_all(&VERSION.to_le_bytes())?;
        output.write_all(&[0, 0])?;
        let payload =
            serde_json::to_vec(header).map_err(|error| CaptureFileError::Header(error.to_string()))?;
        write_frame(&mut output, kind::HEADER, &payload)?;
        output.flush()?;
        Ok(Self {
            output: Some(output),
            path: path.to_owned(),
            scratch: Vec::new(),
            lost_frames: 0,
            lost_bytes: 0,
        })
    }

    /// Writes one event.
    pub fn event(&mut self, event: &CaptureEvent) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let kind = codec::encode_event(event, &mut scratch);
        self.put(kind, &scratch);
        self.scratch = scratch;
    }

    /// Writes any frame.
    pub fn frame(&mut self, frame: &Frame) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let kind = codec::encode(frame, &mut scratch);
        self.put(kind, &scratch);
        self.scratch = scratch;
    }

    /// Hands everything written so far to the system.
    pub fn flush(&mut self) {
        if let Some(output) = &mut self.output
            && let Err(error) = output.flush()
        {
            self.fail(&error);
        }
    }

    /// Frames that could not be written.
    pub fn lost_frames(&self) -> u64 {
        self.lost_frames
    }

    /// Bytes of payload that could not be written.
    pub fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    fn put(&mut self, kind: u8, payload: &[u8]) {
        let Some(output) = &mut self.output else {
            self.lost_frames += 1;
            self.lost_bytes += payload.len() as u64;
            return;
        };
        if let Err(error) = write_frame(output, kind, payload) {
            self.lost_frames += 1;
            self.lost_bytes += payload.len() as u64;
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &std::io::Error) {
        tracing::error!(
            "cannot write the capture file {}: {error}. The capture goes on; the file ends here.",
            self.path.display()
        );
        self.output = None;
    }

    /// The writer, as long as nothing failed.
    #[cfg(test)]
    pub(super) fn into_inner(self) -> Option<W> {
        self.output
    }
}

fn write_frame(output: &mut impl Write, kind: u8, payload: &[u8]) -> std::io::Result<()> {
    let length =
        u32::try_from(payload.len()).ok().filter(|length| *length <= MAX_PAYLOAD).ok_or_else(|| {
            std::io::Error::other(format!(
                "a frame of {} bytes is longer than the format allows",
                payload.len()
            ))
        })?;
    let [l0, l1, l2, l3] = length.to_le_bytes();
    let head = [kind, l0, l1, l2, l3];
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head);
    hasher.update(payload);
    output.write_all(&head)?;
    output.write_all(payload)?;
    output.write_all(&hasher.finalize().to_le_bytes())
}
