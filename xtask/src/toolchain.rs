//! The compiler for the kernel programs: a rustc with its library source, and bpf-linker.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{exec, paths};

/// Version of bpf-linker that goes with the pinned aya-ebpf.
pub(crate) const LINKER_VERSION: &str = "0.13.0";
/// Debian's compiler for building browsers, its source, and the LLVM it uses.
pub(crate) const DEBIAN_PACKAGES: &[&str] =
    &["rustc-web", "rust-web-src", "llvm-22-dev", "zlib1g-dev", "libzstd-dev", "gcc"];
/// Where Debian puts that LLVM.
pub(crate) const DEBIAN_LLVM: &str = "/usr/lib/llvm-22";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// The kernel crate's language edition and dependencies need this much.
const LEAST_MINOR: u32 = 95;

/// A compiler that can build `core` for the BPF target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// rustup's nightly with the `rust-src` component.
    Nightly,
    /// A system compiler (Debian's) with its source, allowed to use unstable options.
    System(PathBuf),
}

impl Compiler {
    /// The compiler that is ready, if any: the system's first, because its LLVM is the one bpf-linker was built with.
    pub(crate) fn find() -> Option<Self> {
        let system = PathBuf::from(DEBIAN_RUSTC);
        if is_usable(&Command::new(&system)) {
            return Some(Self::System(system));
        }
        is_usable(&nightly_rustc()).then_some(Self::Nightly)
    }

    /// In words, with the version.
    pub(crate) fn described(&self) -> String {
        let (mut command, name) = match self {
            Self::Nightly => (nightly_rustc(), "rustup's nightly"),
            Self::System(path) => (Command::new(path), "the system compiler"),
        };
        let version = exec::output(command.arg("--version")).unwrap_or_default();
        format!("{name} ({})", version.trim())
    }

    /// A cargo that compiles with this compiler.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::Nightly => {
                let mut command = exec::cargo();
                command.arg("+nightly");
                command
            }
            Self::System(rustc) => {
                let mut command = exec::cargo();
                command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
                command
            }
        }
    }
}

/// rustup's nightly compiler.
pub(crate) fn nightly_rustc() -> Command {
    let mut command = Command::new("rustc");
    exec::clean(&mut command);
    command.env("RUSTUP_AUTO_INSTALL", "0").arg("+nightly");
    command
}

/// Whether this rustc is new enough and has its library source.
fn is_usable(rustc: &Command) -> bool {
    let ask = |what: &[&str]| {
        let mut command = Command::new(rustc.get_program());
        exec::clean(&mut command);
        command.env("RUSTUP_AUTO_INSTALL", "0").args(rustc.get_args()).args(what);
        exec::output(&mut command).ok()
    };
    let new_enough =
        ask(&["--version"]).and_then(|version| minor(&version)).is_some_and(|minor| minor >= LEAST_MINOR);
    new_enough
        && ask(&["--print", "sysroot"]).is_some_and(|sysroot| {
            Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").exists()
        })
}

/// `rustc 1.96.0 (…)` -> 96
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

/// bpf-linker, where cargo installs it or on `PATH`.
pub(crate) fn linker() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    paths::which("bpf-linker")
        .or_else(|| home.map(|home| home.join("bin/bpf-linker")).filter(|file| paths::is_executable(file)))
}

/// Both parts, or an error with the command to run.
pub(crate) fn require() -> Result<(Compiler, PathBuf)> {
    let compiler = Compiler::find().context(
        "no compiler for the kernel programs: neither rustup's nightly with rust-src nor Debian's rustc-web is installed\n\
         run: cargo xtask setup",
    )?;
    let Some(linker) = linker() else {
        bail!("bpf-linker, which links the kernel programs, is not installed\nrun: cargo xtask setup");
    };
    Ok((compiler, linker))
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn the_minor_version_is_read() {
        assert_eq!(minor("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some(96));
        assert_eq!(minor("rustc 1.97.0-nightly (e50aa6fba 2026-05-19)"), Some(97));
        assert_eq!(minor("something else"), None);
    }
}
