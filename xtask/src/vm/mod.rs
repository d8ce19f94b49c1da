//! `cargo xtask vmtest`: boots Debian's own kernels under QEMU and runs the capture suite in each; writes docs/kernels.md.

mod cpio;
mod guest;
mod kernels;
mod machine;
mod report;
mod results;

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::kernels::Kernel;
use crate::{apt, build, paths, setup, ui};

/// Which kernels and tests.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only kernels of Debian suites whose name contains this; the table is then printed and not written
    #[arg(long)]
    suite: Option<String>,
    /// Only tests whose name contains one of these; the table is then printed and not written
    filter: Vec<String>,
    /// Fetch the kernels again, whatever is there
    #[arg(long)]
    refresh: bool,
    /// Longest that one kernel may take, in minutes
    #[arg(long, default_value_t = 25)]
    patience: u64,
    /// Kernels that run at a time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::kernel_toolchain()?;
    build::kernel()?;
    if paths::which(machine::QEMU).is_none() {
        apt::install(&["qemu-system-x86"]).context("no virtual machines")?;
    }
    let folder = paths::target()?.join("vm");
    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    let (kernels, mut refused) = kernels::fetch(&folder, options.suite.as_deref(), options.refresh)?;
    if kernels.is_empty() {
        bail!("no kernel to boot:\n  {}", refused.join("\n  "));
    }
    let image = folder.join("guest.cpio");
    let suite = guest::build(&folder, &image, &kernels, &options.filter)?;
    let whole = options.suite.is_none() && options.filter.is_empty();
    let page = paths::root()?.join("docs/kernels.md");
    let (mut outcomes, mut text) = (Vec::new(), String::new());
    let waiting = Mutex::new(kernels.into_iter().enumerate().collect::<VecDeque<_>>());
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..options.jobs.max(1) {
            let (sender, waiting, image, folder, suite) = (sender.clone(), &waiting, &image, &folder, &suite);
            scope.spawn(move || {
                while let Some((index, kernel)) = next(waiting) {
                    let outcome = one(&kernel, folder, image, suite, options.patience);
                    if sender.send((index, kernel, outcome)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, kernel, outcome) in &receiver {
            match outcome {
                Ok(results) => outcomes.push((index, report::Outcome { kernel, results })),
                Err(error) => refused.push(format!("Debian {}: {error:#}", kernel.suite)),
            }
            outcomes.sort_by_key(|(index, _)| *index);
            text = report::write(&outcomes, &refused);
            if whole {
                // After each kernel: what is known is not lost when the next one takes too long.
                fs::write(&page, &text).with_context(|| format!("could not write {}", page.display()))?;
            }
        }
        Ok(())
    })?;
    ui::result(if whole { page.to_string_lossy().into_owned() } else { text }.as_str())?;
    let failed: usize = outcomes.iter().map(|(_, outcome)| outcome.results.failed()).sum();
    if failed > 0 || !refused.is_empty() {
        bail!("{failed} tests failed; {} kernels did not run:\n  {}", refused.len(), refused.join("\n  "));
    }
    Ok(())
}

fn next<T>(waiting: &Mutex<VecDeque<T>>) -> Option<T> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn one(
    kernel: &Kernel,
    folder: &Path,
    image: &Path,
    suite: &[guest::Step],
    patience: u64,
) -> Result<results::Results> {
    ui::step(&format!("Linux {} of Debian {}", kernel.package_version, kernel.suite));
    let begun = Instant::now();
    let lines = machine::run(kernel, image, &folder.join(format!("{}.log", kernel.suite)), patience)?;
    let results = results::read(&lines, suite);
    ui::note(&format!("    {}: {} in {} s", kernel.suite, results.summary(), begun.elapsed().as_secs()));
    Ok(results)
}
