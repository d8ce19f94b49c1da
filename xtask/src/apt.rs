//! Debian packages: what is offered, and installing what is missing.

use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::{exec, paths, ui};

/// Why packages cannot be installed here; `None` when they can.
pub(crate) fn obstacle() -> Option<&'static str> {
    static FOUND: OnceLock<Option<&'static str>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        if paths::which("apt-get").is_none() {
            return Some("this system has no apt-get");
        }
        if is_root() || exec::succeeds(Command::new("sudo").args(["-n", "true"])) {
            return None;
        }
        Some("this needs root (or sudo without a password)")
    })
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    exec::output(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

/// Whether every one of the packages is installed.
pub(crate) fn installed(packages: &[&str]) -> bool {
    packages.iter().all(|package| {
        exec::output(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))
            .is_ok_and(|status| status.trim() == "installed")
    })
}

/// Whether the package lists offer every one of the packages; the lists are fetched first.
pub(crate) fn offers(packages: &[&str]) -> bool {
    if obstacle().is_some() || update().is_err() {
        return false;
    }
    packages.iter().all(|package| {
        exec::output(Command::new("apt-cache").args(["policy", package]))
            .is_ok_and(|policy| policy.lines().any(is_candidate))
    })
}

fn is_candidate(line: &str) -> bool {
    line.trim().strip_prefix("Candidate:").is_some_and(|version| version.trim() != "(none)")
}

/// Installs those of the packages that are missing.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !installed(&[package])).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if let Some(obstacle) = obstacle() {
        bail!("cannot install {}: {obstacle}\nas root, run: apt-get install {0}", missing.join(" "));
    }
    update()?;
    ui::step(&format!("installing {}", missing.join(", ")));
    let mut command = apt_get();
    command.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    exec::run(&mut command).with_context(|| format!("could not install {}", missing.join(", ")))
}

/// Fetches the package lists, once in a run.
fn update() -> Result<()> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let outcome = DONE.get_or_init(|| {
        ui::step("fetching Debian's package lists");
        exec::output(apt_get().args(["update", "-qq"])).map(drop).map_err(|error| format!("{error:#}"))
    });
    outcome.clone().map_err(anyhow::Error::msg)
}

fn apt_get() -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("env");
        command.arg("DEBIAN_FRONTEND=noninteractive");
        command
    } else {
        let mut command = Command::new("sudo");
        command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive"]);
        command
    };
    command.arg("apt-get");
    command
}

#[cfg(test)]
mod tests {
    use super::is_candidate;

    #[test]
    fn a_candidate_is_a_version() {
        assert!(is_candidate("  Candidate: 1.96.0+dfsg1-1~deb12u2"));
        assert!(!is_candidate("  Candidate: (none)"));
        assert!(!is_candidate("  Installed: 1.96.0"));
    }
}
