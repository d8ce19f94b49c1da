//! Where things are: the project, its target directory, what tasks put there.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The project's root: the parent of this crate.
pub(crate) fn root() -> Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest.parent().map(Path::to_path_buf);
    root.with_context(|| format!("{} has no parent directory; run this as `cargo xtask`", manifest.display()))
}

/// The target directory of the workspace: `CARGO_TARGET_DIR` (relative to the current directory, as cargo takes it) or `target`.
pub(crate) fn target() -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => std::path::absolute(&dir)
            .with_context(|| format!("CARGO_TARGET_DIR={} is no path", dir.display())),
        _ => Ok(root()?.join("target")),
    }
}

/// The compiled kernel programs: always below the root. The build of `agent-capture` looks for those of this machine's architecture; those
/// of another are handed to it by its variable.
pub(crate) fn kernel_object(arch: &str) -> Result<PathBuf> {
    let name = if arch == env::consts::ARCH {
        "wirespan.bpf.o".to_owned()
    } else {
        format!("wirespan-{arch}.bpf.o")
    };
    Ok(root()?.join("target").join("bpf").join(name))
}

/// The release binary.
pub(crate) fn wirespan() -> Result<PathBuf> {
    Ok(target()?.join("release").join("wirespan"))
}

/// The client programs that tests and demo run.
pub(crate) fn clients() -> Result<PathBuf> {
    Ok(target()?.join("clients"))
}

/// The variable with the folder of recorded traffic.
pub(crate) const CORPUS: &str = "WIRESPAN_CORPUS";

/// The folder of recorded traffic: as set, else beside the checkout.
pub(crate) fn corpus() -> Result<Option<PathBuf>> {
    if let Some(set) = env::var_os(CORPUS).filter(|value| !value.is_empty()) {
        return Ok(Some(set.into()));
    }
    let beside = root()?.join("../shared/corpus");
    if !beside.is_dir() {
        return Ok(None);
    }
    beside.canonicalize().map(Some).with_context(|| format!("could not resolve {}", beside.display()))
}

/// First executable of that name on `PATH`.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

/// Whether the file exists and may be executed by someone.
pub(crate) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
