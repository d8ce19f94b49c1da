//! Debian's kernels, from the suites that carry them.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::debian::{ARCHIVE, Apt, SECURITY};
use crate::{exec, ui};

/// A suite and its lines of sources.
struct Suite {
    name: &'static str,
    archives: &'static [(&'static str, &'static str)],
}

/// The package that stands for the newest kernel of a suite: small, and made for virtual machines.
const NEWEST: &str = "linux-image-cloud-amd64";
/// Modules that the tests use and these kernels do not have built in.
const MODULES: [&str; 1] = ["overlay.ko"];

/// Oldest first. The first is the floor that the capture states: Linux 5.10.
const SUITES: [Suite; 5] = [
    Suite { name: "bullseye", archives: &[(ARCHIVE, "bullseye"), (SECURITY, "bullseye-security")] },
    Suite { name: "bookworm", archives: &[(ARCHIVE, "bookworm"), (SECURITY, "bookworm-security")] },
    Suite { name: "trixie", archives: &[(ARCHIVE, "trixie"), (SECURITY, "trixie-security")] },
    Suite { name: "sid", archives: &[(ARCHIVE, "sid")] },
    Suite { name: "experimental", archives: &[(ARCHIVE, "experimental")] },
];

/// A kernel that can be booted.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    /// Debian's name of the suite that it is from.
    pub(super) suite: &'static str,
    /// Version of its package.
    pub(super) package_version: String,
    /// The compressed kernel.
    pub(super) image: PathBuf,
    /// Modules, ready to be loaded.
    pub(super) modules: Vec<PathBuf>,
}

/// Every kernel that can be had, and why others cannot.
pub(super) fn fetch(folder: &Path, only: Option<&str>, refresh: bool) -> Result<(Vec<Kernel>, Vec<String>)> {
    let (mut kernels, mut refused) = (Vec::new(), Vec::new());
    for suite in SUITES.iter().filter(|suite| only.is_none_or(|only| suite.name.contains(only))) {
        match one(&folder.join("kernels").join(suite.name), suite, refresh) {
            Ok(kernel) => kernels.push(kernel),
            Err(error) => refused.push(format!("Debian {}: {error:#}", suite.name)),
        }
    }
    Ok((kernels, refused))
}

/// A static busybox, the guest's own programs, of the suite bookworm.
pub(super) fn busybox(folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("busybox");
    let program = folder.join("root/bin/busybox");
    if !program.exists() {
        let suite = SUITES.iter().find(|suite| suite.name == "bookworm").context("no such suite")?;
        let apt = Apt::prepare(&folder, "amd64", suite.archives)?;
        apt.unpack("busybox-static")?;
    }
    if program.exists() { Ok(program) } else { bail!("the package busybox-static holds no bin/busybox") }
}

fn one(folder: &Path, suite: &'static Suite, refresh: bool) -> Result<Kernel> {
    let (done, root) = (folder.join("version"), folder.join("root"));
    if refresh || !done.exists() {
        crate::clients::remove(folder)?;
        ui::step(&format!("fetching the kernel of Debian {}", suite.name));
        let apt = Apt::prepare(folder, "amd64", suite.archives)?;
        let version = apt.field(NEWEST, "Version")?;
        for package in parts(&apt, NEWEST)? {
            apt.unpack(&package)?;
        }
        fs::write(&done, version).with_context(|| format!("could not write {}", done.display()))?;
    }
    let package_version =
        fs::read_to_string(&done).with_context(|| format!("could not read {}", done.display()))?;
    let image = find(&root, &|name| name.starts_with("vmlinuz"))?
        .with_context(|| format!("no kernel in the packages below {}", root.display()))?;
    let mut modules = Vec::new();
    for module in MODULES {
        if let Some(path) = find(&root, &|name| name.strip_suffix(".xz").unwrap_or(name) == module)? {
            modules.push(unpacked(path)?);
        }
    }
    Ok(Kernel { suite: suite.name, package_version, image, modules })
}

/// Newer packages hold their modules compressed.
fn unpacked(path: PathBuf) -> Result<PathBuf> {
    if path.extension().is_none_or(|extension| extension != "xz") {
        return Ok(path);
    }
    exec::output(Command::new("xz").args(["--decompress", "--force", "--"]).arg(&path))?;
    Ok(path.with_extension(""))
}

fn find(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if let Some(found) = find(&entry.path(), wanted)? {
                return Ok(Some(found));
            }
        } else if kind.is_file() && wanted(&entry.file_name().to_string_lossy()) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// The packages that a kernel consists of: those that this one asks for, and that they ask for, as far as they are parts of a kernel.
fn parts(apt: &Apt, package: &str) -> Result<Vec<String>> {
    let mut parts = Vec::new();
    let mut waiting = VecDeque::from(kernel_packages(&apt.field(package, "Depends")?));
    while let Some(package) = waiting.pop_front() {
        if !parts.contains(&package) {
            waiting.extend(kernel_packages(&apt.field(&package, "Depends")?));
            parts.push(package);
        }
    }
    Ok(parts)
}

/// Those of a list of dependencies that are parts of a kernel.
fn kernel_packages(depends: &str) -> Vec<String> {
    const PARTS: [&str; 3] = ["linux-image-", "linux-binary-", "linux-modules-"];
    let names = depends.split(',').filter_map(|one| one.split_whitespace().next());
    names.filter(|name| PARTS.iter().any(|part| name.starts_with(part))).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::kernel_packages;

    #[test]
    fn the_parts_of_a_kernel_are_told_from_what_else_it_asks_for() {
        let depends = "linux-base-7.3-cloud-amd64 (= 7.3), linux-binary-7.3-cloud-amd64 (= 7.3), \
                       linux-modules-7.3-cloud-amd64 (= 7.3), dracut | initramfs-tools";
        assert_eq!(
            kernel_packages(depends),
            ["linux-binary-7.3-cloud-amd64", "linux-modules-7.3-cloud-amd64"]
        );
        assert!(kernel_packages("").is_empty());
    }
}
