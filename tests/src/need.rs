//! What a test needs of the machine, and why it is skipped where that is missing.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::programs::{self, Program};

/// Ends the test as skipped when there is a reason to.
///
/// The reason goes to stdout in the form that `cargo xtask test` counts: a line that begins with `skipped: `.
#[macro_export]
macro_rules! skip_if {
    ($reason:expr) => {
        if let Some(reason) = $reason {
            println!("skipped: {reason}");
            return Ok(());
        }
    };
}

/// Why the kernel programs cannot run here; `None` when they can.
///
/// # Errors
/// When they cannot, and `WIRESPAN_REQUIRE_BPF=1` says that they must.
pub fn kernel() -> Result<Option<String>> {
    let reason = kernel_obstacle();
    match &reason {
        Some(reason) if required() => bail!("WIRESPAN_REQUIRE_BPF=1, but {reason}"),
        _ => Ok(reason),
    }
}

/// Why the kernel programs or one of the client programs cannot run here.
///
/// # Errors
/// When they cannot, and `WIRESPAN_REQUIRE_BPF=1` says that they must.
pub fn kernel_and(programs: &[Program]) -> Result<Option<String>> {
    if let Some(reason) = kernel()? {
        return Ok(Some(reason));
    }
    for program in programs {
        if let Err(error) = programs::find(*program) {
            if required() {
                bail!("WIRESPAN_REQUIRE_BPF=1, but {error:#}");
            }
            return Ok(Some(format!("{error:#}")));
        }
    }
    Ok(None)
}

/// The same for programs of the full set (`cargo xtask setup --full`): without one, the test is skipped even where kernel tests are
/// required.
///
/// # Errors
/// When the kernel programs cannot run here, and `WIRESPAN_REQUIRE_BPF=1` says that they must.
pub fn kernel_and_extra(programs: &[Program]) -> Result<Option<String>> {
    if let Some(reason) = kernel()? {
        return Ok(Some(reason));
    }
    let missing = programs.iter().find_map(|program| programs::find(*program).err());
    Ok(missing.map(|error| format!("{error:#} with `--full`")))
}

fn required() -> bool {
    std::env::var("WIRESPAN_REQUIRE_BPF").is_ok_and(|value| value == "1")
}

fn kernel_obstacle() -> Option<String> {
    if !is_root() {
        return Some("kernel tests need root".to_owned());
    }
    if !Path::new("/sys/bus/event_source/devices/uprobe/type").exists() {
        return Some("this kernel has no uprobes (CONFIG_UPROBE_EVENTS)".to_owned());
    }
    wirespan().err().map(|error| format!("{error:#}"))
}

/// Whether this process has the user id 0.
#[must_use]
pub fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    effective.and_then(|ids| ids.split_whitespace().nth(1)).is_some_and(|uid| uid == "0")
}

/// The `wirespan` binary: `WIRESPAN_BIN`, else the release build.
///
/// # Errors
/// When it is not built.
pub fn wirespan() -> Result<PathBuf> {
    let binary = std::env::var_os("WIRESPAN_BIN")
        .map_or_else(|| programs::target().join("release").join("wirespan"), PathBuf::from);
    if !binary.is_file() {
        bail!("{} does not exist: run `cargo xtask build`, or set WIRESPAN_BIN", binary.display());
    }
    Ok(binary)
}
