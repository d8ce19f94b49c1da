//! Words of a file that the dynamic linker turns into addresses of its own: tables of functions.
//!
//! Layouts: System V ABI, `DT_RELA` and `DT_RELR`.

use std::collections::BTreeMap;

use crate::elf::{Elf, ElfError};

/// Most bytes of relocations that are read.
const MAX_RELOCATIONS: u64 = 64 << 20;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;
const R_X86_64_RELATIVE: u64 = 8;

/// The places of such words that point into `wanted`, with what they point to.
pub(crate) fn into(elf: &Elf<'_>, wanted: impl Fn(u64) -> bool) -> Result<BTreeMap<u64, u64>, ElfError> {
    let entries = elf.dynamic_entries()?;
    let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let table = |address, size| match (value(address), value(size)) {
        (Some(address), Some(size)) => elf.data(address, size.min(MAX_RELOCATIONS)),
        _ => Ok(Vec::new()),
    };
    let mut pointers = BTreeMap::new();
    let mut add = |place, target| {
        if wanted(target) {
            pointers.insert(place, target);
        }
    };
    for relocation in words(&table(DT_RELA, DT_RELASZ)?).chunks_exact(3) {
        if let [place, info, target] = *relocation
            && info & 0xffff_ffff == R_X86_64_RELATIVE
        {
            add(place, target);
        }
    }
    for place in packed(&words(&table(DT_RELR, DT_RELRSZ)?)) {
        // What it points to stands in the place itself.
        if let Some(target) = words(&elf.beginning(place, 8)).first() {
            add(place, *target);
        }
    }
    Ok(pointers)
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).filter_map(|word| word.try_into().ok().map(u64::from_le_bytes)).collect()
}

/// The places of a packed table: an even word is a place, an odd one says with its upper 63 bits which of the next 63 words are too.
fn packed(table: &[u64]) -> Vec<u64> {
    let mut places = Vec::new();
    let mut next: u64 = 0;
    for word in table {
        if word & 1 == 0 {
            places.push(*word);
            next = word.wrapping_add(8);
        } else {
            let set = (0..63).filter(|bit| word >> (bit + 1) & 1 == 1);
            places.extend(set.map(|bit| next.wrapping_add(8 * bit)));
            next = next.wrapping_add(63 * 8);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_places_are_unpacked() {
        // 0x1000; then of the words from 0x1008 on the first and the third; then of the next 63 the last.
        let table = [0x1000, 0b1011, 1 << 63 | 1];
        assert_eq!(packed(&table), [0x1000, 0x1008, 0x1018, 0x1008 + 63 * 8 + 62 * 8]);
    }
}
