//! `cargo xtask setup`: installs what is missing for building and testing, and nothing else.

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::toolchain::{self, Compiler};
use crate::{apt, clients, every_client, exec, paths, ui};

/// What to set up.
#[derive(Debug, Args, Default)]
pub(crate) struct Options {
    /// Only the toolchain of the kernel programs
    #[arg(long, conflicts_with = "clients")]
    kernel: bool,
    /// Only the client programs of tests and demo
    #[arg(long)]
    clients: bool,
    /// Install the client programs again, whatever is there
    #[arg(long)]
    refresh: bool,
    /// Also every other client program of `cargo xtask matrix`: Bun, Deno, Codex, Ruby, PHP, Java and more
    #[arg(long, conflicts_with = "kernel")]
    full: bool,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !options.clients {
        kernel_toolchain()?;
    }
    if !options.kernel {
        for missing in clients::install(options.refresh)? {
            ui::note(&format!("    not available: {missing}"));
        }
    }
    if options.full {
        for missing in every_client::install(options.refresh)? {
            ui::note(&format!("    not available: {missing}"));
        }
    }
    Ok(())
}

/// Makes sure that the kernel programs can be built.
pub(crate) fn kernel_toolchain() -> Result<()> {
    let compiler = match Compiler::find() {
        Some(compiler) => compiler,
        None => install_compiler()?,
    };
    ui::step(&format!("kernel programs: compiled by {}", compiler.described()));
    if let Some(linker) = toolchain::linker() {
        ui::note(&format!("    linked by {}", linker.display()));
        return Ok(());
    }
    install_linker(&compiler)
}

/// Debian's packages where they can be had (their LLVM comes with them), else rustup.
fn install_compiler() -> Result<Compiler> {
    let mut tried = Vec::new();
    match apt::obstacle() {
        None if apt::offers(toolchain::DEBIAN_PACKAGES) => match apt::install(toolchain::DEBIAN_PACKAGES) {
            Ok(()) => match Compiler::find() {
                Some(compiler) => return Ok(compiler),
                None => tried.push("Debian's compiler is too old or has no source".to_owned()),
            },
            Err(error) => tried.push(format!("{error:#}")),
        },
        None => tried.push(format!("Debian does not offer {}", toolchain::DEBIAN_PACKAGES.join(" "))),
        Some(obstacle) => tried.push(format!("Debian's packages: {obstacle}")),
    }
    match rustup_nightly() {
        Ok(()) => match Compiler::find() {
            Some(compiler) => return Ok(compiler),
            None => tried.push("rustup's nightly is too old or has no source".to_owned()),
        },
        Err(error) => tried.push(format!("{error:#}")),
    }
    bail!(
        "the compiler for the kernel programs could not be installed:\n  {}\n\
         install one by hand: `rustup toolchain install nightly --profile minimal --component rust-src`, \
         or as root `apt-get install {}`",
        tried.join("\n  "),
        toolchain::DEBIAN_PACKAGES.join(" ")
    )
}

fn rustup_nightly() -> Result<()> {
    if paths::which("rustup").is_none() {
        bail!("rustup is not installed");
    }
    ui::step("installing rustup's nightly with rust-src");
    let mut command = Command::new("rustup");
    exec::clean(&mut command);
    command.env("RUSTUP_MAX_RETRIES", "1");
    if exec::succeeds(toolchain::nightly_rustc().arg("--version")) {
        command.args(["component", "add", "rust-src", "--toolchain", "nightly"]);
    } else {
        command.args(["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"]);
    }
    exec::run(&mut command).context("rustup could not fetch it")
}

/// bpf-linker, built against an LLVM that is at least as new as the compiler's.
fn install_linker(compiler: &Compiler) -> Result<()> {
    let llvm = std::path::Path::new(toolchain::DEBIAN_LLVM);
    if !llvm.join("bin/llvm-config").exists() && apt::offers(&["llvm-22-dev"]) {
        apt::install(&["llvm-22-dev", "zlib1g-dev", "libzstd-dev"])?;
    }
    ui::step(&format!("installing bpf-linker {} (about two minutes)", toolchain::LINKER_VERSION));
    let mut command = exec::cargo();
    command.args(["install", "--quiet", "bpf-linker", "--version", toolchain::LINKER_VERSION]);
    if llvm.join("bin/llvm-config").exists() {
        command.env("LLVM_PREFIX", llvm).args(["--no-default-features", "--features", "llvm-22"]);
    }
    // A target directory of the workspace's would be shared with unrelated code.
    command.env_remove("CARGO_TARGET_DIR");
    exec::run(&mut command).with_context(|| {
        format!(
            "bpf-linker could not be built for {}\nits releases also come compiled: see the README of the crate bpf-linker",
            compiler.described()
        )
    })
}
