//! Reads from an ELF file what probing needs, and no more of the file than that: executables of 100 MB are common.
//!
//! Layouts: System V ABI, ELF-64 object file format.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::decode::Machine;

/// Most bytes read of one table.
const MAX_TABLE: u64 = 256 << 20;
/// Most bytes looked at of a mapped part.
const MAX_PART: u64 = 1 << 30;
/// Bytes of a table held at once.
const PIECE: u64 = 192 << 10;
/// Most bytes of the names of sections that are looked at.
const MAX_SECTION_NAMES: u64 = 1 << 20;
/// Size of an entry of a table of symbols.
const SYMBOL: usize = 24;
/// Where the addresses of processes end, also with page tables of five levels.
const USER_END: u64 = 1 << 56;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;
/// Most bytes read of one segment of notes.
const MAX_NOTES: u64 = 64 << 10;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const STT_FUNC: u8 = 2;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// Why a file could not be read as one to probe.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ElfError {
    #[error("reading it failed: {0}")]
    Read(#[from] std::io::Error),
    #[error("it is not a 64-bit ELF file for this machine")]
    Foreign,
    #[error("its {0} lies outside the file or is larger than {MAX_TABLE} bytes")]
    Table(&'static str),
}

/// Which table of symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SymbolTable {
    /// Those that the dynamic linker sees.
    Dynamic,
    /// All of them; absent from stripped files.
    Full,
}

/// Where a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    pub(crate) address: u64,
    /// In bytes. 0: unknown.
    pub(crate) size: u64,
}

/// A part of the file that is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) address: u64,
    /// In the file.
    pub(crate) offset: u64,
    /// In the file.
    pub(crate) size: u64,
    pub(crate) executable: bool,
    pub(crate) writable: bool,
}

struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_size: u64,
}

struct Section {
    /// Where its name is among those of sections.
    name: u32,
    kind: u32,
    address: u64,
    offset: u64,
    size: u64,
    link: u32,
}

/// What a file asks of the dynamic linker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dynamic {
    /// Names of the libraries that are loaded with it.
    pub(crate) needed: Vec<String>,
    /// Directories to look in first; may begin with `$ORIGIN`.
    pub(crate) search: Vec<String>,
}

/// An ELF file for a machine that is known.
pub(crate) struct Elf<'a> {
    machine: Machine,
    file: &'a File,
    segments: Vec<Segment>,
    sections: Vec<Section>,
    /// Index of the section that holds the names of sections; 0 where they have none.
    section_names: usize,
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..offset.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

impl<'a> Elf<'a> {
    /// Reads the headers of a file for this machine.
    pub(crate) fn read(file: &'a File) -> Result<Self, ElfError> {
        Self::read_for(Machine::NATIVE, file)
    }

    /// Reads the headers of a file for `machine`.
    pub(crate) fn read_for(machine: Machine, file: &'a File) -> Result<Self, ElfError> {
        let header = read_at(file, 0, 64, "header").map_err(|_| ElfError::Foreign)?;
        // Magic, 64-bit, little-endian.
        let named = u16_at(&header, 18).and_then(Machine::of);
        if !header.starts_with(b"\x7fELF\x02\x01") || named != Some(machine) {
            return Err(ElfError::Foreign);
        }
        let field = |offset| u64_at(&header, offset).unwrap_or_default();
        let count = |offset| u64::from(u16_at(&header, offset).unwrap_or_default());
        let segments = table(file, field(32), count(54), count(56), "program headers", parse_segment)?;
        let sections = table(file, field(40), count(58), count(60), "section headers", parse_section)?;
        let section_names = u16_at(&header, 62).unwrap_or_default().into();
        Ok(Self { machine, file, segments, sections, section_names })
    }

    /// The machine that its code is for.
    pub(crate) fn machine(&self) -> Machine {
        self.machine
    }

    /// The sections of a table of symbols and of its names.
    fn symbol_sections(&self, which: SymbolTable) -> Result<Option<(&Section, &Section)>, ElfError> {
        let kind = match which {
            SymbolTable::Dynamic => SHT_DYNSYM,
            SymbolTable::Full => SHT_SYMTAB,
        };
        let Some(section) = self.sections.iter().find(|section| section.kind == kind) else {
            return Ok(None);
        };
        let names = usize::try_from(section.link).ok().and_then(|link| self.sections.get(link));
        names.map(|names| Some((section, names))).ok_or(ElfError::Table("symbol names"))
    }

