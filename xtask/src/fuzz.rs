//! `cargo xtask fuzz`: runs every fuzz target for a time and writes docs/fuzzing.md.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{exec, paths, toolchain, ui};

/// How long and what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seconds for each target
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Targets that run at the same time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Only these targets; docs/fuzzing.md is then left alone
    targets: Vec<String>,
}

/// What one target did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Outcome {
    target: String,
    executions: u64,
    coverage: u64,
    crashes: u64,
    seconds: u64,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = paths::root()?;
    require_tools()?;
    let all = targets(&root)?;
    if let Some(unknown) = options.targets.iter().find(|target| !all.contains(target)) {
        bail!("no fuzz target {unknown}; there are: {}", all.join(", "));
    }
    let chosen = if options.targets.is_empty() { all } else { options.targets.clone() };
    ui::step("building the fuzz targets");
    exec::run(fuzz(&root).args(["build"]))?;
    let outcomes = run_all(&root, &chosen, options)?;
    let table = table(&outcomes);
    ui::result(table.trim_end())?;
    if options.targets.is_empty() {
        write_report(&root, &table, options)?;
    }
    let crashes: u64 = outcomes.iter().map(|outcome| outcome.crashes).sum();
    if crashes > 0 {
        bail!("{crashes} target(s) crashed; the inputs are in fuzz/artifacts");
    }
    Ok(())
}

fn require_tools() -> Result<()> {
    if !exec::succeeds(toolchain::nightly_rustc().arg("--version")) {
        bail!("fuzzing needs a nightly compiler\nrun: rustup toolchain install nightly --profile minimal");
    }
    if !exec::succeeds(exec::cargo().args(["fuzz", "--version"])) {
        bail!("cargo-fuzz is not installed\nrun: cargo install cargo-fuzz --locked");
    }
    Ok(())
}

fn fuzz(root: &Path) -> Command {
    let mut command = exec::cargo();
    command.current_dir(root).args(["+nightly", "fuzz"]);
    command
}

/// The targets that fuzz/Cargo.toml declares.
fn targets(root: &Path) -> Result<Vec<String>> {
    let listed = exec::output(fuzz(root).arg("list"))?;
    let targets: Vec<String> =
        listed.lines().map(|line| line.trim().to_owned()).filter(|l| !l.is_empty()).collect();
    if targets.is_empty() {
        bail!("fuzz/Cargo.toml declares no target");
    }
    Ok(targets)
}

fn run_all(root: &Path, targets: &[String], options: &Options) -> Result<Vec<Outcome>> {
    let queue: Mutex<VecDeque<&String>> = Mutex::new(targets.iter().collect());
    let done: Mutex<Vec<Result<Outcome>>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(target) = next else { break };
                    let outcome = run_one(root, target, options.seconds);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    outcomes.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(outcomes)
}

fn run_one(root: &Path, target: &str, seconds: u64) -> Result<Outcome> {
    ui::step(&format!("fuzzing {target} for {seconds} s"));
    let begun = Instant::now();
    let output = fuzz(root)
        .args(["run", target, "--", "-print_final_stats=1", "-rss_limit_mb=4096"])
        .arg(format!("-max_total_time={seconds}"))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start the target {target}"))?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let mut outcome = read_log(&log);
    target.clone_into(&mut outcome.target);
    outcome.seconds = begun.elapsed().as_secs();
    outcome.crashes = u64::from(!output.status.success());
    if outcome.crashes > 0 {
        ui::note(&format!("{target} crashed:"));
        for line in log.lines().rev().take(60).collect::<Vec<_>>().into_iter().rev() {
            ui::note(line);
        }
    }
    Ok(outcome)
}

/// Reads libFuzzer's final statistics and its last coverage.
fn read_log(log: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for line in log.lines() {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            outcome.executions = count.trim().parse().unwrap_or(0);
        }
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            if word == "cov:" {
                outcome.coverage =
                    words.next().and_then(|count| count.parse().ok()).unwrap_or(outcome.coverage);
            }
        }
    }
    outcome
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| target | executions | coverage (edges) | crashes | seconds |\n|---|---:|---:|---:|---:|\n",
    );
    for Outcome { target, executions, coverage, crashes, seconds } in outcomes {
        // Writing to a String cannot fail.
        let _infallible =
            writeln!(text, "| `{target}` | {executions} | {coverage} | {crashes} | {seconds} |");
    }
    text
}

fn write_report(root: &Path, table: &str, options: &Options) -> Result<()> {
    let file = root.join("docs/fuzzing.md");
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    }
    let text = format!(
        "# Fuzzing\n\nEvery parser of foreign bytes has a cargo-fuzz target in `fuzz/`. Last full run, made by\n\
         `cargo xtask fuzz --seconds {} --jobs {}`:\n\n{table}\n\
         A crash fails the command and leaves its input in `fuzz/artifacts/<target>`; run it again with\n\
         `cargo +nightly fuzz run <target> <input>`, then keep the input as a unit test beside the parser.\n",
        options.seconds, options.jobs
    );
    fs::write(&file, text).with_context(|| format!("could not write {}", file.display()))?;
    ui::note(&format!("wrote {}", file.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_gives_executions_and_coverage() {
        let log = "#2\tINITED cov: 12 ft: 13 corp: 1/1b\n#100\tDONE   cov: 345 ft: 900 corp: 9/99b\n\
                   stat::number_of_executed_units: 4096\n";
        let outcome = read_log(log);
        assert_eq!((outcome.executions, outcome.coverage), (4096, 345));
    }

    #[test]
    fn the_table_has_a_row_for_each_target() {
        let outcome = Outcome { target: "sse".into(), executions: 5, coverage: 6, crashes: 0, seconds: 7 };
        assert!(table(&[outcome]).ends_with("| `sse` | 5 | 6 | 0 | 7 |\n"));
    }
}
