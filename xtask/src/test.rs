//! `cargo xtask test`: sets up what is missing and runs every test, the cheap ones first.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::test_output::{Counts, Reader};
use crate::{build, clients, exec, paths, setup, ui};

/// Which tests.
#[derive(Debug, Args, Default)]
pub(crate) struct Options {
    /// Only tests whose name contains this
    filter: Option<String>,
    /// Only the tests that need neither kernel nor client programs
    #[arg(long, conflicts_with = "end_to_end")]
    unit: bool,
    /// Only the end-to-end tests
    #[arg(long)]
    end_to_end: bool,
    /// Only this package
    #[arg(long, short)]
    package: Option<String>,
}

/// Package of the end-to-end tests.
const END_TO_END: &str = "wirespan-tests";

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let require = std::env::var("WIRESPAN_REQUIRE_BPF").is_ok_and(|value| value == "1");
    let mut counts = Counts::default();
    // Without the kernel object nothing that embeds it can be built or tested; that is a failure, not a skip.
    let prepared = prepare(options);
    if let Err(error) = &prepared {
        ui::note(&format!("FAILED: the set-up: {error:#}"));
        counts.failed += 1;
    }
    let outcome = if prepared.is_ok() { stages(options, &mut counts) } else { Ok(()) };
    ui::note(&format!("finished in {} s", begun.elapsed().as_secs()));
    if counts.skipped > 0 && !require {
        ui::note("tests were skipped: the lines that begin with `skipped:` say why");
    }
    ui::result(&format!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped))?;
    outcome?;
    if counts.failed > 0 {
        bail!("{} failed", counts.failed);
    }
    Ok(())
}

fn prepare(options: &Options) -> Result<()> {
    setup::kernel_toolchain()?;
    build::kernel()?;
    if options.filter.is_none() && options.package.is_none() {
        // Nothing here runs them, but the sources are the same: they have to compile.
        build::kernel_for(if std::env::consts::ARCH == "aarch64" { "x86_64" } else { "aarch64" })?;
    }
    if !options.unit {
        for missing in clients::install(false)? {
            ui::note(&format!("    not available: {missing}"));
        }
    }
    Ok(())
}

fn stages(options: &Options, counts: &mut Counts) -> Result<()> {
    let wanted = |package: &str| options.package.as_deref().is_none_or(|only| only == package);
    if !options.end_to_end {
        match &options.package {
            None => stage(
                options,
                counts,
                "unit and integration tests",
                &["--workspace", "--exclude", END_TO_END],
            )?,
            Some(package) if package != END_TO_END => {
                stage(options, counts, &format!("tests of {package}"), &["--package", package])?;
            }
            Some(_) => {}
        }
    }
    if !options.unit && wanted(END_TO_END) {
        if let Err(error) = build::release() {
            ui::note(&format!("FAILED: the release build: {error:#}"));
            counts.failed += 1;
            return Ok(());
        }
        // One test at a time: they measure and load the same two or more cores.
        stage(options, counts, "end-to-end tests", &["--package", END_TO_END])?;
    }
    Ok(())
}

fn stage(options: &Options, counts: &mut Counts, title: &str, packages: &[&str]) -> Result<()> {
    ui::step(title);
    let mut command = exec::cargo();
    command.current_dir(paths::root()?).args(["test", "--no-fail-fast"]).args(packages);
    if let Some(filter) = &options.filter {
        command.arg(filter);
    }
    command.args(["--", "--show-output"]);
    if packages.contains(&END_TO_END) && !packages.contains(&"--exclude") {
        command.arg("--test-threads=1");
    }
    command.env("WIRESPAN_BIN", paths::wirespan()?).env("WIRESPAN_CLIENTS", paths::clients()?);
    match paths::corpus()? {
        Some(corpus) => {
            command.env(paths::CORPUS, corpus);
        }
        None => ui::note(&format!("{} is not set: tests over recorded traffic are skipped", paths::CORPUS)),
    }
    counts.add(follow(&mut command)?);
    Ok(())
}

/// Runs, shows what is worth showing, counts.
fn follow(command: &mut Command) -> Result<Counts> {
    ui::note(&format!("    {}", exec::shown(command)));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{}`", exec::shown(command)))?;
    let mut reader = Reader::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("could not read what the tests print")?;
            let line = String::from_utf8_lossy(&line);
            if reader.line(line.trim_end_matches('\r')) {
                ui::note(&line);
            }
        }
    }
    let status = child.wait().context("could not wait for the tests")?;
    Ok(reader.finish(status.success()))
}
