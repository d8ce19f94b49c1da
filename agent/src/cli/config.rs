//! `wirespan config`: the schema, an example, and a check.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{
    config::{Config, EXAMPLE, schema},
    output::{Exit, Output},
};

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the JSON schema of the configuration
    Schema,
    /// Print a configuration with every section, with comments
    Example,
    /// Check a configuration file
    Validate {
        /// The file
        file: PathBuf,
    },
}

pub(super) fn config(args: &ConfigArgs) -> anyhow::Result<Exit> {
    let mut output = Output::stdout();
    match &args.action {
        Action::Schema => output.line(&serde_json::to_string_pretty(&schema())?)?,
        Action::Example => output.text(EXAMPLE)?,
        Action::Validate { file } => {
            Config::load(file)?;
            output.line(&format!("{}: valid", file.display()))?;
        }
    }
    output.flush()?;
    Ok(Exit::Ok)
}
