//! Keeps what was found in files between runs, in a folder of its own.
//!
//! What is in it says where probes go, so nothing is believed that somebody else could have written; and an entry is used for a file only if
//! the file is the very one that was searched, or has the same content to the last byte.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, open, openat, renameat, statat, unlinkat};

use crate::saved::Saved;

/// Entries kept at most; the oldest go.
const MAX_ENTRIES: usize = 1024;
/// Largest entry that is read.
const MAX_BYTES: u64 = 1 << 20;
/// Write permission for the group and for others.
const FOREIGN_WRITE: u32 = 0o022;

/// The folder.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: OwnedFd,
    /// Who must own it and everything in it.
    owner: u32,
}

impl Cache {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// In words, when it cannot be had or is not safe.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let owner = rustix::process::geteuid().as_raw();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        }
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.to_string()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(path, flags, Mode::empty()).map_err(|error| error.to_string())?;
        let data = File::from(folder.try_clone().map_err(|error| error.to_string())?)
            .metadata()
            .map_err(|error| error.to_string())?;
        if data.uid() != owner || data.mode() & FOREIGN_WRITE != 0 {
            return Err(format!(
                "it belongs to user {} with mode {:o}; only user {owner} may be able to write to it",
                data.uid(),
                data.mode() & 0o7777
            ));
        }
        Ok(Self { folder, owner })
    }

    /// What is kept under a key; damaged entries are as none.
    pub(crate) fn load(&self, key: &str) -> Option<Saved> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.folder, key, flags, Mode::empty()).ok()?);
        let data = file.metadata().ok()?;
        let safe = data.is_file() && data.uid() == self.owner && data.mode() & FOREIGN_WRITE == 0;
        if !safe || data.len() > MAX_BYTES {
            tracing::warn!(
                key,
                "an entry of the cache is not used: others could have written it, or it is too large"
            );
            return None;
        }
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        let saved = Saved::parse(&text);
        if saved.is_none() {
            tracing::debug!(key, "an entry of the cache is damaged or of another version");
        }
        saved
    }

    /// Keeps it under a key. What cannot be kept is found again next time.
    pub(crate) fn store(&self, key: &str, saved: &Saved) {
        let Some(text) = saved.to_text() else { return };
        if let Err(error) = self.write(key, &text) {
            tracing::debug!(key, %error, "what was found in a file could not be kept");
        }
        self.keep_bounded();
    }

    /// Under another name first, so that a reader sees all of it or nothing.
    fn write(&self, key: &str, text: &str) -> std::io::Result<()> {
        let waiting = format!("{key}.{}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.folder, &waiting, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| Ok(renameat(&self.folder, &waiting, &self.folder, key)?));
        if written.is_err() {
            // It may not be there at all.
            let _ = unlinkat(&self.folder, &waiting, AtFlags::empty());
        }
        written
    }

    fn keep_bounded(&self) {
        let Ok(entries) = Dir::read_from(&self.folder) else { return };
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.file_name().to_owned())
            .filter(|name| !name.to_bytes().starts_with(b"."))
            .collect();
        if names.len() <= MAX_ENTRIES {
            return;
        }
        let age = |name: &std::ffi::CString| {
            statat(&self.folder, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW)
                .map_or((0, 0), |data| (data.st_mtime, data.st_mtime_nsec))
        };
        names.sort_by_cached_key(age);
        // Some more than needed, so that this is rare.
        for name in names.iter().take(names.len() - MAX_ENTRIES * 3 / 4) {
            // Another process may have been first.
            let _ = unlinkat(&self.folder, name.as_c_str(), AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::identity::Digest;

    fn saved() -> Saved {
        Saved { digest: Digest::of(b"x"), files: Vec::new(), findings: None, refuted: [(1, 2)].into() }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_kept_is_there_for_the_next_run() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("below/wirespan");
        Cache::open(&folder).unwrap().store("k", &saved());
        assert_eq!(Cache::open(&folder).unwrap().load("k"), Some(saved()));
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(fs::metadata(folder.join("k")).unwrap().mode() & 0o077, 0);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left of the writing");
    }

    #[test]
    fn what_others_could_have_written_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("c");
        let cache = Cache::open(&folder).unwrap();
        cache.store("k", &saved());
        mode(&folder.join("k"), 0o660);
        assert_eq!(cache.load("k"), None);
        mode(&folder.join("k"), 0o600);
        fs::rename(folder.join("k"), directory.path().join("elsewhere")).unwrap();
        symlink(directory.path().join("elsewhere"), folder.join("k")).unwrap();
        assert_eq!(cache.load("k"), None);
        mode(&folder, 0o777);
        assert!(Cache::open(&folder).unwrap_err().contains("may be able to write"));
    }

    #[test]
    fn a_damaged_entry_is_as_none_and_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(&directory.path().join("c")).unwrap();
        for text in ["", "wirespan findings", "\u{0}\u{1}"] {
            fs::write(directory.path().join("c/k"), text).unwrap();
            mode(&directory.path().join("c/k"), 0o600);
            assert_eq!(cache.load("k"), None);
            cache.store("k", &saved());
            assert_eq!(cache.load("k"), Some(saved()));
        }
    }

    #[test]
    fn the_oldest_entries_go() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("c");
        let cache = Cache::open(&folder).unwrap();
        for number in 0..=MAX_ENTRIES {
            fs::write(folder.join(format!("old{number}")), "").unwrap();
        }
        cache.store("new", &saved());
        assert!(fs::read_dir(&folder).unwrap().count() <= MAX_ENTRIES);
        assert!(cache.load("new").is_some());
    }
}
