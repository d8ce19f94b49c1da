//! `cargo xtask vmtest`: boots Debian's own kernels under QEMU and runs the capture suite in each; writes docs/kernels.md.

mod cpio;
mod guest;
mod kernels;
mod machine;
mod report;
mod results;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{apt, build, paths, setup, ui};

/// Which kernels and tests.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only kernels of Debian suites whose name contains this; the table is then printed and not written
    #[arg(long)]
    suite: Option<String>,
    /// Only tests whose name contains this; the table is then printed and not written
    filter: Option<String>,
    /// Fetch the kernels again, whatever is there
    #[arg(long)]
    refresh: bool,
    /// Longest that one kernel may take, in minutes
    #[arg(long, default_value_t = 25)]
    patience: u64,
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
    let suite = guest::build(&folder, &image, &kernels, options.filter.as_deref())?;
    let mut outcomes = Vec::new();
    for kernel in kernels {
        ui::step(&format!("Linux {} of Debian {}", kernel.package_version, kernel.suite));
        let begun = Instant::now();
        let log = folder.join(format!("{}.log", kernel.suite));
        match machine::run(&kernel, &image, &log, options.patience) {
            Ok(lines) => {
                let results = results::read(&lines, &suite);
                ui::note(&format!("    {} in {} s", results.summary(), begun.elapsed().as_secs()));
                outcomes.push(report::Outcome { kernel, results });
            }
            Err(error) => refused.push(format!("Debian {}: {error:#}", kernel.suite)),
        }
    }
    let text = report::write(&outcomes, &refused);
    if options.suite.is_none() && options.filter.is_none() {
        let path = paths::root()?.join("docs/kernels.md");
        fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))?;
        ui::result(&path.display().to_string())?;
    } else {
        ui::result(&text)?;
    }
    let failed: usize = outcomes.iter().map(|outcome| outcome.results.failed()).sum();
    if failed > 0 || !refused.is_empty() {
        bail!("{failed} tests failed; {} kernels did not run:\n  {}", refused.len(), refused.join("\n  "));
    }
    Ok(())
}
