//! What tells one file, one version of it, and one content from another.

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::elf::Elf;

/// Bytes at the beginning of a file that are part of its key: the headers, which tell a stripped file from a whole one.
const HEAD: usize = 4096;
/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// One version of one file. Whoever writes to a file changes its change time, and only root can set that back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Version {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified: (i64, i64),
    pub(crate) changed: (i64, i64),
}

impl Version {
    pub(crate) fn of(data: &Metadata) -> Self {
        Self {
            device: data.dev(),
            inode: data.ino(),
            size: data.len(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, inode, size, modified, changed } = self;
        write!(f, "{device} {inode} {size} {} {} {} {}", modified.0, modified.1, changed.0, changed.1)
    }
}

/// A text that is none of these.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl FromStr for Version {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let words: Vec<&str> = text.split(' ').collect();
        let [device, inode, size, m0, m1, c0, c1] = words.as_slice() else { return Err(Malformed) };
        let number = |word: &str| word.parse::<u64>().map_err(|_| Malformed);
        let time = |word: &str| word.parse::<i64>().map_err(|_| Malformed);
        Ok(Self {
            device: number(device)?,
            inode: number(inode)?,
            size: number(size)?,
            modified: (time(m0)?, time(m1)?),
            changed: (time(c0)?, time(c1)?),
        })
    }
}

/// SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(Malformed);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2).ok_or(Malformed)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| Malformed)?;
        }
        Ok(Self(bytes))
    }
}

/// The digest of a file's whole content.
pub(crate) fn digest(file: &File) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut piece, at)?;
        if read == 0 {
            return Ok(Digest(hasher.finalize().into()));
        }
        hasher.update(piece.get(..read).unwrap_or_default());
        at += read as u64;
    }
}

/// What a content is looked up by: its build id, where it has one, else when it was written; its size; and its headers. It names the
/// content well enough to find it, and is no proof of it: anybody can write a build id.
pub(crate) fn key(file: &File, data: &Metadata) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let build_id = Elf::read(file).ok().and_then(|elf| elf.build_id());
    match &build_id {
        Some(id) => hasher.update(id),
        None => hasher.update(format!("{}.{}", data.mtime(), data.mtime_nsec())),
    }
    hasher.update(data.len().to_le_bytes());
    let mut head = vec![0; HEAD];
    let read = file.read_at(&mut head, 0)?;
    hasher.update(head.get(..read).unwrap_or_default());
    let mut key = Digest(hasher.finalize().into()).to_string();
    key.truncate(40);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_digests_are_read_as_they_are_written() {
        let file = File::open("/proc/self/exe").unwrap();
        let version = Version::of(&file.metadata().unwrap());
        assert_eq!(version.to_string().parse(), Ok(version));
        let digest = digest(&file).unwrap();
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for text in ["", "1 2 3", "1 2 3 4 5 6 x", "1 2 3 4 5 6 7 8"] {
            assert_eq!(text.parse::<Version>(), Err(Malformed));
        }
        assert_eq!("ä".repeat(32).parse::<Digest>(), Err(Malformed));
    }

    #[test]
    fn the_key_follows_the_build_id_the_size_and_the_headers() {
        let directory = tempfile::tempdir().unwrap();
        let of = |bytes: &[u8]| {
            let path = directory.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            let file = File::open(path).unwrap();
            let data = file.metadata().unwrap();
            key(&file, &data).unwrap()
        };
        let whole = std::fs::read("/bin/true").unwrap();
        let first = of(&whole);
        if Elf::read(&File::open("/bin/true").unwrap()).unwrap().build_id().is_some() {
            assert_eq!(of(&whole), first, "a copy made later");
        }
        let longer = [whole.as_slice(), b"x"].concat();
        assert_ne!(of(&longer), first);
        let mut other = whole;
        other[48] ^= 1;
        assert_ne!(of(&other), first);
    }
}
