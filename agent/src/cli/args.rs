//! Arguments that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{
    config::{DEFAULT_SOCKET, PlainHttpMode, ScopeSection},
    console::ColorChoice,
};

/// How calls are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table that fits on a usual terminal
    #[value(alias = "table")]
    Compact,
    /// A table with everything
    Wide,
    /// One Record a line, as JSON
    #[value(alias = "json")]
    Jsonl,
}

#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// How calls are printed [default: compact]
    #[arg(short, long, value_name = "FORMAT", help_heading = "Output")]
    pub(super) output: Option<Format>,
    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(super) color: ColorChoice,
    /// Include message content: prompts, answers, tool arguments
    #[arg(long, help_heading = "Output")]
    pub(super) content: bool,
}

#[derive(Debug, Args)]
pub(super) struct ScopeArgs {
    /// Capture this process and its children (may be repeated)
    #[arg(long = "pid", value_name = "PID", help_heading = "Scope")]
    pub(super) pids: Vec<u32>,
    /// Capture processes in this cgroup and below
    #[arg(long = "cgroup", value_name = "PATH", help_heading = "Scope")]
    pub(super) cgroups: Vec<PathBuf>,
    /// Capture processes that run this executable
    #[arg(long = "exe", value_name = "PATH", help_heading = "Scope")]
    pub(super) executables: Vec<PathBuf>,
    /// Capture processes with this command name
    #[arg(long = "comm", value_name = "NAME", help_heading = "Scope")]
    pub(super) commands: Vec<String>,
    /// Capture every process on the host
    #[arg(long, help_heading = "Scope")]
    pub(super) all: bool,
    /// Do not follow children of the processes in scope
    #[arg(long, help_heading = "Scope")]
    pub(super) no_children: bool,
}

impl ScopeArgs {
    /// The scope as the configuration has it.
    pub(super) fn section(&self) -> ScopeSection {
        let Self { pids, cgroups, executables, commands, all, no_children } = self;
        ScopeSection {
            all: *all,
            pids: pids.clone(),
            cgroups: cgroups.clone(),
            executables: executables.clone(),
            commands: commands.clone(),
            follow_children: !no_children,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct CaptureArgs {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "WIRESPAN_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Also write everything captured to this file, for `wirespan decode`. It holds secrets in plain text
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    /// Calls without TLS: which connections are looked at [default: off]
    #[arg(long, value_name = "MODE", help_heading = "Scope")]
    pub(super) plain_http: Option<PlainHttpMode>,
    /// A server without TLS listens on this port, beside those of the configuration (may be repeated)
    #[arg(long = "plain-port", value_name = "PORT", help_heading = "Scope")]
    pub(super) plain_ports: Vec<u16>,
    /// Send spans and metrics to this OTLP endpoint (the OTEL_EXPORTER_OTLP_* variables work as well)
    #[arg(long, value_name = "URL")]
    pub(super) otlp_endpoint: Option<String>,
    /// Load an agent into Java processes, whose TLS cannot be seen otherwise
    #[arg(long)]
    pub(super) java: bool,
    /// Name of the service that the calls belong to
    #[arg(long, value_name = "NAME")]
    pub(super) service_name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SocketArgs {
    /// Socket of the daemon
    #[arg(long, value_name = "PATH", env = "WIRESPAN_SOCKET", default_value = DEFAULT_SOCKET)]
    pub(super) socket: PathBuf,
}
