//! The table in which Go's runtime looks up the functions on a stack.
//!
//! Layouts: `pcHeader`, `functab` and `_func` of Go's runtime package, the same from Go 1.18 on but for the start of the code, and those of
//! Go 1.16 and 1.17.

use std::collections::HashMap;

use memchr::memmem;

use super::image::Image;
use super::window::Window;
use crate::elf::{Elf, ElfError, Extent, Load};

/// The sections that hold it: of a program with a fixed place, and of one that can be loaded anywhere.
pub(crate) const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];
/// Longest header.
const HEADER: u64 = 72;
/// Most functions that are believed.
const MAX_FUNCTIONS: u64 = 1 << 23;
/// Longest name that is looked for, with the zeros around it.
const MAX_NAME: u64 = 512;
/// Most packages with a `Conn` like that of crypto/tls.
const MAX_PACKAGES: usize = 8;
/// What makes such a package: no other type has a method of this name.
const MARK: &[u8] = b".(*Conn).writeRecordLocked\0";
/// Beginnings of a table that are looked at closer in a file whose sections have no names.
const MAX_GUESSES: usize = 256;
/// Words of the runtime's description of a program that are looked at for the bounds of its code.
const DESCRIPTION: u64 = 48;

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Go 1.16 and 1.17: as addresses.
    Absolute,
    /// From the start of the code.
    Relative,
}

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    address: u64,
    form: Form,
    functions: u64,
    names: Extent,
    /// The entries, and behind them the descriptions of functions that they lead to.
    entries: Extent,
}

/// A function that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Index of its name.
    pub(crate) name: usize,
    pub(crate) function: Place,
}

/// Where a function is, as the table says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    index: u64,
    start: u64,
    end: u64,
}

/// Where the code begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TextStart {
    /// The entries at this address are addresses.
    Entries(u64),
    Known(u64),
}

impl Table {
    pub(crate) fn find(elf: &Elf<'_>) -> Result<Option<Self>, ElfError> {
        if let Some(section) = elf.section(&SECTIONS)? {
            return Ok(Self::read(elf, section));
        }
        let finder = memmem::Finder::new(b"\xff\xff\xff\0\0");
        for load in elf.loads() {
            let mut guesses = Vec::new();
            elf.each_piece(&load, HEADER, |address, piece| {
                for at in finder.find_iter(piece) {
                    let Some(head) = at.checked_sub(1).and_then(|start| piece.get(start..start + 8)) else {
                        continue;
                    };
                    let place = address.wrapping_add(at as u64).wrapping_sub(1);
                    if form(head).is_some() && place.is_multiple_of(8) && guesses.len() < MAX_GUESSES {
                        guesses.push(place);
                    }
                }
            })?;
            for place in guesses {
                let Load { address, size, .. } = load;
                let rest = size.saturating_sub(place.wrapping_sub(address));
                if let Some(table) = Self::read(elf, Extent { address: place, size: rest }) {
                    return Ok(Some(table));
                }
            }
        }
        Ok(None)
    }

    /// The table at a place that is `size` bytes long at most.
    fn read(elf: &Elf<'_>, Extent { address, size }: Extent) -> Option<Self> {
        let header = elf.beginning(address, HEADER.min(size));
        let form = form(&header)?;
        let field = |index: usize| {
            let at = 8 * index;
            Some(u64::from_le_bytes(header.get(at..at.checked_add(8)?)?.try_into().ok()?))
        };
        let first = match form {
            Form::Absolute => 3,
            Form::Relative => 4,
        };
        let functions = field(1)?;
        // Names, compilation units, files, tables by address, entries.
        let offsets =
            [field(first)?, field(first + 1)?, field(first + 2)?, field(first + 3)?, field(first + 4)?];
        let [names, units, .., entries] = offsets;
        let sound = (1..=MAX_FUNCTIONS).contains(&functions)
            && names >= 8 * (first as u64 + 5)
            && offsets.is_sorted()
            && entries < size
            && (functions + 1) * form.entry() <= size - entries;
        let end = address.checked_add(size);
        (sound && end.is_some()).then(|| Self {
            address,
            form,
            functions,
            names: Extent { address: address + names, size: units - names },
            entries: Extent { address: address + entries, size: size - entries },
        })
    }

    /// The packages that have a `Conn` like that of crypto/tls: it, and its forks.
    pub(crate) fn packages(&self, elf: &Elf<'_>) -> Result<Vec<String>, ElfError> {
        let mut packages: Vec<String> = Vec::new();
        let finder = memmem::Finder::new(MARK);
        self.each_piece_of_names(elf, |first, piece| {
            for at in finder.find_iter(piece) {
                let before = piece.get(..at).unwrap_or_default();
                let name = match memchr::memrchr(0, before) {
                    Some(zero) => before.get(zero + 1..),
                    None if first == 0 => Some(before),
                    None => None,
                };
                let Some(Ok(name)) = name.map(std::str::from_utf8) else { continue };
                if !packages.iter().any(|known| known == name) && packages.len() < MAX_PACKAGES {
                    packages.push(name.to_owned());
                }
            }
        })?;
        Ok(packages)
    }

    /// The functions with these names.
    pub(crate) fn functions(&self, elf: &Elf<'_>, names: &[&str]) -> Result<Vec<Found>, ElfError> {
        let places = self.places(elf, names)?;
        let mut found = Vec::new();
        if places.is_empty() {
            return Ok(found);
        }
        let mut entries = Window::new(elf, self.functions * self.form.entry());
        let mut descriptions = Window::new(elf, self.entries.size);
        for index in 0..self.functions {
            let entry = self.entry(&mut entries, index).ok_or(ElfError::Table("functions"))?;
            let name = self.name(&mut descriptions, entry.1).ok_or(ElfError::Table("functions"))?;
            let Some(name) = places.get(&name) else { continue };
            let next = self.entry(&mut entries, index + 1).ok_or(ElfError::Table("functions"))?;
            found.push(Found { name: *name, function: Place { index, start: entry.0, end: next.0 } });
            if found.len() >= places.len() {
                break;
            }
        }
        Ok(found)
    }

