//! `cargo xtask build`: the kernel programs, then the release binary with them inside.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{exec, paths, setup, toolchain, ui};

/// What to build.
#[derive(Debug, Args, Default)]
pub(crate) struct Options {
    /// Only the kernel programs
    #[arg(long)]
    kernel: bool,
    /// Only the kernel programs, for this architecture (x86_64 or aarch64) instead of this machine's
    #[arg(long, value_name = "ARCH", requires = "kernel", value_parser = ["x86_64", "aarch64"])]
    arch: Option<String>,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::kernel_toolchain()?;
    if let Some(arch) = &options.arch {
        ui::result(&kernel_for(arch)?.display().to_string())?;
        return Ok(());
    }
    kernel()?;
    if options.kernel {
        return Ok(());
    }
    release()?;
    ui::result(&paths::wirespan()?.display().to_string())?;
    Ok(())
}

/// The kernel programs for this machine.
pub(crate) fn kernel() -> Result<()> {
    kernel_for(std::env::consts::ARCH).map(drop)
}

/// The kernel programs for an architecture, unless nothing that goes into them has changed. The instructions are the same everywhere;
/// where the registers of the observed program are is not.
pub(crate) fn kernel_for(arch: &str) -> Result<PathBuf> {
    let root = paths::root()?;
    let object = paths::kernel_object(arch)?;
    let stamp = object.with_extension("stamp");
    let (compiler, linker) = toolchain::require()?;
    let fingerprint = fingerprint(&root, &format!("{} {}", compiler.described(), linker.display()))?;
    if object.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == fingerprint) {
        return Ok(object);
    }
    ui::step(&format!("building the kernel programs for {arch} with {}", compiler.described()));
    let build_dir = paths::target()?.join("bpf-build");
    let flags = [
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2".to_owned(),
        format!("-Clinker={}", linker.display()),
        "-Clink-arg=--btf".to_owned(),
    ];
    let mut command = compiler.cargo();
    command
        .current_dir(root.join("agent-ebpf"))
        .args(["build", "--release", "--locked", "-Z", "build-std=core", "--target", "bpfel-unknown-none"])
        .arg("--target-dir")
        .arg(&build_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    exec::run(&mut command).context("the kernel programs did not build")?;
    let built = newest_object(&build_dir.join("bpfel-unknown-none/release"))?;
    let folder = object.parent().context("the kernel object has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    // Write only when the bytes differ, so that what embeds the object is not rebuilt for nothing.
    let bytes = fs::read(&built).with_context(|| format!("could not read {}", built.display()))?;
    if fs::read(&object).ok().as_deref() != Some(bytes.as_slice()) {
        fs::write(&object, bytes).with_context(|| format!("could not write {}", object.display()))?;
    }
    fs::write(&stamp, fingerprint).with_context(|| format!("could not write {}", stamp.display()))?;
    Ok(object)
}

/// The release binary.
pub(crate) fn release() -> Result<()> {
    ui::step("building the release binary");
    let mut command = exec::cargo();
    command.current_dir(paths::root()?).args(["build", "--release", "--package", "agent"]);
    exec::run(&mut command)
}

/// The executable that cargo put there: the one file without an extension.
fn newest_object(folder: &Path) -> Result<PathBuf> {
    let mut found: Option<(std::time::SystemTime, PathBuf)> = None;
    for entry in fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        let meta = entry.metadata()?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !meta.is_file() || hidden || path.extension().is_some() {
            continue;
        }
        let modified = meta.modified()?;
        if found.as_ref().is_none_or(|(newest, _)| modified > *newest) {
            found = Some((modified, path));
        }
    }
    match found {
        Some((_, path)) => Ok(path),
        None => bail!("the build left no kernel object in {}", folder.display()),
    }
}

/// A hash over everything that goes into the kernel programs.
fn fingerprint(root: &Path, tools: &str) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    tools.hash(&mut hasher);
    for folder in ["agent-ebpf", "agent-common"] {
        let mut files = Vec::new();
        source_files(&root.join(folder), &mut files)?;
        files.sort();
        for file in files {
            file.strip_prefix(root).unwrap_or(&file).hash(&mut hasher);
            fs::read(&file).with_context(|| format!("could not read {}", file.display()))?.hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let listing = fs::read_dir(folder)
        .with_context(|| format!("could not list {}: the checkout is not whole", folder.display()))?;
    for entry in listing {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                source_files(&path, files)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| ["rs", "toml", "lock"].iter().any(|e| extension == *e))
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_follows_contents_and_tools() {
        let root = std::env::temp_dir().join(format!("xtask-fingerprint-{}", std::process::id()));
        for folder in ["agent-ebpf/src", "agent-ebpf/target", "agent-common"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("agent-ebpf/src/main.rs"), "a").unwrap();
        let first = fingerprint(&root, "tools").unwrap();
        fs::write(root.join("agent-ebpf/target/x.rs"), "not source").unwrap();
        assert_eq!(fingerprint(&root, "tools").unwrap(), first);
        assert_ne!(fingerprint(&root, "other tools").unwrap(), first);
        fs::write(root.join("agent-ebpf/src/main.rs"), "b").unwrap();
        assert_ne!(fingerprint(&root, "tools").unwrap(), first);
        fs::remove_dir_all(&root).unwrap();
    }
}
