//! `cargo xtask prices`: makes the embedded price snapshot, and the test cases that check its arithmetic, from the PyPI
//! package genai-prices (MIT, Pydantic Services Inc.): its facts, in our own format.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{exec, paths, ui, venv};

/// Where the prices come from.
const PACKAGE: &str = "genai-prices";
/// What is written, below the root.
const SNAPSHOT: &str = "agent-genai/data/prices.json";
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
    /// Write nothing; fail when the files are not what the package gives
    #[arg(long)]
    check: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = paths::root()?;
    let (have_version, have_date) = present(&root.join(SNAPSHOT))?;
    let version = options.version.clone().unwrap_or_else(|| have_version.clone());
    let date = match &options.date {
        Some(date) => date.clone(),
        None if version == have_version => have_date,
        None => bail!("{PACKAGE} {version} is not the present version ({have_version}): say --date as well"),
    };
    let python = venv::python("prices-venv", &[&format!("{PACKAGE}=={version}")])?;
    let script = |name: &str, args: &[&str]| {
        let mut command = Command::new(&python);
        // Nothing of the caller's Python environment may change the output.
        command.arg("-I").arg(root.join("xtask/prices").join(name)).args(args);
        exec::output(&mut command)
    };
    let made =
        [(SNAPSHOT, script("snapshot.py", &[&version, &date])?), (CASES, script("cases.py", &[&version])?)];
    for (name, text) in made {
        let _valid: serde_json::Value =
            serde_json::from_str(&text).with_context(|| format!("what was made for {name} is no JSON"))?;
        settle(&root.join(name), &text, options.check)?;
    }
    ui::note(&format!(
        "{PACKAGE} {version} ({date}); run `cargo test -p agent-genai` to check the arithmetic"
    ));
    Ok(())
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