    /// The defined functions of a table that have one of these names, with the index of the name.
    ///
    /// Neither table is held as a whole: the names are searched for first, then the symbols for those that point to them.
    pub(crate) fn named(&self, which: SymbolTable, names: &[&str]) -> Result<Vec<(usize, Extent)>, ElfError> {
        let Some((symbols, texts)) = self.symbol_sections(which)? else { return Ok(Vec::new()) };
        let places = name_places(self.file, texts, names)?;
        let mut found = Vec::new();
        if !places.is_empty() {
            each_function(self.file, symbols, |name, extent| {
                if let Some(index) = places.get(&name) {
                    found.push((*index, extent));
                }
            })?;
        }
        Ok(found)
    }

    /// The defined functions of a table whose names contain one of these texts, with the index of the text.
    pub(crate) fn containing(
        &self,
        which: SymbolTable,
        texts: &[&str],
    ) -> Result<Vec<(usize, Extent)>, ElfError> {
        let Some((symbols, names)) = self.symbol_sections(which)? else { return Ok(Vec::new()) };
        let places = texts_in_names(self.file, names, texts)?;
        let mut found = Vec::new();
        if !places.is_empty() {
            each_function(self.file, symbols, |name, extent| {
                if let Some(index) = places.get(&name) {
                    found.push((*index, extent));
                }
            })?;
        }
        Ok(found)
    }

    /// Calls `each` with every defined function of a table.
    pub(crate) fn functions(&self, which: SymbolTable, mut each: impl FnMut(Extent)) -> Result<(), ElfError> {
        match self.symbol_sections(which)? {
            Some((symbols, _)) => each_function(self.file, symbols, |_, extent| each(extent)),
            None => Ok(()),
        }
    }

    /// Offset in the file of an address in an executable segment.
    pub(crate) fn file_offset(&self, address: u64) -> Option<u64> {
        let executable =
            self.segments.iter().filter(|segment| segment.kind == PT_LOAD && segment.flags & PF_X != 0);
        executable.into_iter().find_map(|segment| segment.locate(address))
    }

    /// The build id that the linker wrote, if it wrote one.
    pub(crate) fn build_id(&self) -> Option<Vec<u8>> {
        let notes = self.segments.iter().filter(|segment| segment.kind == PT_NOTE);
        notes.into_iter().find_map(|segment| {
            build_id(&read_at(self.file, segment.offset, segment.file_size.min(MAX_NOTES), "notes").ok()?)
        })
    }

    /// The bytes at an address in an executable segment.
    pub(crate) fn code(&self, address: u64, length: u64) -> Result<Vec<u8>, ElfError> {
        let offset = self.file_offset(address).ok_or(ElfError::Table("code"))?;
        read_at(self.file, offset, length, "code")
    }

    /// The parts that are mapped.
    pub(crate) fn loads(&self) -> impl Iterator<Item = Load> {
        self.segments.iter().filter(|segment| segment.kind == PT_LOAD).map(|segment| Load {
            address: segment.address,
            offset: segment.offset,
            size: segment.file_size,
            executable: segment.flags & PF_X != 0,
            writable: segment.flags & PF_W != 0,
        })
    }

    /// The part at an address, if all of it is in one that is mapped.
    pub(crate) fn part(&self, address: u64, size: u64) -> Option<Load> {
        self.loads().find_map(|load| {
            let within = address.checked_sub(load.address)?;
            let fits = within.checked_add(size).is_some_and(|end| end <= load.size);
            let offset = load.offset.checked_add(within)?;
            fits.then_some(Load { address, offset, size, ..load })
        })
    }

    /// Whether its sections have names. They are not needed to run it, but strip leaves them.
    pub(crate) fn names_sections(&self) -> bool {
        self.sections.get(self.section_names).is_some_and(|names| names.kind == SHT_STRTAB)
    }

