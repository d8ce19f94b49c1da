//! Extents of functions out of the unwind tables. They are there in stripped files too, because the program itself reads them.
//!
//! Layouts: Linux Standard Base core, sections 10.6.1 (`.eh_frame`) and 10.6.2 (`.eh_frame_hdr`).

use crate::elf::{Elf, Extent};

/// Largest header that is read: about eight million functions.
const MAX_HEADER: u64 = 64 << 20;
/// Longest common or frame description entry that is believed, in bytes: only its beginning is looked at.
const MAX_ENTRY: u64 = 256;
/// `DW_EH_PE_datarel | DW_EH_PE_sdata4`: the encoding that linkers write the table in.
const DATAREL_SDATA4: u8 = 0x3b;
/// `DW_EH_PE_omit`
const OMIT: u8 = 0xff;

/// The table of `.eh_frame_hdr`: where functions begin, with the address of the entry that describes each. Parts of functions that the
/// compiler moved away have entries of their own.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    entries: Vec<(u64, u64)>,
}

impl Frames {
    /// Reads the table; empty where there is none, or none of the usual form.
    pub(crate) fn read(elf: &Elf<'_>) -> Self {
        Self { entries: entries(elf).unwrap_or_default() }
    }

    /// The function, or part of one, that an address lies in.
    pub(crate) fn containing(&self, elf: &Elf<'_>, address: u64) -> Option<Extent> {
        let above = self.entries.partition_point(|(start, _)| *start <= address);
        let (start, entry) = *self.entries.get(above.checked_sub(1)?)?;
        let size = size(elf, entry)?;
        (address - start < size).then_some(Extent { address: start, size })
    }

    /// The function, or part of one, that begins at an address.
    pub(crate) fn beginning_at(&self, elf: &Elf<'_>, address: u64) -> Option<Extent> {
        self.containing(elf, address).filter(|extent| extent.address == address)
    }
}

fn entries(elf: &Elf<'_>) -> Option<Vec<(u64, u64)>> {
    let (address, size) = elf.frame_header()?;
    let bytes = elf.data(address, size.min(MAX_HEADER)).ok()?;
    let mut reader = Reader { bytes: &bytes, at: 0 };
    let [version, frame, count, table] = [reader.byte()?, reader.byte()?, reader.byte()?, reader.byte()?];
    if version != 1 || table != DATAREL_SDATA4 || frame == OMIT || count == OMIT {
        return None;
    }
    reader.skip(pointer_size(frame)?)?;
    let count = reader.unsigned(count)?;
    let rows = bytes.get(reader.at..)?.chunks_exact(8).take(usize::try_from(count).ok()?);
    let signed = |bytes: &[u8]| Some(i64::from(i32::from_le_bytes(bytes.try_into().ok()?)));
    let mut entries: Vec<_> = rows
        .filter_map(|row| {
            let (start, entry) = row.split_at_checked(4)?;
            Some((address.checked_add_signed(signed(start)?)?, address.checked_add_signed(signed(entry)?)?))
        })
        .collect();
    if !entries.is_sorted() {
        entries.sort_unstable();
    }
    Some(entries)
}

/// The number of bytes that a frame description entry covers.
fn size(elf: &Elf<'_>, address: u64) -> Option<u64> {
    let bytes = elf.beginning(address, MAX_ENTRY);
    let mut entry = Reader { bytes: &bytes, at: 0 };
    // A length of all ones announces the 64-bit form, which no linker writes here.
    let length = entry.u32()?;
    let to_common = entry.u32()?;
    if length == 0 || length == u32::MAX || to_common == 0 {
        return None;
    }
    let encoding = encoding(elf, address.checked_add(4)?.checked_sub(u64::from(to_common))?)?;
    entry.skip(pointer_size(encoding)?)?;
    entry.unsigned(encoding).filter(|size| *size > 0)
}

/// How the frame description entries of a common information entry write addresses.
fn encoding(elf: &Elf<'_>, address: u64) -> Option<u8> {
    let bytes = elf.beginning(address, MAX_ENTRY);
    let mut entry = Reader { bytes: &bytes, at: 0 };
    let (length, id, version) = (entry.u32()?, entry.u32()?, entry.byte()?);
    if length == u32::MAX || id != 0 || !matches!(version, 1 | 3) {
        return None;
    }
    let augmentation = entry.text()?;
    entry.leb()?; // code alignment
    entry.leb()?; // data alignment
    if version == 1 {
        entry.byte()?;
    } else {
        entry.leb()?;
    }
    let Some(letters) = augmentation.strip_prefix(b"z") else {
        // Without augmentation addresses are plain.
        return augmentation.is_empty().then_some(0);
    };
    entry.leb()?;
    for letter in letters {
        match letter {
            b'R' => return entry.byte(),
            b'L' => entry.skip(1)?,
            b'P' => {
                let personality = entry.byte()?;
                entry.skip(pointer_size(personality)?)?;
            }
            b'S' | b'B' => {}
            _ => return None,
        }
    }
    Some(0)
}

/// Bytes of an encoded address: the lower half of the encoding is its format.
fn pointer_size(encoding: u8) -> Option<usize> {
    match encoding & 0x0f {
        0x00 | 0x04 | 0x0c => Some(8),
        0x02 | 0x0a => Some(2),
        0x03 | 0x0b => Some(4),
        _ => None,
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    /// A number in the format of an encoding, without regard to what it is relative to.
    fn unsigned(&mut self, encoding: u8) -> Option<u64> {
        let bytes = self.take(pointer_size(encoding)?)?;
        let mut wide = [0; 8];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(wide))
    }

    /// Skips a number in LEB128.
    fn leb(&mut self) -> Option<()> {
        while self.byte()? & 0x80 != 0 {}
        Some(())
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        self.at += end + 1;
        rest.get(..end)
    }
}
