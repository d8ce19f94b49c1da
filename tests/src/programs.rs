//! The client programs: unmodified SDKs and tools, where `cargo xtask setup` puts them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::standin::Standin;

/// A program that can be captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// CPython with the SDKs: libssl.so.3, `SSL_*_ex`, memory BIOs in asyncio.
    Python,
    /// CPython with SDKs and the OpenTelemetry instrumentations that our spans are compared with.
    Reference,
    /// CPython with the MCP SDK, client and server.
    Mcp,
    /// A Node that runs the SDKs: OpenSSL 3 inside the executable.
    Node,
    /// A Node with OpenSSL 1.1.1 inside.
    NodeOpenSsl11,
    /// curl: short-lived, libssl.so.3.
    Curl,
    /// Our Go program: net/http as the server or the client of a captured process.
    Go,
    /// The matrix's Go client.
    GoClient,
    /// The same without symbols and debugging information.
    GoStripped,
    /// The Go client of the measurements.
    GoBench,
    /// wget: GnuTLS.
    Wget,
    /// Ruby: libssl.so.3.
    Ruby,
    /// PHP: libssl.so.3, by itself or through libcurl.
    Php,
    /// Bun: `BoringSSL` inside a stripped executable.
    Bun,
    /// Deno: rustls inside a stripped executable.
    Deno,
    /// Codex: static musl, stripped.
    Codex,
    /// Java: JSSE, no native TLS.
    Java,
    /// A JDK, which compiles and runs our Java programs.
    Jdk,
    /// Our Rust program, with this in it.
    Rust(Rust),
    /// The same, stripped.
    StrippedRust(Rust),
}

/// The TLS library of our Rust program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rust {
    /// rustls over ring.
    Ring,
    /// rustls over aws-lc.
    AwsLc,
    /// The system's OpenSSL.
    Native,
}

impl Rust {
    fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::AwsLc => "aws-lc",
            Self::Native => "native",
        }
    }
}

/// The target directory: where cargo put this crate's build.
#[must_use]
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
    }
}

/// The folder of the client programs.
#[must_use]
pub fn clients() -> PathBuf {
    std::env::var_os("WIRESPAN_CLIENTS").map_or_else(|| target().join("clients"), PathBuf::from)
}

/// A file of this crate's `clients` folder.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// The program's executable.
///
/// # Errors
/// When it is not installed.
pub fn find(program: Program) -> Result<PathBuf> {
    let modules = clients().join("node/node_modules");
    let executables = clients().join("executables/node_modules");
    let candidates = match program {
        Program::Python => vec![clients().join("python/bin/python")],
        Program::Reference => vec![clients().join("reference/bin/python")],
        Program::Mcp => vec![clients().join("mcp/bin/python")],
        Program::Node => [vec![modules.join("node-for-sdks/bin/node")], on_path("node")].concat(),
        Program::NodeOpenSsl11 => vec![modules.join("node-openssl11/bin/node")],
        Program::Curl => on_path("curl"),
        Program::Go => vec![clients().join("go/http2")],
        Program::GoClient => vec![clients().join("go/matrix")],
        Program::GoStripped => vec![clients().join("go/matrix-stripped")],
        Program::GoBench => vec![clients().join("go/bench")],
        Program::Wget => on_path("wget"),
        Program::Ruby => on_path("ruby"),
        Program::Php => on_path("php"),
        Program::Bun => vec![executables.join("bun/bin/bun")],
        Program::Deno => vec![executables.join("deno/deno")],
        Program::Codex => {
            let vendor = executables.join("codex/vendor");
            let targets = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];
            targets.map(|target| vendor.join(target).join("bin/codex")).to_vec()
        }
        Program::Java if !clients().join("java/Client.class").is_file() => Vec::new(),
        Program::Java => on_path("java"),
        Program::Jdk => on_path("java")
            .into_iter()
            .filter_map(|java| std::fs::canonicalize(java).ok())
            .filter(|java| java.with_file_name("javac").is_file())
            .collect(),
        Program::Rust(library) => vec![clients().join("rust").join(library.name()).join(library.name())],
        Program::StrippedRust(library) => {
            let name = library.name();
            vec![clients().join("rust").join(name).join(format!("{name}-stripped"))]
        }
    };
    match candidates.into_iter().find(|file| file.is_file()) {
        Some(found) => Ok(found),
        None => bail!("{program:?} is not installed for the tests: run `cargo xtask setup --clients --full`"),
    }
}

fn on_path(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(name)).collect()
}

/// The program with what it needs to trust the stand-in; arguments are still to come.
///
/// # Errors
/// When it is not installed.
pub fn command(program: Program, standin: &Standin) -> Result<Command> {
    let mut command = Command::new(find(program)?);
    trusting(&mut command, standin);
    with_node_modules(&mut command);
    Ok(command)
}

/// Tells our Node scripts where the packages are, and Python to leave no files behind.
pub fn with_node_modules(command: &mut Command) {
    command.env("WIRESPAN_NODE_MODULES", clients().join("node")).env("PYTHONDONTWRITEBYTECODE", "1");
}

/// Makes the command trust the stand-in's certificate.
pub fn trusting(command: &mut Command, standin: &Standin) {
    for (name, file) in standin.trust() {
        command.env(name, file);
    }
}

/// The Python SDKs: `sdk.py API --url … ARGS`.
///
/// # Errors
/// When Python is not installed for the tests.
pub fn python_sdk(standin: &Standin, api: &str, wishes: &str, args: &[&str]) -> Result<Command> {
    let mut command = command(Program::Python, standin)?;
    command.arg(script("sdk.py")).arg(api).arg("--url").arg(standin.url(wishes)).args(args);
    Ok(command)
}

/// The Node SDKs: `sdk.mjs API --url … ARGS`.
///
/// # Errors
/// When no Node is installed for the tests.
pub fn node_sdk(standin: &Standin, api: &str, wishes: &str, args: &[&str]) -> Result<Command> {
    let mut command = command(Program::Node, standin)?;
    command.arg(script("sdk.mjs")).arg(api).arg("--url").arg(standin.url(wishes)).args(args);
    Ok(command)
}