    /// The first section that is mapped from the file and has one of these names.
    pub(crate) fn section(&self, names: &[&str]) -> Result<Option<Extent>, ElfError> {
        if !self.names_sections() {
            return Ok(None);
        }
        let Some(texts) = self.sections.get(self.section_names) else { return Ok(None) };
        let texts = read_at(self.file, texts.offset, texts.size.min(MAX_SECTION_NAMES), "section names")?;
        let is_named = |section: &&Section| {
            let start = usize::try_from(section.name).ok();
            let rest = start.and_then(|start| texts.get(start..)).unwrap_or_default();
            let is =
                |name: &&str| rest.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0));
            section.address != 0 && section.kind != SHT_NOBITS && names.iter().any(is)
        };
        let section = self.sections.iter().find(is_named);
        Ok(section.map(|section| Extent { address: section.address, size: section.size }))
    }

    /// Address and size of `.eh_frame_hdr`.
    pub(crate) fn frame_header(&self) -> Option<(u64, u64)> {
        let segment = self.segments.iter().find(|segment| segment.kind == PT_GNU_EH_FRAME)?;
        Some((segment.address, segment.file_size))
    }

    /// The bytes at an address in any segment.
    pub(crate) fn data(&self, address: u64, length: u64) -> Result<Vec<u8>, ElfError> {
        let mut loads = self.segments.iter().filter(|segment| segment.kind == PT_LOAD);
        let offset = loads.find_map(|segment| segment.locate(address)).ok_or(ElfError::Table("data"))?;
        read_at(self.file, offset, length, "data")
    }

    /// Up to `length` bytes at an address in any segment: fewer at its end, none elsewhere.
    pub(crate) fn beginning(&self, address: u64, length: u64) -> Vec<u8> {
        let mut loads = self.segments.iter().filter(|segment| segment.kind == PT_LOAD);
        let within = loads.find_map(|segment| {
            let offset = segment.locate(address)?;
            Some((offset, length.min(segment.file_size - (address - segment.address))))
        });
        within
            .and_then(|(offset, length)| read_at(self.file, offset, length, "data").ok())
            .unwrap_or_default()
    }

    /// Calls `each` with the pieces of a mapped part, which overlap by `overlap` bytes, and the address of each. `overlap` is less than
    /// a piece.
    ///
    /// # Errors
    /// When the file ends before the part does.
    pub(crate) fn each_piece(
        &self,
        load: &Load,
        overlap: u64,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Result<(), ElfError> {
        let end = load.size.min(MAX_PART);
        let mut at = 0;
        while at < end {
            let length = PIECE.min(end - at);
            let offset = load.offset.checked_add(at).ok_or(ElfError::Table("mapped part"))?;
            let address = load.address.checked_add(at).ok_or(ElfError::Table("mapped part"))?;
            each(address, &read_at(self.file, offset, length, "mapped part")?);
            if at + length >= end {
                break;
            }
            at += length - overlap;
        }
        Ok(())
    }

    /// The entries of the dynamic section.
    pub(crate) fn dynamic_entries(&self) -> Result<Vec<(u64, u64)>, ElfError> {
        let Some(segment) = self.segments.iter().find(|segment| segment.kind == PT_DYNAMIC) else {
            return Ok(Vec::new());
        };
        let entries = read_at(self.file, segment.offset, segment.file_size, "dynamic section")?;
        let entries = entries.chunks_exact(16);
        Ok(entries.filter_map(|entry| Some((u64_at(entry, 0)?, u64_at(entry, 8)?))).collect())
    }

    /// What it asks of the dynamic linker; empty for a static file.
    pub(crate) fn dynamic(&self) -> Result<Dynamic, ElfError> {
        let entries = self.dynamic_entries()?;
        let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
        let (Some(address), Some(size)) = (value(DT_STRTAB), value(DT_STRSZ)) else {
            return Ok(Dynamic::default());
        };
        let loads = self.segments.iter().filter(|segment| segment.kind == PT_LOAD);
        let offset = loads.into_iter().find_map(|segment| segment.locate(address));
        let names =
            read_at(self.file, offset.ok_or(ElfError::Table("dynamic names"))?, size, "dynamic names")?;
        let mut dynamic = Dynamic::default();
        for (tag, value) in &entries {
            let text = usize::try_from(*value).ok().and_then(|start| names.get(start..)).map(terminated);
            let Some(text) = text else { continue };
            match *tag {
                DT_NEEDED => dynamic.needed.push(text),
                DT_RPATH | DT_RUNPATH => dynamic.search.extend(text.split(':').map(str::to_owned)),
                _ => {}
            }
        }
        Ok(dynamic)
    }
}

impl Segment {
    fn locate(&self, address: u64) -> Option<u64> {
        let within = address.checked_sub(self.address).filter(|within| *within < self.file_size)?;
        within.checked_add(self.offset)
    }
}

