//! What a Go program says of its own build. Layout: the comment in Go's debug/buildinfo package.

use std::fmt;

use super::image::Image;
use super::table::SECTIONS;
use crate::decode::Machine;
use crate::elf::{Elf, ElfError};

const SECTION: &str = ".go.buildinfo";
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Aligned to this.
const ALIGNMENT: usize = 16;
/// How far into a writable part of the file it is looked for where no section names it.
const MAX_SEARCH: u64 = 1 << 20;
/// Bytes before the text of the version.
const HEADER: usize = 32;
/// Longest version that is believed.
const MAX_VERSION: u64 = 256;
/// Flag: the texts follow the header. Else pointers to them are in it.
const INLINE: u8 = 2;

/// The first version that passes arguments in registers.
pub(crate) fn oldest(machine: Machine) -> Version {
    let minor = match machine {
        Machine::X86_64 => 17,
        Machine::Aarch64 => 18,
    };
    Version { major: 1, minor }
}

/// Of Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "go{}.{}", self.major, self.minor)
    }
}

/// What built a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// `None`: it does not say.
    version: Option<Version>,
}

impl fmt::Display for Build {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(formatter, "it was built by {version}"),
            None => formatter.write_str("it was built by an unknown version of Go"),
        }
    }
}

impl Build {
    /// `None`: this is no Go program.
    pub(crate) fn find(elf: &Elf<'_>) -> Result<Option<Self>, ElfError> {
        let place = if elf.names_sections() {
            match elf.section(&[SECTION])? {
                Some(section) => Some(section.address),
                None if elf.section(&SECTIONS)?.is_some() => None,
                None => return Ok(None),
            }
        } else {
            match search(elf) {
                Some(place) => Some(place),
                None => return Ok(None),
            }
        };
        let text = place.map(|place| version_text(elf, place)).transpose()?.flatten();
        Ok(Some(Self { version: text.as_deref().and_then(version) }))
    }

    /// Why a program that was built so cannot be probed.
    pub(crate) fn problem(&self, machine: Machine) -> Option<String> {
        let oldest = oldest(machine);
        self.version.filter(|version| *version < oldest).map(|_| {
            format!("{self}, which passes arguments on the stack: only programs of {oldest} and newer are captured")
        })
    }
}

/// Looks at the beginnings of what the program can write to, where linkers put it.
fn search(elf: &Elf<'_>) -> Option<u64> {
    let parts = elf.loads().filter(|load| load.writable);
    parts.into_iter().find_map(|load| {
        let bytes = elf.beginning(load.address, MAX_SEARCH);
        let mut places = memchr::memmem::find_iter(&bytes, MAGIC);
        let at = places.find(|at| at.is_multiple_of(ALIGNMENT))?;
        load.address.checked_add(at as u64)
    })
}

fn version_text(elf: &Elf<'_>, place: u64) -> Result<Option<String>, ElfError> {
    let head = elf.beginning(place, HEADER as u64 + 2 + MAX_VERSION);
    if !head.starts_with(MAGIC) {
        return Ok(None);
    }
    let flags = head.get(15).copied().unwrap_or_default();
    if flags & INLINE != 0 {
        return Ok(inline(head.get(HEADER..).unwrap_or_default()));
    }
    let Some(pointer) = head.get(16..24).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    else {
        return Ok(None);
    };
    let image = Image::new(elf)?;
    // In a file that is relocated when it is loaded, the word itself may be empty.
    let pointer = match image.words(place.wrapping_add(16), 1).as_deref() {
        Ok([pointer]) => *pointer,
        _ => pointer,
    };
    let Ok([address, length]) = image.words(pointer, 2).map(|words| [word(&words, 0), word(&words, 1)])
    else {
        return Ok(None);
    };
    let bytes = elf.beginning(address, length.min(MAX_VERSION));
    Ok(String::from_utf8(bytes).ok())
}

fn word(words: &[u64], index: usize) -> u64 {
    words.get(index).copied().unwrap_or_default()
}

/// A text behind its length, which is a varint of at most two bytes here.
fn inline(bytes: &[u8]) -> Option<String> {
    let (length, text) = match bytes {
        [low @ 0..0x80, text @ ..] => (usize::from(*low), text),
        [low, high @ 0..0x80, text @ ..] => (usize::from(low & 0x7f) | usize::from(*high) << 7, text),
        _ => return None,
    };
    Some(String::from_utf8_lossy(text.get(..length)?).into_owned())
}

/// The version in a text such as `go1.22.3`, `go1.26 X:boringcrypto` or `devel go1.23-0e4e2b2`.
fn version(text: &str) -> Option<Version> {
    let (_, numbers) = text.split_once("go")?;
    let mut numbers = numbers.split(|character: char| !character.is_ascii_digit());
    Some(Version { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(text: &str) -> Option<u32> {
        version(text).map(|version| version.minor)
    }

    #[test]
    fn versions_are_read_in_every_form() {
        assert_eq!(minor("go1.22.3"), Some(22));
        assert_eq!(minor("go1.26"), Some(26));
        assert_eq!(minor("go1.18rc1"), Some(18));
        assert_eq!(minor("go1.21.1 X:boringcrypto"), Some(21));
        assert_eq!(minor("devel go1.23-0e4e2b2 Mon"), Some(23));
        assert_eq!(minor("devel +a1b2c3"), None);
        assert_eq!(minor("go"), None);
        assert_eq!(minor(""), None);
    }

    #[test]
    fn what_is_older_is_refused_in_words() {
        let build = Build { version: version("go1.16.15") };
        let problem = build.problem(Machine::X86_64).unwrap();
        assert!(problem.contains("go1.16") && problem.contains("go1.17 and newer"), "{problem}");
        assert_eq!(Build { version: version("go1.17") }.problem(Machine::X86_64), None);
        assert!(Build { version: version("go1.17") }.problem(Machine::Aarch64).is_some());
        assert_eq!(Build { version: version("go2.0") }.problem(Machine::X86_64), None);
        assert_eq!(Build { version: None }.problem(Machine::X86_64), None);
    }

    #[test]
    fn inline_texts_have_short_and_long_lengths() {
        assert_eq!(inline(b"\x06go1.20rest").as_deref(), Some("go1.20"));
        assert_eq!(inline(&[&[0x80, 0x01][..], &[b'g'; 128]].concat()), Some("g".repeat(128)));
        assert_eq!(inline(b"\x07go1.20"), None);
        assert_eq!(inline(b"\x80\x80\x01"), None);
        assert_eq!(inline(b""), None);
    }
}
