//! The full set of client programs, for `cargo xtask matrix` and the measurements: other runtimes, static and stripped executables.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::clients::{is_current, mark, npm_install};
use crate::{apt, exec, paths, rust_clients, ui};

/// Programs of Debian: GnuTLS in wget, libssl.so.3 in the others; bpftrace is what the cost is compared with.
const DEBIAN: &[(&str, &[&str])] = &[
    ("wget", &["wget"]),
    ("ruby", &["ruby"]),
    ("php", &["php-cli", "php-curl"]),
    ("bpftrace", &["bpftrace"]),
];
/// What compiles the Java client.
const JDK: &[&str] = &["default-jdk-headless"];

/// npm packages that carry one executable each: name below `node_modules`, package for x86-64, for arm64, version.
const EXECUTABLES: &[(&str, &str, &str, &str)] = &[
    ("bun", "@oven/bun-linux-x64", "@oven/bun-linux-aarch64", "1.4.5"),
    ("deno", "@deno/linux-x64-glibc", "@deno/linux-arm64-glibc", "2.9.6"),
];
/// The agent CLI with a static musl executable; its platform builds are versions of one package.
const CODEX: &str = "0.171.0";

/// Installs what is missing; returns what cannot be had here, with the reason.
pub(crate) fn install(refresh: bool) -> Result<Vec<String>> {
    let clients = paths::clients()?;
    fs::create_dir_all(&clients).with_context(|| format!("could not create {}", clients.display()))?;
    let mut missing = Vec::new();
    let mut note = |what: &str, outcome: Result<()>| {
        if let Err(error) = outcome {
            missing.push(format!("{what}: {error:#}"));
        }
    };
    for (program, packages) in DEBIAN {
        note(program, apt::install(packages));
    }
    note("Bun, Deno and Codex", executables(&clients.join("executables"), refresh));
    note(
        "Rust's reqwest over aws-lc and OpenSSL",
        rust_clients::install(&clients.join("rust"), rust_clients::FULL, refresh),
    );
    note("Java client", java(&clients.join("java"), refresh));
    Ok(missing)
}

fn executables(folder: &Path, refresh: bool) -> Result<()> {
    let (column, codex) = match std::env::consts::ARCH {
        "x86_64" => (0, "linux-x64"),
        "aarch64" => (1, "linux-arm64"),
        other => bail!("they are not built for {other}"),
    };
    let mut dependencies = serde_json::Map::new();
    for (name, x64, arm64, version) in EXECUTABLES {
        let package = if column == 0 { x64 } else { arm64 };
        dependencies.insert((*name).to_owned(), format!("npm:{package}@{version}").into());
    }
    dependencies.insert("codex".to_owned(), format!("npm:@openai/codex@{CODEX}-{codex}").into());
    let manifest =
        serde_json::json!({"name": "wirespan-executables", "private": true, "dependencies": dependencies})
            .to_string();
    if is_current(folder, &manifest, refresh) {
        return Ok(());
    }
    if paths::which("npm").is_none() {
        apt::install(&["nodejs", "npm"])?;
    }
    ui::step("installing Bun, Deno and Codex");
    npm_install(folder, &manifest)?;
    mark(folder, &manifest)
}

/// Compiles the Java client.
fn java(folder: &Path, refresh: bool) -> Result<()> {
    let source = paths::root()?.join("tests/clients/matrix/Client.java");
    let text = fs::read_to_string(&source).with_context(|| format!("could not read {}", source.display()))?;
    if is_current(folder, &text, refresh) {
        return Ok(());
    }
    if paths::which("javac").is_none() {
        apt::install(JDK)?;
    }
    ui::step("compiling the Java client");
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    exec::run(Command::new("javac").args(["-encoding", "UTF-8", "-d"]).arg(folder).arg(&source))?;
    mark(folder, &text)
}
