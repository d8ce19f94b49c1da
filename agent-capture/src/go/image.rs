//! Words of a program as they are once it is loaded: a file that can be loaded anywhere holds many of its pointers in the table of
//! relocations only.

use std::collections::BTreeSet;

use memchr::memmem;

use crate::elf::{Elf, ElfError, Load};

const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
/// Size of an entry of the table.
const ENTRY: usize = 24;
/// `R_X86_64_RELATIVE`, `R_AARCH64_RELATIVE`
const RELATIVE: [u32; 2] = [8, 1027];
/// Most pointers to one place that are looked at.
const MAX_POINTERS: usize = 16;

/// A program, as it is loaded at the addresses that its file says.
pub(crate) struct Image<'a> {
    elf: &'a Elf<'a>,
    relocations: Option<Load>,
}

impl<'a> Image<'a> {
    pub(crate) fn new(elf: &'a Elf<'a>) -> Result<Self, ElfError> {
        let entries = elf.dynamic_entries()?;
        let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
        let relocations = match (value(DT_RELA), value(DT_RELASZ)) {
            (Some(address), Some(size)) => elf.part(address, size),
            _ => None,
        };
        Ok(Self { elf, relocations })
    }

    /// `count` words from an address on.
    pub(crate) fn words(&self, address: u64, count: u64) -> Result<Vec<u64>, ElfError> {
        let bytes = self.elf.data(address, count.saturating_mul(8))?;
        let mut words: Vec<u64> = bytes
            .chunks_exact(8)
            .filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)))
            .collect();
        self.each_relocation(|at, value| {
            let within = at.checked_sub(address).filter(|within| within.is_multiple_of(8));
            let index = within.and_then(|within| usize::try_from(within / 8).ok());
            if let Some(word) = index.and_then(|index| words.get_mut(index)) {
                *word = value;
            }
        })?;
        Ok(words)
    }

    /// Where in the data of the program a word with this value stands.
    pub(crate) fn pointers_to(&self, value: u64) -> Result<BTreeSet<u64>, ElfError> {
        let mut places = BTreeSet::new();
        self.each_relocation(|at, found| {
            if found == value && places.len() < MAX_POINTERS {
                places.insert(at);
            }
        })?;
        if !places.is_empty() {
            return Ok(places);
        }
        let finder = memmem::Finder::new(&value.to_le_bytes()).into_owned();
        for load in self.elf.loads().filter(|load| !load.executable) {
            self.elf.each_piece(&load, 8, |address, piece| {
                for at in finder.find_iter(piece) {
                    let place = address.wrapping_add(at as u64);
                    if place.is_multiple_of(8) && places.len() < MAX_POINTERS {
                        places.insert(place);
                    }
                }
            })?;
        }
        Ok(places)
    }

    /// Calls `each` with the place and the value of every word that depends on where the program is loaded.
    fn each_relocation(&self, mut each: impl FnMut(u64, u64)) -> Result<(), ElfError> {
        let Some(table) = &self.relocations else { return Ok(()) };
        self.elf.each_piece(table, 0, |_, piece| {
            for entry in piece.chunks_exact(ENTRY) {
                let mut words =
                    entry.chunks_exact(8).filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)));
                if let (Some(at), Some(kind), Some(value)) = (words.next(), words.next(), words.next())
                    && RELATIVE.map(u64::from).contains(&kind)
                {
                    each(at, value);
                }
            }
        })
    }
}