/// Notes: sizes of name and description, type, then both, each padded to four bytes.
fn build_id(mut notes: &[u8]) -> Option<Vec<u8>> {
    loop {
        let name_size = usize::try_from(u32_at(notes, 0)?).ok()?;
        let size = usize::try_from(u32_at(notes, 4)?).ok()?;
        let kind = u32_at(notes, 8)?;
        let start = name_size.checked_next_multiple_of(4)?.checked_add(12)?;
        let end = start.checked_add(size)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..12 + name_size)? == b"GNU\0" && size > 0 {
            return notes.get(start..end).map(<[u8]>::to_vec);
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}

/// Text up to the first zero.
pub(crate) fn terminated(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// Calls `each` with pieces of a section that overlap by `overlap` bytes, and the offset of each in the section.
fn pieces(
    file: &File,
    section: &Section,
    overlap: u64,
    what: &'static str,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<(), ElfError> {
    if section.size > MAX_TABLE {
        return Err(ElfError::Table(what));
    }
    let mut at = 0;
    while at < section.size {
        let length = PIECE.min(section.size - at);
        let offset = section.offset.checked_add(at).ok_or(ElfError::Table(what))?;
        each(at, &read_at(file, offset, length, what)?);
        if at + length >= section.size {
            break;
        }
        at += length - overlap;
    }
    Ok(())
}

/// Where in a table of names each of `names` stands. A name may be the end of a longer one: linkers share them. A versioned name is
/// written NAME@VERSION.
fn name_places(file: &File, texts: &Section, names: &[&str]) -> Result<HashMap<u32, usize>, ElfError> {
    const LONGEST: u64 = 64;
    let mut places = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        let finder = memchr::memmem::Finder::new(name);
        pieces(file, texts, LONGEST, "symbol names", |offset, piece| {
            for at in finder.find_iter(piece) {
                let ends = matches!(piece.get(at + name.len()), Some(0 | b'@'));
                if let (true, Ok(place)) = (ends, u32::try_from(offset + at as u64)) {
                    places.insert(place, index);
                }
            }
        })?;
    }
    Ok(places)
}

/// Where the names in a table begin that contain one of `texts`, which may not be the beginning of a name that another one ends in: true
/// of mangled names.
fn texts_in_names(file: &File, names: &Section, texts: &[&str]) -> Result<HashMap<u32, usize>, ElfError> {
    /// Longest part of a name up to the end of the text.
    const LONGEST: u64 = 2048;
    let mut places = HashMap::new();
    for (index, text) in texts.iter().enumerate() {
        let finder = memchr::memmem::Finder::new(text);
        pieces(file, names, LONGEST, "symbol names", |offset, piece| {
            for at in finder.find_iter(piece) {
                let before = piece.get(..at).and_then(|before| memchr::memrchr(0, before));
                // Without a zero before it, it is in the piece before, whole.
                let Some(start) = before else { continue };
                if let Ok(place) = u32::try_from(offset + start as u64 + 1) {
                    places.insert(place, index);
                }
            }
        })?;
    }
    Ok(places)
}

/// Calls `each` with the name's place and the extent of every defined function.
fn each_function(file: &File, symbols: &Section, mut each: impl FnMut(u32, Extent)) -> Result<(), ElfError> {
    // Pieces are whole numbers of entries.
    const { assert!(PIECE.is_multiple_of(SYMBOL as u64)) };
    pieces(file, symbols, 0, "symbols", |_, piece| {
        for symbol in piece.chunks_exact(SYMBOL) {
            let fields =
                (u32_at(symbol, 0), symbol.get(4), u16_at(symbol, 6), u64_at(symbol, 8), u64_at(symbol, 16));
            let (Some(name), Some(info), Some(section), Some(address), Some(size)) = fields else { continue };
            if info & 0xf == STT_FUNC && section != 0 && address != 0 {
                each(name, Extent { address, size });
            }
        }
    })
}

fn read_at(file: &File, offset: u64, size: u64, what: &'static str) -> Result<Vec<u8>, ElfError> {
    let length = file.metadata()?.len();
    let end = offset.checked_add(size).ok_or(ElfError::Table(what))?;
    if end > length || size > MAX_TABLE {
        return Err(ElfError::Table(what));
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| ElfError::Table(what))?];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn table<T>(
    file: &File,
    offset: u64,
    entry_size: u64,
    count: u64,
    what: &'static str,
    parse: fn(&[u8]) -> Option<T>,
) -> Result<Vec<T>, ElfError> {
    if offset == 0 || entry_size == 0 || count == 0 {
        return Ok(Vec::new());
    }
    let bytes = read_at(file, offset, entry_size * count, what)?;
    let entry_size = usize::try_from(entry_size).map_err(|_| ElfError::Table(what))?;
    Ok(bytes.chunks_exact(entry_size).filter_map(parse).collect())
}

/// One that no process can have mapped is none: sums of addresses and lengths stay in bounds then.
fn parse_segment(bytes: &[u8]) -> Option<Segment> {
    let segment = Segment {
        kind: u32_at(bytes, 0)?,
        flags: u32_at(bytes, 4)?,
        offset: u64_at(bytes, 8)?,
        address: u64_at(bytes, 16)?,
        file_size: u64_at(bytes, 32)?,
    };
    let end = segment.address.checked_add(segment.file_size)?;
    (end <= USER_END).then_some(segment)
}

fn parse_section(bytes: &[u8]) -> Option<Section> {
    Some(Section {
        name: u32_at(bytes, 0)?,
        kind: u32_at(bytes, 4)?,
        address: u64_at(bytes, 16)?,
        offset: u64_at(bytes, 24)?,
        size: u64_at(bytes, 32)?,
        link: u32_at(bytes, 40)?,
    })
}
