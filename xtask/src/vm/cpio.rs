//! Writes an initramfs: an uncompressed cpio archive in the "newc" form of the kernel's buffer-format.rst.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o04_0000;
const REGULAR: u32 = 0o10_0000;
const LINK: u32 = 0o12_0000;

/// An archive that is being written. Everything belongs to root.
pub(super) struct Archive {
    out: BufWriter<File>,
    number: u32,
    position: u64,
    known: BTreeSet<PathBuf>,
}

impl Archive {
    /// Begins an archive.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("could not create {}", path.display()))?;
        Ok(Self { out: BufWriter::new(file), number: 0, position: 0, known: BTreeSet::new() })
    }

    /// Whether a path is in it already.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.known.contains(path)
    }

    /// A directory and those above it, as far as they are missing.
    pub(super) fn directory(&mut self, path: &Path) -> Result<()> {
        if path.parent().is_none() || self.has(path) {
            return Ok(());
        }
        self.parents(path)?;
        self.header(path, DIRECTORY | 0o755, 0)
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &Path, target: &Path) -> Result<()> {
        if self.has(path) {
            return Ok(());
        }
        self.parents(path)?;
        let target = target.as_os_str().as_encoded_bytes();
        self.header(path, LINK | 0o777, target.len() as u64)?;
        self.content(target)?;
        self.pad()
    }

    /// A file with this content.
    pub(super) fn text(&mut self, path: &Path, mode: u32, content: &str) -> Result<()> {
        if self.has(path) {
            return Ok(());
        }
        self.parents(path)?;
        self.header(path, REGULAR | mode, content.len() as u64)?;
        self.content(content.as_bytes())?;
        self.pad()
    }

    /// A copy of a file of the host.
    pub(super) fn file(&mut self, path: &Path, source: &Path) -> Result<()> {
        if self.has(path) {
            return Ok(());
        }
        self.parents(path)?;
        let failed = || format!("could not read {}", source.display());
        let file = File::open(source).with_context(failed)?;
        let meta = file.metadata().with_context(failed)?;
        self.header(path, REGULAR | (meta.mode() & 0o777), meta.len())?;
        let copied = io::copy(&mut file.take(meta.len()), &mut self.out).with_context(failed)?;
        anyhow::ensure!(copied == meta.len(), "{} became shorter while it was read", source.display());
        self.position += copied;
        self.pad()
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> Result<()> {
        self.number = 0;
        self.header(Path::new("TRAILER!!!"), 0, 0)?;
        self.out.flush().context("could not write the archive")
    }

    fn parents(&mut self, path: &Path) -> Result<()> {
        match path.parent() {
            Some(parent) => self.directory(parent),
            None => Ok(()),
        }
    }

    fn header(&mut self, path: &Path, mode: u32, size: u64) -> Result<()> {
        self.known.insert(path.to_path_buf());
        self.number += 1;
        let name = path.strip_prefix("/").unwrap_or(path).as_os_str().as_encoded_bytes();
        let size = u32::try_from(size).with_context(|| format!("{} is too large", path.display()))?;
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        // Magic, inode, mode, uid, gid, links, mtime, size, device (2), device of a node (2), length of the name with its zero, checksum.
        let fields = [self.number, mode, 0, 0, links, 0, size, 0, 0, 0, 0, u32::try_from(name.len() + 1)?, 0];
        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08X}"));
        }
        self.content(header.as_bytes())?;
        self.content(name)?;
        self.content(&[0])?;
        self.pad()
    }

    fn content(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).context("could not write the archive")?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Headers and contents begin at multiples of four.
    fn pad(&mut self) -> Result<()> {
        while !self.position.is_multiple_of(4) {
            self.content(&[0])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_directories_come_first() {
        let path = std::env::temp_dir().join(format!("xtask-cpio-{}", std::process::id()));
        let mut archive = Archive::create(&path).unwrap();
        archive.text(Path::new("/etc/hosts"), 0o644, "abcde").unwrap();
        archive.link(Path::new("/bin"), Path::new("usr/bin")).unwrap();
        archive.text(Path::new("/etc/hosts"), 0o644, "again").unwrap();
        archive.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let places: Vec<usize> =
            (0..bytes.len() - 6).filter(|at| bytes[*at..].starts_with(b"070701")).collect();
        assert_eq!(places.len(), 4, "etc, etc/hosts, bin, the trailer");
        assert!(places.iter().all(|place| place.is_multiple_of(4)));
        assert!(bytes[places[0]..].starts_with(b"07070100000001000041ED"));
        assert_eq!(&bytes[places[1] + 110..places[1] + 121], b"etc/hosts\0a");
    }
}
