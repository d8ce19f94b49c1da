//! The command line: what can be said, and what is done about it.

mod args;
mod common;
mod config;
mod decode;
mod doctor;
mod exec;
mod meta;
mod pipeline;
mod prices;
mod run;
mod show;
mod signals;
mod status;
mod tail;

use clap::{CommandFactory, Parser, Subcommand};

use crate::output::{Exit, diagnose};

/// Watches the LLM calls of unmodified programs.
///
/// wirespan attaches to the TLS functions inside running programs, without changing them, and turns the LLM calls that they make into
/// OpenTelemetry GenAI spans: model, tokens, cost, timing, finish reason.
#[derive(Debug, Parser)]
#[command(
    name = "wirespan",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
#[command(after_help = "\
Exit status: 0 all went well, 1 something failed, 2 the command line makes no sense, 3 this host does not allow \
it (see `wirespan doctor`). `exec` ends with the status of its command.\n\
Data goes to standard output, messages to standard error. WIRESPAN_LOG=debug says more.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a command and show the LLM calls that it and its children make
    Exec(exec::ExecArgs),
    /// Run the daemon: capture by the configured scope, keep, export and serve the calls
    Run(run::RunArgs),
    /// Show calls as they come: from the daemon, or captured here and now for the processes named
    #[command(visible_alias = "observe")]
    Tail(Box<tail::TailArgs>),
    /// Show one call whole
    Show(show::ShowArgs),
    /// Say how the daemon is
    Status(status::StatusArgs),
    /// Decode recorded exchanges, without a kernel
    Decode(decode::DecodeArgs),
    /// Say what this host allows, and how to fix what it does not
    Doctor(doctor::DoctorArgs),
    /// Check and explain the configuration
    Config(config::ConfigArgs),
    /// Look up prices
    Prices(prices::PricesArgs),
    /// Write the agent for Java programs to a file
    JavaAgent(meta::JavaAgentArgs),
    /// Print completions for a shell
    Completions(meta::CompletionsArgs),
    /// Print the manual page of wirespan or of one of its commands
    Man(meta::ManArgs),
}

/// The whole command line as clap sees it; `completions` and `man` are made from it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what the command line says.
#[must_use]
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _ = error.print();
            return exit;
        }
    };
    if let Err(message) = common::log_to_stderr() {
        diagnose(&message);
        return Exit::Usage;
    }
    let result = match cli.command {
        Command::Exec(args) => exec::exec(args),
        Command::Run(args) => run::run(&args),
        Command::Tail(args) => tail::tail(&args),
        Command::Show(args) => show::show(&args),
        Command::Status(args) => status::status(&args),
        Command::Decode(args) => decode::decode(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Config(args) => config::config(&args),
        Command::Prices(args) => prices::prices(&args),
        Command::JavaAgent(args) => meta::java_agent(&args),
        Command::Completions(args) => meta::completions(&args),
        Command::Man(args) => meta::man(&args),
    };
    match result {
        Ok(exit) => exit,
        Err(error) => {
            diagnose(&format!("wirespan: {error:#}"));
            common::exit_of(&error)
        }
    }
}
