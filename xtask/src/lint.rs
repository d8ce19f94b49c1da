//! `cargo xtask fmt` and `cargo xtask lint`: formatting, clippy, and rules of the project that no lint knows.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{build, exec, java, paths, ui};

/// How to format.
#[derive(Debug, Args, Default)]
pub(crate) struct FmtOptions {
    /// Change nothing; fail when something is not formatted
    #[arg(long)]
    check: bool,
}

/// Manifests outside the workspace.
const OTHERS: &[&str] = &["agent-ebpf/Cargo.toml", "fuzz/Cargo.toml"];
/// Crates that may hold unsafe code, each block with its reason.
const MAY_BE_UNSAFE: &[&str] = &["agent-ebpf", "agent-capture"];

/// Formats every crate.
pub(crate) fn fmt(options: &FmtOptions) -> Result<()> {
    let root = paths::root()?;
    let mut manifests = vec![None];
    manifests.extend(OTHERS.iter().filter(|manifest| root.join(manifest).exists()).map(Some));
    for manifest in manifests {
        let mut command = exec::cargo();
        command.current_dir(&root).arg("fmt");
        match manifest {
            None => command.arg("--all"),
            Some(manifest) => command.arg("--manifest-path").arg(manifest),
        };
        if options.check {
            command.arg("--check");
        }
        exec::run(&mut command)?;
    }
    Ok(())
}

/// Checks everything.
pub(crate) fn run() -> Result<()> {
    let root = paths::root()?;
    fmt(&FmtOptions { check: true })?;
    let mut broken = rules(&root)?;
    broken.extend(java::check(&root)?);
    for line in &broken {
        ui::note(line);
    }
    build::kernel()?;
    let mut clippy = exec::cargo();
    clippy.current_dir(&root).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    exec::run(&mut clippy)?;
    if !broken.is_empty() {
        bail!("{} rule(s) of the project broken, listed above", broken.len());
    }
    Ok(())
}

/// The project's own rules; each broken one as `file: what`.
fn rules(root: &Path) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    let listed = exec::output(Command::new("git").current_dir(root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    for name in listed.lines() {
        let path = root.join(name);
        // Deleted but not yet committed, or no text.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        broken.extend(check_file(name, &text));
    }
    for member in crates(root)? {
        broken.extend(check_unsafe(root, &member));
    }
    Ok(broken)
}

fn check_file(name: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    if name.ends_with(".rs") {
        let mut lines = text.lines().skip_while(|line| line.starts_with("#!") || line.is_empty());
        if !lines.next().is_some_and(|line| line.starts_with("//!")) {
            broken.push(format!("{name}: does not open with a `//!` line that says what it is for"));
        }
    }
    for (number, line) in text.lines().enumerate() {
        if line.contains("#[allow(") && name.ends_with(".rs") && !name.ends_with("lint.rs") {
            broken.push(format!("{name}:{}: `allow`; use `expect` with a reason", number + 1));
        }
        if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            broken.push(format!("{name}:{}: a merge conflict", number + 1));
        }
    }
    broken
}

/// Names of the folders of the workspace's crates.
fn crates(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("could not list {}", root.display()))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

fn check_unsafe(root: &Path, member: &str) -> Vec<String> {
    if MAY_BE_UNSAFE.contains(&member) || member == "fuzz" {
        return Vec::new();
    }
    ["lib.rs", "main.rs"]
        .iter()
        .map(|file| root.join(member).join("src").join(file))
        .filter_map(|file| fs::read_to_string(&file).ok().map(|text| (file, text)))
        .filter(|(_, text)| !text.contains("#![forbid(unsafe_code)]"))
        .map(|(file, _)| format!("{}: lacks `#![forbid(unsafe_code)]`", file.display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_is_for() {
        assert!(check_file("a.rs", "//! Why.\nfn main() {}\n").is_empty());
        assert!(check_file("a.rs", "#![forbid(unsafe_code)]\n//! Why.\n").is_empty());
        assert_eq!(check_file("a.rs", "fn main() {}\n").len(), 1);
    }

    #[test]
    fn exceptions_to_lints_need_a_reason() {
        assert_eq!(check_file("a.rs", "//! Why.\n#[allow(dead_code)]\nfn a() {}\n").len(), 1);
    }
}
