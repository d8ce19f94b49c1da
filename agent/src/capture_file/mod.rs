//! The raw capture file (`--record`): every capture event, framed and checksummed, for replay without a kernel.
//!
//! ```text
//! file   = magic "WSPNCAP\n" · u16 version · u16 zero · frame(header) · frame*
//! frame  = u8 kind · u32 length · payload[length] · u32 crc32(kind · length · payload)
//! ```
//!
//! All integers are little-endian. The header's payload is JSON; the other payloads are binary (see `codec`). Kinds that a reader
//! does not know are skipped, so that a later version can add some. A file that ends inside a frame is a file whose writer was
//! killed: everything before is good.

mod codec;
mod reader;
mod writer;

use std::{collections::BTreeMap, io};

use agent_capture::CaptureEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use reader::Reader;
pub use writer::Recorder;

/// The first eight bytes of a capture file.
pub const MAGIC: &[u8; 8] = b"WSPNCAP\n";
/// Version of the format. Since 2 there are connections without TLS, whose handles have the highest bit set, and `PEER` frames; files of
/// version 1 are read as well.
pub const VERSION: u16 = 2;
/// The oldest version that is read.
pub const OLDEST_VERSION: u16 = 1;
/// Longest payload of a frame, in bytes. Longer ones are taken for corruption.
pub const MAX_PAYLOAD: u32 = 64 << 20;

/// The header: what a replay needs beside the events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of wirespan that wrote the file.
    pub wirespan: String,
    /// Boot id of the host: part of the derived ids.
    pub boot_id: String,
    /// Unix time minus `CLOCK_MONOTONIC`, in nanoseconds, at the start.
    pub clock_offset: i64,
    /// Facts of the host that resource attributes are made of.
    #[serde(default)]
    pub host: BTreeMap<String, Value>,
}

/// One frame after the header.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// Something that the capture saw.
    Event(CaptureEvent),
    /// The offset between the clocks changed: Unix time minus `CLOCK_MONOTONIC`, in nanoseconds.
    Clock(i64),
    /// Time passed without events: `CLOCK_MONOTONIC` nanoseconds. Idle exchanges end at ticks, in replays too.
    Tick(u64),
    /// The capture's counters when the file was closed: (chunks, bytes, bytes lost for any cause).
    Totals {
        /// Chunks handed over.
        chunks: u64,
        /// Bytes handed over.
        bytes: u64,
        /// Bytes lost for any cause.
        lost_bytes: u64,
    },
}

/// Why a capture file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CaptureFileError {
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a capture file.
    #[error("this is no wirespan capture file: it does not begin with the magic bytes")]
    NotACaptureFile,
    /// Written by a later version.
    #[error("the capture file has version {0}; this wirespan reads version {VERSION}: use a newer one")]
    Version(u16),
    /// The header is missing or broken.
    #[error("the header of the capture file is broken: {0}")]
    Header(String),
    /// A frame is broken; reading can go on after it.
    #[error("the frame at byte {offset} of the capture file is broken: {problem}")]
    Frame {
        /// Offset of the frame in the file.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// A frame's length cannot be right: nothing after it can be found.
    #[error(
        "the frame at byte {offset} of the capture file claims {length} bytes: nothing after it can be read"
    )]
    Lost {
        /// Offset of the frame in the file.
        offset: u64,
        /// The length that it claims.
        length: u32,
    },
}

#[cfg(test)]
mod tests;
