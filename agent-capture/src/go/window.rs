//! Reads a large table in order, a piece at a time.

use crate::elf::Elf;

/// Bytes read at once.
const PIECE: u64 = 192 << 10;
/// Reads of a table beyond those that reading it in order takes. A damaged table that leads back and forth ends with this.
const SPARE: u64 = 64;

/// A piece of a table.
pub(crate) struct Window<'a> {
    elf: &'a Elf<'a>,
    start: u64,
    bytes: Vec<u8>,
    left: u64,
}

impl<'a> Window<'a> {
    /// For a table of `size` bytes.
    pub(crate) fn new(elf: &'a Elf<'a>, size: u64) -> Self {
        Self { elf, start: 0, bytes: Vec::new(), left: size / PIECE + SPARE }
    }

    /// The bytes at an address; `None` outside the file, or when it was asked too often.
    pub(crate) fn get<const LENGTH: usize>(&mut self, address: u64) -> Option<[u8; LENGTH]> {
        if let Some(bytes) = self.held(address) {
            return Some(bytes);
        }
        self.left = self.left.checked_sub(1)?;
        self.bytes = self.elf.beginning(address, PIECE);
        self.start = address;
        self.held(address)
    }

    fn held<const LENGTH: usize>(&self, address: u64) -> Option<[u8; LENGTH]> {
        let at = usize::try_from(address.checked_sub(self.start)?).ok()?;
        self.bytes.get(at..at.checked_add(LENGTH)?)?.try_into().ok()
    }
}
