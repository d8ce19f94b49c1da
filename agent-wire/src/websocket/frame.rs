//! The header of one frame (RFC 6455 section 5.2) and its masked payload.

/// Longest header: two bytes, a length of eight, a mask of four.
const MAX_HEADER: usize = 14;

/// Greatest payload of a control frame (section 5.5).
const MAX_CONTROL: u64 = 125;

/// Bytes unmasked at a time.
const SCRATCH: usize = 4 << 10;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// A frame, its payload being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) opcode: Opcode,
    /// No further fragment follows.
    pub(super) last: bool,
    /// RSV1: the message is compressed (RFC 7692 section 6).
    pub(super) compressed: bool,
    /// Bytes of the payload.
    pub(super) length: u64,
    /// Those that are to come.
    pub(super) left: u64,
    /// Bytes of it were lost: the rest does not join what is here.
    pub(super) torn: bool,
    mask: Option<[u8; 4]>,
}

/// The bytes of a header that have come.
#[derive(Debug, Default)]
pub(super) struct Header {
    bytes: [u8; MAX_HEADER],
    filled: usize,
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    pub(super) fn begins_message(self) -> bool {
        matches!(self, Self::Text | Self::Binary)
    }
}

impl Header {
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Takes the beginning of `input` as far as it belongs to the header.
    pub(super) fn take(&mut self, input: &[u8]) -> usize {
        let mut taken = 0;
        // How long a header is stands in its second byte.
        while self.filled < self.length() {
            let (Some(to), Some(from)) = (self.bytes.get_mut(self.filled), input.get(taken)) else { break };
            *to = *from;
            self.filled += 1;
            taken += 1;
        }
        taken
    }

    fn length(&self) -> usize {
        let [_, second, ..] = self.bytes;
        if self.filled < 2 {
            return 2;
        }
        let length = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if second & 0x80 == 0 { 0 } else { 4 }
    }

    /// The frame, once the header is complete, or why there cannot be one.
    pub(super) fn frame(&self) -> Option<Result<Frame, String>> {
        if self.filled < self.length() { None } else { Some(self.parse()) }
    }

    fn parse(&self) -> Result<Frame, String> {
        let [first, second, l0, l1, l2, l3, l4, l5, l6, l7, ..] = self.bytes;
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([l0, l1])),
            127 => u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]),
            length => u64::from(length),
        };
        let opcode = match first & 0x0f {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            opcode => return Err(format!("a frame has the unknown opcode {opcode}")),
        };
        let last = first & 0x80 != 0;
        if first & 0x30 != 0 {
            return Err("a frame has a reserved bit set that means nothing here".to_owned());
        }
        if opcode.is_control() && (!last || length > MAX_CONTROL) {
            return Err("a control frame is longer than 125 bytes or comes in fragments".to_owned());
        }
        if length >> 63 != 0 {
            return Err(format!("a frame of {length} bytes is too long to be one"));
        }
        let mask = if second & 0x80 == 0 {
            None
        } else {
            self.bytes.get(self.filled.saturating_sub(4)..).and_then(|rest| rest.first_chunk().copied())
        };
        Ok(Frame { opcode, last, compressed: first & 0x40 != 0, length, left: length, torn: false, mask })
    }
}

impl Frame {
    /// Hands on the next bytes of the payload without their mask, in pieces, and turns the mask to what follows.
    pub(super) fn unmask(&mut self, piece: &[u8], mut take: impl FnMut(&[u8])) {
        let Some(mask) = self.mask else { return take(piece) };
        let mut scratch = [0; SCRATCH];
        // A multiple of four, so that every part begins with the first byte of the mask.
        for part in piece.chunks(SCRATCH) {
            for ((to, from), key) in scratch.iter_mut().zip(part).zip(mask.iter().cycle()) {
                *to = from ^ key;
            }
            take(scratch.get(..part.len()).unwrap_or_default());
        }
        if let Some(mask) = &mut self.mask {
            mask.rotate_left(piece.len() % 4);
        }
    }
}
