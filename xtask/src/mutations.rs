//! `cargo xtask mutations`: damages every recording in many more places than the tests do, optimised.

use anyhow::{Result, bail};
use clap::Args;

use crate::{exec, paths, ui};

/// How many places.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Random places of each kind of damage in each recording
    #[arg(long, default_value_t = 200)]
    places: usize,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    let Some(corpus) = paths::corpus()? else {
        bail!("{} names no folder of recorded exchanges: set it and run this again", paths::CORPUS);
    };
    ui::step(&format!("damaging every recording in {} places of each kind", options.places));
    let mut command = exec::cargo();
    command
        .current_dir(paths::root()?)
        .args(["test", "--release", "--package", "agent-genai", "--test", "mutations", "--", "--nocapture"])
        .env(paths::CORPUS, corpus)
        .env("WIRESPAN_MUTATIONS", options.places.to_string());
    exec::run(&mut command)
}
