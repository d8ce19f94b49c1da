//! Runs other programs: says what runs, and turns a failure into an error that names the command.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::ui;

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        let arg = arg.to_string_lossy();
        text.push(' ');
        if arg.is_empty() || arg.contains([' ', '"', '\'', '$', '*', '{', '|']) {
            text.push('\'');
            text.push_str(&arg.replace('\'', "'\\''"));
            text.push('\'');
        } else {
            text.push_str(&arg);
        }
    }
    text
}

/// Runs to the end with the terminal's own streams; an error for any status but 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    ui::note(&format!("    {}", shown(command)));
    let status = command.status().with_context(|| format!("could not start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs quietly and returns stdout; the error of a failure carries the end of stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{}`", shown(command)))?;
    if !out.status.success() {
        let stderr = String::from_utf8_lossy(&out.stderr);
        let tail: Vec<&str> = stderr.lines().rev().take(8).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("`{}` failed: {}\n{}", shown(command), out.status, tail.join("\n"));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Whether the command runs and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A cargo of the user's own choice: without what `cargo run` added to the environment of this process, so that nested
/// builds choose their toolchain by the rules of the place they run in.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    clean(&mut command);
    command
}

/// Removes what the outer cargo and rustup put into the environment.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUST_RECURSION_COUNT", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
}
