//! Texts in the parts of a file that the program cannot change.

use memchr::memmem::Finder;

use crate::elf::{Elf, ElfError};

/// Places of one text that are kept at most.
const MAX_PLACES: usize = 256;
/// Longest text: what the pieces that are searched overlap by.
pub(crate) const LONGEST: usize = 128;
/// Longest text whose beginning is looked for.
const MAX_TEXT: u64 = 1024;

/// The addresses at which each of `texts` stands, ended by a zero. It may be the end of a longer text: linkers share them. Texts are at
/// most [`LONGEST`] bytes long.
pub(crate) fn places(elf: &Elf<'_>, texts: &[&str]) -> Result<Vec<Vec<u64>>, ElfError> {
    let ended: Vec<Vec<u8>> = texts.iter().map(|text| [text.as_bytes(), b"\0"].concat()).collect();
    let finders: Vec<_> = ended.iter().map(Finder::new).collect();
    let mut places = vec![Vec::new(); texts.len()];
    let fixed: Vec<_> = elf.loads().filter(|load| !load.writable).collect();
    // Linkers put texts next to the code only when they are told to keep everything together.
    let apart = fixed.iter().any(|load| !load.executable);
    for load in fixed.iter().filter(|load| !apart || !load.executable) {
        elf.each_piece(load, LONGEST as u64 + 1, |address, piece| {
            for (finder, places) in finders.iter().zip(&mut places) {
                for at in finder.find_iter(piece) {
                    let place = address + at as u64;
                    if places.len() < MAX_PLACES && places.last().is_none_or(|last| *last < place) {
                        places.push(place);
                    }
                }
            }
        })?;
    }
    Ok(places)
}

/// The address at which the text begins that `address` is part of.
pub(crate) fn start(elf: &Elf<'_>, address: u64) -> u64 {
    let from = address.saturating_sub(MAX_TEXT);
    let Ok(before) = elf.data(from, address - from) else { return address };
    let text = before.iter().rev().take_while(|byte| matches!(byte, b' '..=b'~')).count();
    address - text as u64
}
