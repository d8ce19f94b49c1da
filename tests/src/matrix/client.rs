//! The clients of the matrix, and how each is asked to make calls.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::Column;
use crate::process;
use crate::programs::{self, Program, Rust};
use crate::standin::Standin;

/// What a client is asked to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Calls.
    pub(super) calls: usize,
    /// Of them at the same time.
    pub(super) concurrent: usize,
    /// Bytes of each prompt.
    pub(super) size: usize,
    /// Wishes for the answers.
    pub(super) wishes: &'static str,
    /// Wishes of a call before the others.
    pub(super) first: Option<&'static str>,
}

/// A client of the matrix.
#[derive(Debug)]
pub struct Client {
    /// Its name in the table.
    pub name: &'static str,
    /// Where its TLS is.
    pub tls: &'static str,
    /// Executable.
    pub program: Program,
    /// Script, when there is one.
    script: Option<&'static str>,
    /// What comes before the address.
    arguments: &'static [&'static str],
    /// The server speaks HTTP/2 to it.
    pub(super) http2: bool,
    /// There is no TLS.
    pub(super) plain: bool,
    /// Path of the API that it calls.
    path: &'static str,
    /// What cannot be asked of it, and why.
    not: &'static [(Column, &'static str)],
}

/// What most clients have in common.
const USUAL: Client = Client {
    name: "",
    tls: "",
    program: Program::Python,
    script: None,
    arguments: &[],
    http2: false,
    plain: false,
    path: "/v1/chat/completions",
    not: &[],
};

