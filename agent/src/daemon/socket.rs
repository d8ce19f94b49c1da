//! The daemon's unix socket: made private, never taken from a daemon that is alive.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use rustix::{fs::Mode, process::umask};
use tokio::net::{UnixListener, UnixStream};

/// Why the socket cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon listens there.
    #[error("another daemon already listens on {}: stop it, or set another `api.socket`", .0.display())]
    InUse(PathBuf),
    /// Something else is in the way.
    #[error("{} is in the way and is no socket: remove it, or set another `api.socket`", .0.display())]
    NotASocket(PathBuf),
    /// The group does not exist.
    #[error("there is no group `{0}` on this host (`api.group`)")]
    NoSuchGroup(String),
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

/// Listens on `path`, with mode 0600, or 0660 for the group. A socket left behind by a daemon that is gone is replaced.
///
/// # Errors
/// When another daemon listens there, something else is in the way, the group does not exist, or the system refuses.
pub async fn listen(path: &Path, group: Option<&str>) -> Result<UnixListener, SocketError> {
    let failed = |action, source| SocketError::Io { action, path: path.to_owned(), source };
    let gid = match group {
        Some(name) => Some(group_id(name).ok_or_else(|| SocketError::NoSuchGroup(name.to_owned()))?),
        None => None,
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| failed("create the folder of", source))?;
    }
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => match UnixStream::connect(path).await {
            Ok(_) => return Err(SocketError::InUse(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                tracing::warn!("removing {}, left behind by a daemon that is gone", path.display());
                fs::remove_file(path).map_err(|source| failed("remove the stale socket", source))?;
            }
            Err(source) => return Err(failed("look at the old socket", source)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed("look at", source)),
    }
    // From the first moment nobody else may connect.
    let before = umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound.map_err(|source| failed("listen on", source))?;
    if let Some(gid) = gid {
        chown(path, None, Some(gid)).map_err(|source| failed("give the group", source))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))
            .map_err(|source| failed("set the mode of", source))?;
    }
    Ok(listener)
}

/// Number of a group by its name in `/etc/group`, or the number itself.
fn group_id(name: &str) -> Option<u32> {
    if let Ok(id) = name.parse() {
        return Some(id);
    }
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1).and_then(|id| id.parse().ok())).flatten()
    })
}