    /// Where the code begins that the entries are counted from.
    pub(crate) fn text_start(&self, elf: &Elf<'_>, image: &Image<'_>) -> Result<TextStart, ElfError> {
        if self.form == Form::Absolute {
            return Ok(TextStart::Entries(self.entries.address));
        }
        let mut entries = Window::new(elf, 0);
        let first = self.entry(&mut entries, 0).ok_or(ElfError::Table("functions"))?.0;
        let last = self.entry(&mut entries, self.functions).ok_or(ElfError::Table("functions"))?.0;
        let holds = |start: u64| {
            let inside = |offset: u64| start.checked_add(offset).and_then(|place| elf.file_offset(place));
            first < last && inside(first).is_some() && inside(last - 1).is_some()
        };
        // Up to Go 1.25 it is in the header.
        if let [start] = *image.words(self.address + 24, 1)?
            && start != 0
            && holds(start)
        {
            return Ok(TextStart::Known(start));
        }
        // The description of the program begins with a pointer to the table. It has the ends of the code as two words in a row, which
        // the runtime compares with the table when the program starts.
        for description in image.pointers_to(self.address)? {
            let Ok(words) = image.words(description, DESCRIPTION) else { continue };
            let ends = words.windows(2).find_map(|pair| match *pair {
                [low, high] if high.checked_sub(low) == last.checked_sub(first) => low.checked_sub(first),
                _ => None,
            });
            if let Some(start) = ends.filter(|start| holds(*start)) {
                return Ok(TextStart::Known(start));
            }
        }
        Err(ElfError::Table("start of the code"))
    }

    /// Start of a function, and where its description is.
    fn entry(&self, window: &mut Window<'_>, index: u64) -> Option<(u64, u64)> {
        let at = self.entries.address.checked_add(index.checked_mul(self.form.entry())?)?;
        // Behind the last function only its end is written.
        let last = index == self.functions;
        Some(match self.form {
            Form::Relative => {
                let description = if last { 0 } else { u32::from_le_bytes(window.get(at + 4)?) };
                (u32::from_le_bytes(window.get(at)?).into(), description.into())
            }
            Form::Absolute => {
                let description = if last { 0 } else { u64::from_le_bytes(window.get(at + 8)?) };
                (u64::from_le_bytes(window.get(at)?), description)
            }
        })
    }

    /// Where in the names that of a function stands.
    fn name(&self, window: &mut Window<'_>, description: u64) -> Option<u32> {
        // It begins with the start of the function.
        let at = self.entries.address.checked_add(description)?.checked_add(self.form.entry() / 2)?;
        window.get(at).map(u32::from_le_bytes)
    }

    /// Where each of these names stands.
    fn places(&self, elf: &Elf<'_>, names: &[&str]) -> Result<HashMap<u32, usize>, ElfError> {
        let mut places = HashMap::new();
        let finders: Vec<_> = names
            .iter()
            .map(|name| memmem::Finder::new(&[name.as_bytes(), b"\0"].concat()).into_owned())
            .collect();
        self.each_piece_of_names(elf, |first, piece| {
            for (index, finder) in finders.iter().enumerate() {
                for at in finder.find_iter(piece) {
                    // Else this is the end of another name.
                    let begins = match at.checked_sub(1) {
                        Some(before) => piece.get(before) == Some(&0),
                        None => first == 0,
                    };
                    if let (true, Ok(place)) = (begins, u32::try_from(first + at as u64)) {
                        places.insert(place, index);
                    }
                }
            }
        })?;
        Ok(places)
    }

    fn each_piece_of_names(&self, elf: &Elf<'_>, mut each: impl FnMut(u64, &[u8])) -> Result<(), ElfError> {
        let Extent { address, size } = self.names;
        let part = elf.part(address, size).ok_or(ElfError::Table("names of functions"))?;
        elf.each_piece(&part, MAX_NAME, |at, piece| each(at.wrapping_sub(address), piece))
    }
}

impl Form {
    /// Size of an entry.
    fn entry(self) -> u64 {
        match self {
            Self::Absolute => 16,
            Self::Relative => 8,
        }
    }
}

/// The form of the table whose header this begins: the kind, two zeros, the size of the smallest instruction, the size of an address.
fn form(header: &[u8]) -> Option<Form> {
    match header {
        [0xfa, 0xff, 0xff, 0xff, 0, 0, 1 | 4, 8, ..] => Some(Form::Absolute),
        [0xf0 | 0xf1, 0xff, 0xff, 0xff, 0, 0, 1 | 4, 8, ..] => Some(Form::Relative),
        _ => None,
    }
}

impl TextStart {
    /// The addresses of a function.
    pub(crate) fn extent(&self, image: &Image<'_>, place: Place) -> Result<Extent, ElfError> {
        let outside = || ElfError::Table("function");
        let (start, end) = match self {
            Self::Known(start) => (start.checked_add(place.start), start.checked_add(place.end)),
            Self::Entries(entries) => {
                let words = image.words(entries.wrapping_add(place.index.wrapping_mul(16)), 3)?;
                (words.first().copied(), words.last().copied())
            }
        };
        let (address, end) = start.zip(end).ok_or_else(outside)?;
        let size = end.checked_sub(address).filter(|size| *size > 0).ok_or_else(outside)?;
        Ok(Extent { address, size })
    }
}
