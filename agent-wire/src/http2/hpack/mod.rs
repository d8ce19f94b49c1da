//! HPACK (RFC 7541): header blocks to fields. Tolerant: what refers to an entry that is not known is left out and counted, never guessed.

mod huffman;
mod integer;
mod table;
#[cfg(test)]
mod tests;

use integer::Reader;
use table::Table;

/// What RFC 9113 section 6.5.2 adds to the octets of a field when the size of a header list is counted.
const FIELD_OVERHEAD: usize = 32;

/// Decodes the header blocks of one direction.
pub(crate) struct Decoder(Table);

/// The fields of one header block.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Names and values, in order; invalid UTF-8 replaced.
    pub(crate) fields: Vec<(String, String)>,
    /// Fields that refer to entries that are not known, and so are left out.
    pub(crate) unknown: usize,
    /// The block is no HPACK from some place on, or its end is missing.
    pub(crate) broken: bool,
    /// The fields were more than the bound; the rest is left out.
    pub(crate) too_long: bool,
}

impl Section {
    /// The first field of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Decoder {
    /// For a direction that is seen from its beginning.
    pub(crate) fn new() -> Self {
        Self(Table::new())
    }

    /// For a direction that began earlier.
    pub(crate) fn joined() -> Self {
        let mut decoder = Self::new();
        decoder.distrust();
        decoder
    }

    /// Header blocks may be missing: no entry known so far can be trusted.
    pub(crate) fn distrust(&mut self) {
        self.0.forget();
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }

    /// Decodes a header block. `max` bounds the fields, in the bytes of RFC 9113 section 6.5.2.
    pub(crate) fn decode(&mut self, block: &[u8], max: usize) -> Section {
        let mut section = Section::default();
        let mut reader = Reader::new(block);
        let mut left = max;
        while let Some(first) = reader.peek() {
            if self.instruction(first, &mut reader, &mut section, &mut left).is_none() {
                section.broken = true;
                self.distrust();
                break;
            }
        }
        section
    }

    /// One instruction (section 6). `None`: it is none.
    fn instruction(
        &mut self,
        first: u8,
        reader: &mut Reader<'_>,
        section: &mut Section,
        left: &mut usize,
    ) -> Option<()> {
        let Self(table) = self;
        match first {
            0x80.. => {
                let index = reader.integer(7).filter(|index| *index > 0)?;
                match table.get(index) {
                    Some((name, value)) => section.push(name, value, left),
                    None => section.unknown += 1,
                }
            }
            0x20..0x40 => {
                let size = reader.integer(5)?;
                table.resize(size);
            }
            _ => {
                let added = first & 0x40 != 0;
                let index = reader.integer(if added { 6 } else { 4 })?;
                let written = if index == 0 { Some(reader.string()?) } else { None };
                let value = reader.string()?;
                let text = String::from_utf8_lossy(&value);
                let (name, length) = match &written {
                    Some(name) => (Some(String::from_utf8_lossy(name).into_owned()), name.len()),
                    None => {
                        let name = table.get(index).map(|(name, _)| name.to_owned());
                        let length = name.as_ref().map_or(0, String::len);
                        (name, length)
                    }
                };
                match &name {
                    Some(name) => section.push(name, &text, left),
                    None => section.unknown += 1,
                }
                if added {
                    table.add(name.as_deref(), &text, (length, value.len()));
                }
            }
        }
        Some(())
    }
}

impl Section {
    fn push(&mut self, name: &str, value: &str, left: &mut usize) {
        let size = name.len().saturating_add(value.len()).saturating_add(FIELD_OVERHEAD);
        match left.checked_sub(size) {
            Some(rest) if !self.too_long => {
                *left = rest;
                self.fields.push((name.to_owned(), value.to_owned()));
            }
            _ => self.too_long = true,
        }
    }
}
