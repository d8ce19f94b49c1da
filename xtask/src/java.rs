//! `cargo xtask java`: builds the Java agent. The jar is kept in the repository, because few machines that build wirespan have a JDK; it
//! carries a digest of the sources it was made from, which `cargo xtask lint` compares.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use crate::{exec, paths, ui};

const SOURCES: &str = "agent-java/src/io/wirespan";
pub(crate) const JAR: &str = "agent-java/wirespan-agent.jar";
/// The oldest Java that the agent runs on.
const RELEASE: &str = "8";
/// Entry of the manifest.
const DIGEST: &str = "Sources-Digest";

/// Builds the jar.
pub(crate) fn run() -> Result<()> {
    let root = paths::root()?;
    let classes = paths::target()?.join("java");
    if classes.exists() {
        fs::remove_dir_all(&classes).with_context(|| format!("cannot clear {}", classes.display()))?;
    }
    compile(&root, &classes)?;
    let manifest = paths::target()?.join("java-manifest.txt");
    let text = format!(
        "Premain-Class: io.wirespan.Agent\nAgent-Class: io.wirespan.Agent\n{DIGEST}: {}\n",
        digest(&root)?
    );
    fs::write(&manifest, text).with_context(|| format!("cannot write {}", manifest.display()))?;
    let jar = root.join(JAR);
    exec::run(
        Command::new("jar")
            .args(["--create", "--no-compress", "--date=1980-02-01T00:00:00Z", "--manifest"])
            .arg(&manifest)
            .arg("--file")
            .arg(&jar)
            .arg("-C")
            .arg(&classes)
            .arg("."),
    )?;
    ui::note(&format!("    wrote {}", jar.display()));
    Ok(())
}

/// Compiles the sources, warnings as errors.
fn compile(root: &Path, classes: &Path) -> Result<()> {
    exec::run(
        Command::new("javac")
            .args(["--release", RELEASE, "-Xlint:all,-options", "-Werror", "-d"])
            .arg(classes)
            .args(sources(root)?),
    )
    .context("the Java agent needs a JDK 17 or newer on PATH (Debian: openjdk-17-jdk-headless)")
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let directory = root.join(SOURCES);
    let mut sources: Vec<PathBuf> = fs::read_dir(&directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "java"));
    sources.sort();
    Ok(sources)
}

/// Digest over names and texts. The first half of it: a line of a manifest holds no more than 72 bytes.
fn digest(root: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    for path in sources(root)? {
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update([0]);
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(&text);
    }
    let mut digest = String::new();
    for byte in hasher.finalize().iter().take(16) {
        write!(digest, "{byte:02x}")?;
    }
    Ok(digest)
}

/// What is wrong with the jar, if anything is.
pub(crate) fn check(root: &Path) -> Result<Option<String>> {
    let path = root.join(JAR);
    let jar = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    // Entries are not compressed, so that the manifest stands in the jar as it is.
    let wanted = format!("{DIGEST}: {}", digest(root)?);
    let found = jar.windows(wanted.len()).any(|window| window == wanted.as_bytes());
    Ok((!found).then(|| format!("{JAR}: was made from other sources than {SOURCES}; run `cargo xtask java`")))
}
