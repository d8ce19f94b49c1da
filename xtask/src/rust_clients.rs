//! The Rust client program: reqwest over each TLS library, as a release build leaves it, and stripped.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::clients::{is_current, mark};
use crate::{exec, paths, ui};

/// rustls over ring takes about a minute to build on two cores.
pub(crate) const ORDINARY: &[&str] = &["ring"];
/// rustls over aws-lc, and OpenSSL: as long again, each.
pub(crate) const FULL: &[&str] = &["aws-lc", "native"];

/// Builds the program with each of these features: `FEATURE` and `FEATURE-stripped` in the folder.
pub(crate) fn install(folder: &Path, features: &[&str], refresh: bool) -> Result<()> {
    let source = paths::root()?.join("tests/clients/reqwest");
    let mut content = String::new();
    for file in ["Cargo.toml", "Cargo.lock", "src/main.rs"] {
        let file = source.join(file);
        content +=
            &fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
    }
    for feature in features {
        let place = folder.join(feature);
        if !is_current(&place, &content, refresh) {
            fs::create_dir_all(&place).with_context(|| format!("could not create {}", place.display()))?;
            ui::step(&format!("building the Rust client with {feature}"));
            build(&source, folder, feature)?;
            mark(&place, &content)?;
        }
    }
    Ok(())
}

fn build(source: &Path, folder: &Path, feature: &str) -> Result<()> {
    let target = folder.join("target");
    for (name, options) in
        [(feature.to_owned(), &[][..]), (format!("{feature}-stripped"), &["--", "-Cstrip=symbols"])]
    {
        let mut cargo = Command::new("cargo");
        cargo.args(["rustc", "--release", "--locked", "--no-default-features", "--features", feature]);
        cargo.args(options).current_dir(source).env("CARGO_TARGET_DIR", &target);
        exec::run(&mut cargo)?;
        let place = folder.join(feature).join(&name);
        fs::copy(target.join("release/wirespan-client"), &place)
            .with_context(|| format!("could not write {}", place.display()))?;
    }
    Ok(())
}
