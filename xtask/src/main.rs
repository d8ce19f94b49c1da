//! Every developer task of wirespan: `cargo xtask --help`.
#![forbid(unsafe_code)]

mod apt;
mod backends;
mod bench;
mod build;
mod clients;
mod debian;
mod demo;
mod deploy;
mod every_client;
mod exec;
mod fuzz;
mod java;
mod lint;
mod matrix;
mod mutations;
mod paths;
mod prices;
mod recorded;
mod rust_clients;
mod setup;
mod soak;
mod test;
mod test_output;
mod toolchain;
mod ui;
mod venv;
mod vm;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Every developer task of wirespan.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what is missing: the kernel toolchain and the client programs of the tests
    Setup(setup::Options),
    /// Build the kernel programs and the release binary
    Build(build::Options),
    /// Capture real clients that talk to a local stand-in provider, and show their calls
    Demo(demo::Options),
    /// Set up what is missing and run every test
    Test(test::Options),
    /// Capture every client in every way; writes docs/matrix.md
    Matrix(matrix::Options),
    /// Boot Debian's kernels from 5.10 to the newest under QEMU and run the capture suite in each; writes docs/kernels.md
    Vmtest(vm::Options),
    /// Measure; writes docs/benchmarks.md
    Bench(bench::Options),
    /// Put wirespan under mixed load for an hour, processes starting and dying all the time; writes docs/benchmarks.md
    Soak(soak::Options),
    /// Send spans to real backends (Phoenix, MLflow) and read them back; writes docs/backends.md
    Backends(backends::Options),
    /// Format every crate
    Fmt(lint::FmtOptions),
    /// Check formatting, lints and the project's own rules
    Lint,
    /// Run every fuzz target; writes docs/fuzzing.md
    Fuzz(fuzz::Options),
    /// Damage every recording in 200 places of each kind, and check that nothing is invented
    Mutations(mutations::Options),
    /// Make the embedded price snapshot and its test cases from the PyPI package genai-prices
    Prices(prices::Options),
    /// Build the Java agent from agent-java/src; needs a JDK 17 or newer
    Java,
    /// Check what is below deploy/: manifests against the Kubernetes schemas, the systemd unit
    Deploy,
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Setup(options) => setup::run(&options),
        Task::Build(options) => build::run(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Matrix(options) => matrix::run(&options),
        Task::Vmtest(options) => vm::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Backends(options) => backends::run(&options),
        Task::Fmt(options) => lint::fmt(&options),
        Task::Lint => lint::run(),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Mutations(options) => mutations::run(&options),
        Task::Prices(options) => prices::run(&options),
        Task::Java => java::run(),
        Task::Deploy => deploy::run(),
    }
}
