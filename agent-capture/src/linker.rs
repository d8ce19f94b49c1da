//! Where the dynamic linker finds libraries, so that those of a command can be probed before it starts.

use std::fs;
use std::path::{Path, PathBuf};

use crate::elf::terminated;

/// The cache of glibc's dynamic linker.
const CACHE: &str = "/etc/ld.so.cache";
/// Largest cache that is read.
const MAX_CACHE: u64 = 32 << 20;
/// Beginning of the current format (glibc sysdeps/generic/dl-cache.h).
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// Directories that are always searched, on the distributions at hand.
const DIRECTORIES: [&str; 8] = [
    if cfg!(target_arch = "aarch64") { "/lib/aarch64-linux-gnu" } else { "/lib/x86_64-linux-gnu" },
    if cfg!(target_arch = "aarch64") { "/usr/lib/aarch64-linux-gnu" } else { "/usr/lib/x86_64-linux-gnu" },
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/local/lib64",
];

/// Names and paths of libraries.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    entries: Vec<(String, PathBuf)>,
}

impl Libraries {
    /// Those of this system.
    pub(crate) fn of_system() -> Self {
        let small = fs::metadata(CACHE).is_ok_and(|data| data.len() <= MAX_CACHE);
        let cache = if small { fs::read(CACHE).unwrap_or_default() } else { Vec::new() };
        Self { entries: parse_cache(&cache) }
    }

    /// The file that a name stands for.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let cached = self.entries.iter().filter(|(known, _)| known == name).map(|(_, path)| path.clone());
        let default = DIRECTORIES.iter().map(|directory| Path::new(directory).join(name));
        cached.chain(default).find(|path| path.is_file())
    }

    /// Every library whose name begins with `prefix`.
    pub(crate) fn beginning_with(&self, prefix: &str) -> Vec<PathBuf> {
        let cached =
            self.entries.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, path)| path.clone());
        let mut found: Vec<_> = cached.filter(|path| path.is_file()).collect();
        for directory in DIRECTORIES {
            let Ok(entries) = fs::read_dir(directory) else { continue };
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().starts_with(prefix) && !found.contains(&entry.path()) {
                    found.push(entry.path());
                }
            }
        }
        found
    }
}

/// Parses the cache: after the magic and version (20 bytes) the number of entries, the size of the strings and 20 more bytes; then entries of
/// 24 bytes: flags, offset of the name, offset of the path, OS version, hardware capabilities. Offsets count from the magic. The old format,
/// if there is one in front, is skipped.
fn parse_cache(bytes: &[u8]) -> Vec<(String, PathBuf)> {
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    let Some(start) = bytes.windows(MAGIC.len()).position(|window| window == MAGIC) else {
        return Vec::new();
    };
    let cache = bytes.get(start..).unwrap_or_default();
    let number = |offset: usize| {
        let bytes = cache.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let count = number(MAGIC.len()).unwrap_or_default();
    let text = |offset: usize| cache.get(offset..).map(terminated);
    let entries = cache.get(HEADER..).unwrap_or_default().len() / ENTRY;
    (0..count.min(entries))
        .filter_map(|index| {
            let entry = HEADER + index * ENTRY;
            Some((text(number(entry + 4)?)?, PathBuf::from(text(number(entry + 8)?)?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(u32::try_from(entries.len()).unwrap().to_le_bytes());
        bytes.resize(48, 0);
        let mut strings = Vec::new();
        let base = 48 + 24 * entries.len();
        for (name, path) in entries {
            let name_at = base + strings.len();
            strings.extend([name.as_bytes(), b"\0"].concat());
            let path_at = base + strings.len();
            strings.extend([path.as_bytes(), b"\0"].concat());
            bytes.extend(1u32.to_le_bytes());
            bytes.extend(u32::try_from(name_at).unwrap().to_le_bytes());
            bytes.extend(u32::try_from(path_at).unwrap().to_le_bytes());
            bytes.extend([0; 12]);
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn the_cache_is_read_also_behind_an_old_one() {
        let entries = [("libssl.so.3", "/lib/x/libssl.so.3"), ("libz.so.1", "/lib/x/libz.so.1")];
        let plain = cache(&entries);
        let behind_old = [b"ld.so-1.7.0\0\0\0\0\0".as_slice(), &plain].concat();
        for bytes in [plain, behind_old] {
            let parsed = parse_cache(&bytes);
            assert_eq!(parsed, entries.map(|(name, path)| (name.to_owned(), PathBuf::from(path))));
        }
    }

    #[test]
    fn a_broken_cache_gives_what_is_whole() {
        assert!(parse_cache(b"").is_empty());
        let whole = cache(&[("a", "/a"), ("b", "/b")]);
        for length in 0..whole.len() {
            let _ = parse_cache(&whole[..length]);
        }
    }
}
