//! The gzip coding: one or more members (RFC 1952), decoded as the bytes arrive, checksums verified.

use flate2::{Crc, Decompress};

use super::deflate::{INFLATE_BYTES, inflate};
use super::{Decode, Fault, Out};

// Header flags, RFC 1952 section 2.3.1.
const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;

/// Where in a member we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Between members; the first byte of the next one is due. Zero bytes are padding here.
    Start,
    /// In the ten fixed bytes.
    Fixed,
    ExtraLength,
    Extra(u16),
    Name,
    Comment,
    HeaderCrc,
    Data,
    Trailer,
}

/// A gzip stream.
pub(super) struct Gzip {
    at: At,
    flags: u8,
    /// Bytes of the header or trailer field being read.
    field: Vec<u8>,
    inflate: Decompress,
    crc: Crc,
    members: u64,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            at: At::Start,
            flags: 0,
            field: Vec::new(),
            inflate: Decompress::new(false),
            crc: Crc::new(),
            members: 0,
        }
    }

    /// Takes bytes into `field` until it has `length` of them; gives the bytes taken and whether it has.
    fn fill(&mut self, length: usize, input: &[u8]) -> (usize, bool) {
        let taken = input.len().min(length.saturating_sub(self.field.len()));
        self.field.extend(input.iter().take(taken));
        (taken, self.field.len() >= length)
    }

    /// The part of the header after `done`, as the flags say (in the order of RFC 1952 section 2.3).
    fn next_part(&self, done: At) -> At {
        let order = [
            (At::Fixed, FEXTRA, At::ExtraLength),
            (At::ExtraLength, FNAME, At::Name),
            (At::Name, FCOMMENT, At::Comment),
            (At::Comment, FHCRC, At::HeaderCrc),
        ];
        let from = order.iter().position(|(part, _, _)| *part == done).unwrap_or(order.len());
        order
            .iter()
            .skip(from)
            .find(|(_, flag, _)| self.flags & flag != 0)
            .map_or(At::Data, |(_, _, next)| *next)
    }

    fn fixed(&mut self) -> Result<At, Fault> {
        let header = std::mem::take(&mut self.field);
        if !header.starts_with(&[0x1f, 0x8b, 8]) {
            let what = if self.members == 0 {
                "the header is no gzip header"
            } else {
                "what follows a member is no gzip member"
            };
            return Err(Fault::Broken(what.to_owned()));
        }
        self.flags = header.get(3).copied().unwrap_or_default();
        self.inflate.reset(false);
        self.crc.reset();
        Ok(self.next_part(At::Fixed))
    }

    fn trailer(&mut self) -> Result<At, Fault> {
        let trailer = std::mem::take(&mut self.field);
        let word = |at: usize| -> u32 {
            trailer.iter().skip(at).take(4).rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
        };
        if word(0) != self.crc.sum() {
            return Err(Fault::Broken(
                "the checksum at the end of a member does not match its data".to_owned(),
            ));
        }
        if word(4) != self.crc.amount() {
            return Err(Fault::Broken(
                "the length at the end of a member does not match its data".to_owned(),
            ));
        }
        self.members += 1;
        Ok(At::Start)
    }
}

impl Decode for Gzip {
    fn write(&mut self, mut input: &[u8], out: &mut Out<'_>) -> Result<(), Fault> {
        while !input.is_empty() {
            let taken = match self.at {
                At::Start if self.members > 0 && input.first() == Some(&0) => 1,
                At::Start => {
                    self.at = At::Fixed;
                    0
                }
                At::Fixed => {
                    let (taken, full) = self.fill(10, input);
                    if full {
                        self.at = self.fixed()?;
                    }
                    taken
                }
                At::ExtraLength => {
                    let (taken, full) = self.fill(2, input);
                    if full {
                        let length = self.field.iter().rev().fold(0, |sum, byte| sum << 8 | u16::from(*byte));
                        self.field.clear();
                        self.at = At::Extra(length);
                    }
                    taken
                }
                At::Extra(0) => {
                    self.at = self.next_part(At::ExtraLength);
                    0
                }
                At::Extra(left) => {
                    let taken = input.len().min(usize::from(left));
                    self.at = At::Extra(left.saturating_sub(u16::try_from(taken).unwrap_or(left)));
                    taken
                }
                At::Name | At::Comment => match memchr::memchr(0, input) {
                    Some(end) => {
                        self.at = self.next_part(self.at);
                        end + 1
                    }
                    None => input.len(),
                },
                At::HeaderCrc => {
                    let (taken, full) = self.fill(2, input);
                    if full {
                        self.field.clear();
                        self.at = At::Data;
                    }
                    taken
                }
                At::Data => {
                    let Self { inflate: state, crc, .. } = self;
                    let (taken, ended) = inflate(state, input, &mut |piece| {
                        crc.update(piece);
                        out(piece)
                    })?;
                    if ended {
                        self.at = At::Trailer;
                    }
                    taken
                }
                At::Trailer => {
                    let (taken, full) = self.fill(8, input);
                    if full {
                        self.at = self.trailer()?;
                    }
                    taken
                }
            };
            input = input.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    fn complete(&self) -> bool {
        self.at == At::Start && self.members > 0
    }

    fn held_bytes(&self) -> usize {
        INFLATE_BYTES
    }
}
