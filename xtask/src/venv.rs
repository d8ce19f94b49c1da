//! Virtual Python environments with pinned packages, below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{apt, exec, paths, ui};

/// The Python of an environment of that name that has exactly these packages (`name==version`); made anew when the list
/// has changed, taken as it is when not.
pub(crate) fn python(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = paths::target()?.join(name);
    let python = folder.join("bin/python");
    let stamp = folder.join("installed");
    let pins = packages.join("\n");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == pins) {
        return Ok(python);
    }
    ui::step(&format!("installing {} below {}", packages.join(" "), folder.display()));
    make(&folder)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    exec::run(&mut pip)?;
    fs::write(&stamp, pins).with_context(|| format!("could not write {}", stamp.display()))?;
    Ok(python)
}

fn make(folder: &Path) -> Result<()> {
    if paths::which("python3").is_none() {
        apt::install(&["python3", "python3-venv"])?;
    }
    let venv = |python: &str| {
        let mut command = Command::new(python);
        command.args(["-m", "venv", "--clear"]).arg(folder);
        command
    };
    if exec::succeeds(&mut venv("python3")) {
        return Ok(());
    }
    apt::install(&["python3-venv"]).context("python3 cannot make virtual environments")?;
    exec::run(&mut venv("/usr/bin/python3"))
}
