//! A directory that others can write to, perhaps in another mount namespace: nothing in it is followed out of it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, openat, openat2, unlinkat};

/// File names that are tried.
const MAX_NAMES: u32 = 16;

/// An open directory.
pub(super) struct Directory(OwnedFd);

impl Directory {
    /// A directory as this process sees it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// A directory as another process sees it: links in the path lead where they lead for that process.
    pub(super) fn open_in(root: &Path, path: &Path) -> io::Result<Self> {
        let root = Self::open(root)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(Self(openat2(&root.0, path, flags, Mode::empty(), resolve)?))
    }

    /// Puts a file that everybody can read there, unless the same is there, and returns its name. What others have put there under that
    /// name is neither used nor overwritten.
    pub(super) fn place(&self, stem: &str, content: &[u8]) -> io::Result<String> {
        for attempt in 0..MAX_NAMES {
            let name = if attempt == 0 {
                format!("{stem}-{}.jar", env!("CARGO_PKG_VERSION"))
            } else {
                format!("{stem}-{}-{attempt}.jar", env!("CARGO_PKG_VERSION"))
            };
            if self.holds(&name, content) || self.create(&name, content)? {
                return Ok(name);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("others hold all names like {stem}.jar there"),
        ))
    }

    fn holds(&self, name: &str, content: &[u8]) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let Ok(file) = openat(&self.0, name, flags, Mode::empty()) else { return false };
        let mut present = Vec::new();
        let read = File::from(file).take(content.len() as u64 + 1).read_to_end(&mut present);
        read.is_ok() && present == content
    }

    /// False: the name is taken. Written under a name of its own first, so that nobody reads half of it.
    fn create(&self, name: &str, content: &[u8]) -> io::Result<bool> {
        let draft = format!(".{name}.{}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = match openat(&self.0, &draft, flags, Mode::from_raw_mode(0o644)) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::EXIST) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let written = rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(content));
        let linked = written.and_then(|()| {
            match rustix::fs::linkat(&self.0, &draft, &self.0, name, AtFlags::empty()) {
                Ok(()) => Ok(true),
                Err(rustix::io::Errno::EXIST) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        let _ = unlinkat(&self.0, &draft, AtFlags::empty());
        linked
    }

    /// An empty file, owned by `owner`; it is taken away with what is returned.
    pub(super) fn signpost(&self, name: String, owner: (u32, u32)) -> io::Result<Signpost<'_>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.0, &name, flags, Mode::from_raw_mode(0o600))?;
        let (user, group) = (rustix::fs::Uid::from_raw(owner.0), rustix::fs::Gid::from_raw(owner.1));
        // Only the superuser's and the process's own are believed; without the right to give files away it may be ours and do.
        let _ = rustix::fs::fchown(&file, Some(user), Some(group));
        Ok(Signpost { directory: self, name })
    }

    /// Connects to a socket there; a link of that name is not followed.
    pub(super) fn connect(&self, name: &str) -> io::Result<UnixStream> {
        let socket = openat(&self.0, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        UnixStream::connect(PathBuf::from(format!("/proc/self/fd/{}", socket.as_raw_fd())))
    }
}

/// A file that is there for a while.
pub(super) struct Signpost<'a> {
    directory: &'a Directory,
    name: String,
}

impl Drop for Signpost<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(&self.directory.0, &self.name, AtFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_put_there_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let open = Directory::open(directory.path()).unwrap();
        let first = open.place("thing", b"content").unwrap();
        assert_eq!(open.place("thing", b"content").unwrap(), first);
        std::fs::write(directory.path().join(&first), b"forged").unwrap();
        let second = open.place("thing", b"content").unwrap();
        assert_ne!(first, second);
        assert_eq!(std::fs::read(directory.path().join(&first)).unwrap(), b"forged");
        assert_eq!(std::fs::read(directory.path().join(&second)).unwrap(), b"content");
    }

    #[test]
    fn links_lead_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("target");
        std::fs::write(&target, b"content").unwrap();
        let name = format!("thing-{}.jar", env!("CARGO_PKG_VERSION"));
        std::os::unix::fs::symlink(&target, directory.path().join(&name)).unwrap();
        let open = Directory::open(directory.path()).unwrap();
        assert_ne!(open.place("thing", b"content").unwrap(), name);
        // An absolute link is one of the other root.
        std::os::unix::fs::symlink("/", directory.path().join("tmp")).unwrap();
        let inner = Directory::open_in(directory.path(), Path::new("/tmp")).unwrap();
        inner.place("other", b"content").unwrap();
        assert!(directory.path().join(format!("other-{}.jar", env!("CARGO_PKG_VERSION"))).exists());
    }
}
