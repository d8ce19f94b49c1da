//! Reads a capture file frame by frame; memory is bounded by the longest frame.

use std::io::{ErrorKind, Read};

use super::{
    CaptureFileError, Frame, Header, MAGIC, MAX_PAYLOAD, OLDEST_VERSION, VERSION,
    codec::{self, kind},
};

/// Reads the frames of a capture file in order.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    header: Header,
    offset: u64,
    cut: Option<u64>,
    ended: bool,
}

/// How filling a buffer ended.
enum Filled {
    Whole,
    /// The input ended before the first byte.
    Nothing,
    /// The input ended inside.
    Part,
}

impl<R: Read> Reader<R> {
    /// Reads the magic, the version and the header.
    ///
    /// # Errors
    /// When the input is no capture file, is of a later version, has no good header, or cannot be read.
    pub fn new(mut input: R) -> Result<Self, CaptureFileError> {
        let mut start = [0_u8; 12];
        if !matches!(fill(&mut input, &mut start)?, Filled::Whole) {
            return Err(CaptureFileError::NotACaptureFile);
        }
        let [m0, m1, m2, m3, m4, m5, m6, m7, v0, v1, _, _] = start;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != *MAGIC {
            return Err(CaptureFileError::NotACaptureFile);
        }
        let version = u16::from_le_bytes([v0, v1]);
        if !(OLDEST_VERSION..=VERSION).contains(&version) {
            return Err(CaptureFileError::Version(version));
        }
        let mut reader = Self { input, header: Header::default(), offset: 12, cut: None, ended: false };
        let header = match reader.raw()? {
            Some((kind::HEADER, payload)) => payload,
            Some((other, _)) => {
                return Err(CaptureFileError::Header(format!("the first frame has kind {other}")));
            }
            None => return Err(CaptureFileError::Header("the file ends before it".to_owned())),
        };
        reader.header =
            serde_json::from_slice(&header).map_err(|error| CaptureFileError::Header(error.to_string()))?;
        Ok(reader)
    }

    /// What a replay needs beside the events.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Offset of the frame inside which the file ends, if it does: the writer was killed or the disk was full.
    pub fn cut_at(&self) -> Option<u64> {
        self.cut
    }

    /// The next frame; `None` at the end of the file. After [`CaptureFileError::Frame`] reading can go on.
    ///
    /// # Errors
    /// When a frame is broken or the file cannot be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, CaptureFileError> {
        loop {
            let at = self.offset;
            let Some((kind, payload)) = self.raw()? else { return Ok(None) };
            match codec::decode(kind, &payload) {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => {}
                Err(problem) => return Err(CaptureFileError::Frame { offset: at, problem }),
            }
        }
    }

    fn raw(&mut self) -> Result<Option<(u8, Vec<u8>)>, CaptureFileError> {
        if self.ended {
            return Ok(None);
        }
        let at = self.offset;
        let mut head = [0_u8; 5];
        match fill(&mut self.input, &mut head)? {
            Filled::Whole => {}
            Filled::Nothing => return Ok(self.end(None)),
            Filled::Part => return Ok(self.end(Some(at))),
        }
        let [kind, l0, l1, l2, l3] = head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if length > MAX_PAYLOAD {
            self.ended = true;
            return Err(CaptureFileError::Lost { offset: at, length });
        }
        let mut payload = Vec::new();
        let wanted = u64::from(length) + 4;
        (&mut self.input).take(wanted).read_to_end(&mut payload)?;
        if payload.len() as u64 != wanted {
            return Ok(self.end(Some(at)));
        }
        self.offset = at + 5 + wanted;
        let Some((body, sum)) = payload.split_last_chunk::<4>() else { return Ok(self.end(Some(at))) };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&head);
        hasher.update(body);
        if hasher.finalize() != u32::from_le_bytes(*sum) {
            return Err(CaptureFileError::Frame {
                offset: at,
                problem: "its checksum does not match".to_owned(),
            });
        }
        payload.truncate(length as usize);
        Ok(Some((kind, payload)))
    }

    fn end<T>(&mut self, cut: Option<u64>) -> Option<T> {
        self.ended = true;
        self.cut = cut;
        None
    }
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> Result<Filled, std::io::Error> {
    let mut have = 0;
    while let Some(rest) = buffer.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => return Ok(if have == 0 { Filled::Nothing } else { Filled::Part }),
            Ok(count) => have += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Filled::Whole)
}
