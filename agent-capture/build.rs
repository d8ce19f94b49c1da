//! Embeds the compiled kernel programs. They are built by `cargo xtask build`, because they need a toolchain of their own.

#![expect(clippy::print_stderr, reason = "a build script talks to people on stderr")]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// Where the object is taken from when set.
const OBJECT_VARIABLE: &str = "WIRESPAN_BPF_OBJECT";
/// Where `cargo xtask build` puts it, below the workspace.
const OBJECT_PATH: &str = "target/bpf/wirespan.bpf.o";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={OBJECT_VARIABLE}");
    println!("cargo:rustc-env=WIRESPAN_FINDER_REVISION={:016x}", finder_revision());
    let object = object_path();
    println!("cargo:rerun-if-changed={}", object.display());
    if let Err(reason) = check(&object) {
        eprintln!(
            "\nThe compiled kernel programs are needed to build agent-capture: {} {reason}.\n\
             Run `cargo xtask build` (the first time after `cargo xtask setup`, which installs the toolchain for them), or set \
             {OBJECT_VARIABLE} to a compiled object.\n",
            object.display(),
        );
        process::exit(1);
    }
    println!("cargo:rustc-env=WIRESPAN_BPF_OBJECT_PATH={}", object.display());
}

/// A hash over the sources: what one version found in a file may be wrong for another.
fn finder_revision() -> u64 {
    let root = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let mut folders = vec![root.join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        println!("cargo:rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    env::var("CARGO_PKG_VERSION").ok().hash(&mut hasher);
    for file in files {
        fs::read(file).ok().hash(&mut hasher);
    }
    hasher.finish()
}

fn object_path() -> PathBuf {
    if let Some(path) = env::var_os(OBJECT_VARIABLE).filter(|path| !path.is_empty()) {
        return PathBuf::from(path);
    }
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    manifest.parent().unwrap_or(Path::new(".")).join(OBJECT_PATH)
}

/// An ELF file for the BPF machine, or the reason why not.
fn check(path: &Path) -> Result<(), String> {
    const EM_BPF: u16 = 247;
    let bytes = fs::read(path).map_err(|error| format!("cannot be read ({error})"))?;
    if !bytes.starts_with(b"\x7fELF") {
        return Err("is not an ELF file".to_owned());
    }
    let machine = bytes.get(18..20).and_then(|machine| machine.try_into().ok()).map(u16::from_le_bytes);
    if machine != Some(EM_BPF) {
        return Err("is not compiled for the BPF machine".to_owned());
    }
    Ok(())
}
