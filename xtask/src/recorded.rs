//! Libraries of another architecture: what is looked for in them is tested without a machine that runs them.

use std::path::Path;

use anyhow::Result;

use crate::clients::{is_current, mark, remove};
use crate::debian::{ARCHIVE, Apt, SECURITY};
use crate::ui;

/// Debian's packages for arm64 that hold TLS libraries.
const PACKAGES: [&str; 2] = ["libssl3", "libgnutls30"];

/// Fetches and unpacks them below `folder`.
pub(crate) fn arm64(folder: &Path, refresh: bool) -> Result<()> {
    let content = PACKAGES.join("\n");
    if is_current(folder, &content, refresh) {
        return Ok(());
    }
    ui::step("fetching the TLS libraries of Debian for arm64");
    remove(folder)?;
    let apt = Apt::prepare(folder, "arm64", &[(ARCHIVE, "bookworm"), (SECURITY, "bookworm-security")])?;
    for package in PACKAGES {
        apt.unpack(package)?;
    }
    mark(folder, &content)
}