const fn python(name: &'static str, arguments: &'static [&'static str]) -> Client {
    Client { name, tls: "libssl.so.3", script: Some("client.py"), arguments, ..USUAL }
}

const fn go(name: &'static str, program: Program, http2: bool) -> Client {
    let arguments: &[&str] = if http2 { &["2"] } else { &["1"] };
    Client { name, tls: "crypto/tls", program, arguments, http2, ..USUAL }
}

const fn rust(name: &'static str, tls: &'static str, program: Program, http2: bool) -> Client {
    let arguments: &[&str] = if http2 { &["http2"] } else { &["http1"] };
    Client { name, tls, program, arguments, http2, ..USUAL }
}

/// Every client, in the order of the table.
pub const CLIENTS: &[Client] = &[
    python("CPython requests", &["requests"]),
    python("CPython httpx", &["httpx"]),
    python("CPython httpx async", &["httpx-async"]),
    python("CPython aiohttp", &["aiohttp"]),
    python("CPython openai", &["openai"]),
    Client { path: "/v1/messages", ..python("CPython anthropic", &["anthropic"]) },
    Client {
        name: "Node fetch",
        tls: "OpenSSL 3 in the executable",
        program: Program::Node,
        script: Some("client.mjs"),
        arguments: &["fetch"],
        ..USUAL
    },
    Client {
        name: "Node http2",
        tls: "OpenSSL 3 in the executable",
        program: Program::Node,
        script: Some("client.mjs"),
        arguments: &["http2"],
        http2: true,
        ..USUAL
    },
    Client {
        name: "curl",
        tls: "libssl.so.3",
        program: Program::Curl,
        script: Some("curl.sh"),
        http2: true,
        ..USUAL
    },
    Client { name: "wget", tls: "GnuTLS", program: Program::Wget, script: Some("wget.sh"), ..USUAL },
    Client {
        name: "Ruby net/http",
        tls: "libssl.so.3",
        program: Program::Ruby,
        script: Some("client.rb"),
        ..USUAL
    },
    Client {
        name: "PHP curl",
        tls: "libssl.so.3",
        program: Program::Php,
        script: Some("client.php"),
        arguments: &["curl"],
        http2: true,
        ..USUAL
    },
    Client {
        name: "PHP streams",
        tls: "libssl.so.3",
        program: Program::Php,
        script: Some("client.php"),
        arguments: &["stream"],
        not: &[(Column::Concurrent, "PHP's stream wrapper does one thing at a time")],
        ..USUAL
    },
    go("Go net/http, HTTP/1.1", Program::GoClient, false),
    go("Go net/http, HTTP/2", Program::GoClient, true),
    go("Go net/http, HTTP/1.1, stripped", Program::GoStripped, false),
    go("Go net/http, HTTP/2, stripped", Program::GoStripped, true),
    rust("Rust reqwest, rustls", "rustls with ring", Program::Rust(Rust::Ring), false),
    rust("Rust reqwest, rustls, HTTP/2", "rustls with aws-lc", Program::Rust(Rust::AwsLc), true),
    rust("Rust reqwest, rustls, stripped", "rustls with ring", Program::StrippedRust(Rust::Ring), false),
    rust(
        "Rust reqwest, rustls, HTTP/2, stripped",
        "rustls with aws-lc",
        Program::StrippedRust(Rust::AwsLc),
        true,
    ),
    rust("Rust reqwest, native-tls", "libssl.so.3", Program::Rust(Rust::Native), false),
    rust("Rust reqwest, native-tls, stripped", "libssl.so.3", Program::StrippedRust(Rust::Native), false),
    Client {
        name: "Bun fetch",
        tls: "BoringSSL, static, stripped",
        program: Program::Bun,
        script: Some("client.mjs"),
        arguments: &["fetch"],
        ..USUAL
    },
    Client {
        name: "Deno fetch",
        tls: "rustls with aws-lc, stripped",
        program: Program::Deno,
        script: Some("client.mjs"),
        arguments: &["fetch"],
        ..USUAL
    },
    Client {
        name: "Codex",
        tls: "static musl, stripped",
        program: Program::Codex,
        script: Some("codex.sh"),
        path: "/v1/responses",
        not: &[(Column::Large, "Codex takes no prompt of more than 1 MiB")],
        ..USUAL
    },
    Client {
        name: "Java java.net.http, HTTP/1.1",
        tls: "JSSE, with `capture.java`",
        program: Program::Java,
        arguments: &["1"],
        ..USUAL
    },
    Client {
        name: "Java java.net.http, HTTP/2",
        tls: "JSSE, with `capture.java`",
        program: Program::Java,
        arguments: &["2"],
        http2: true,
        ..USUAL
    },
    Client {
        tls: "none, with `plain_http`",
        plain: true,
        ..python("Plain HTTP, CPython requests", &["requests"])
    },
];

impl Client {
    /// Why this cannot be asked of it.
    pub(super) fn inapplicable(&self, column: Column) -> Option<&'static str> {
        self.not.iter().find(|(not, _)| *not == column).map(|(_, reason)| *reason)
    }

    /// The server that it calls.
    pub(super) fn server(&self) -> Result<Standin> {
        if self.plain {
            Standin::start_plain()
        } else if self.http2 {
            Standin::start_http2()
        } else {
            Standin::start()
        }
    }

    /// The configuration that wirespan needs to see it, when the default will not do.
    pub(super) fn configuration(&self, port: u16) -> Option<String> {
        if self.plain {
            Some(format!("plain_http:\n  mode: ports\n  ports: [{port}]\n"))
        } else if self.program == Program::Java {
            Some("capture:\n  java: true\n".to_owned())
        } else {
            None
        }
    }

    /// The command that carries the plan out.
    pub(super) fn command(&self, standin: &Standin, plan: &Plan) -> Result<Command> {
        let program = programs::find(self.program)?;
        if let Program::Rust(_) | Program::StrippedRust(_) = self.program {
            return Ok(self.rust(&program, standin, plan));
        }
        let script = self.script.map(|name| programs::script("matrix").join(name));
        let mut command = match self.program {
            Program::Curl | Program::Wget | Program::Codex => Command::new("/bin/sh"),
            _ => Command::new(&program),
        };
        match self.program {
            Program::Deno => {
                command
                    .args(["run", "--quiet", "--allow-all", "--no-lock", "--cert"])
                    .arg(standin.authority());
            }
            Program::Java => {
                command.arg("-cp").arg(programs::clients().join("java")).arg("Client");
            }
            _ => {}
        }
        command.args(script);
        if self.program == Program::Codex {
            command.arg(&program);
        }
        programs::trusting(&mut command, standin);
        programs::with_node_modules(&mut command);
        // No cache of compiled scripts, no look for newer versions: nothing beside the calls.
        command.env("DENO_NO_UPDATE_CHECK", "1").env("BUN_RUNTIME_TRANSPILER_CACHE_PATH", "0");
        let url = |wishes| standin.url(wishes) + self.path;
        command.args(self.arguments).arg(url(plan.wishes));
        command.args([plan.calls, plan.concurrent, plan.size].map(|number| number.to_string()));
        command.args(plan.first.map(url));
        Ok(command)
    }

    /// The Rust client has a form of its own: so many calls at once, so many times. Of a gate it passes the first time, every later one is open.
    fn rust(&self, program: &Path, standin: &Standin, plan: &Plan) -> Command {
        let mut command = Command::new(program);
        programs::trusting(&mut command, standin);
        command.arg(standin.url(plan.first.unwrap_or(plan.wishes))).arg(standin.authority());
        command.arg(plan.concurrent.to_string()).args(self.arguments);
        let rounds = plan.calls / plan.concurrent + usize::from(plan.first.is_some());
        command.arg(format!("rounds={rounds}")).arg(format!("size={}", plan.size));
        command
    }

    /// Its version, as it says itself; empty when it says nothing.
    pub(super) fn version(&self) -> String {
        let Ok(program) = programs::find(self.program) else { return String::new() };
        let argument = match self.program {
            Program::GoClient | Program::GoStripped => return go_version(),
            // It is built from tests/clients/reqwest, and no version of anything else.
            Program::Rust(_) | Program::StrippedRust(_) => return String::new(),
            _ => "--version",
        };
        let said =
            process::run(Command::new(program).arg(argument)).map(|run| run.stdout).unwrap_or_default();
        let line = said.lines().next().unwrap_or_default();
        let number =
            line.split([' ', 'v']).find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        number.unwrap_or_default().to_owned()
    }
}

fn go_version() -> String {
    let mut go = Command::new(programs::clients().join("go/toolchain/bin/go"));
    let said = process::run(go.arg("version")).map(|run| run.stdout).unwrap_or_default();
    said.split_whitespace().nth(2).unwrap_or_default().trim_start_matches("go").to_owned()
}
