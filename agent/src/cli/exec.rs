//! `wirespan exec`: one command and its children, from their first byte to their last.

use std::{
    ffi::OsString,
    io,
    os::{fd::AsFd, unix::process::ExitStatusExt},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use clap::Args;
use jiff::tz::TimeZone;
use tokio::process::{Child, Command};

use super::{
    args::{CaptureArgs, Format, OutputArgs},
    common::{self, Printer},
    pipeline::{self, Pipeline},
    signals::{self, Forwarded},
};
use crate::output::{Exit, diagnose};

/// A shell's status for a command that was not found.
const NOT_FOUND: u8 = 127;
/// A shell's status for a command that cannot be run.
const NOT_RUNNABLE: u8 = 126;

#[derive(Debug, Args)]
#[command(after_help = "\
Calls go to standard output. What the command prints goes to standard error, so that the two never mix; standard input passes \
through. The exit status is the command's: 128 plus the number of the signal that ended it, 127 when it was not found, 126 when it \
cannot be run. When this host does not allow capturing, the command is not started and the status is 3.\n\n\
A keyboard interrupt reaches the command by itself and is not sent twice; TERM and HUP are passed on, and so are INT and QUIT when \
wirespan is not in the foreground of a terminal.")]
pub(super) struct ExecArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    capture: CaptureArgs,
    /// Do not print the closing line
    #[arg(long)]
    no_summary: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(super) fn exec(args: ExecArgs) -> anyhow::Result<Exit> {
    let config = pipeline::configuration(&args.capture, args.output.content)?;
    common::runtime()?.block_on(async move {
        let format = args.output.output.unwrap_or(Format::Compact);
        let printer = Arc::new(Mutex::new((Printer::new(format, &args.output, TimeZone::system()), false)));
        let to_printer = Arc::clone(&printer);
        let (program, arguments) = args.command.split_first().context("no command")?;
        // Only what this command and its children do: nothing of the configured scope.
        let scope = agent_capture::Scope { follow_children: true, ..Default::default() };
        let (pipeline, (guard, by_link)) = Pipeline::start(
            &config,
            scope,
            args.capture.service_name.as_deref(),
            |capture| {
                capture.prepare(program, std::env::var_os("PATH").as_deref())?;
                Ok((capture.inherit_from_self()?, capture.has_multi_links()))
            },
            move |output| {
                let mut printer = to_printer.lock().unwrap_or_else(PoisonError::into_inner);
                let (printer, failed) = &mut *printer;
                if let Err(error) = printer.print_now(&output.record)
                    && !std::mem::replace(failed, true)
                {
                    tracing::error!("cannot write to standard output: {error}");
                }
            },
        )?;
        // Before the command starts, so that no signal is missed.
        let forwarded = Forwarded::listen().context("cannot listen for signals")?;
        let java = if config.capture.java { Some(java_variable()?) } else { None };
        let spawned = spawn(program, arguments, java);
        drop(guard);
        // The command runs already, with everything that it was given; this is for wirespan alone.
        if config.security.seccomp
            && let Err(error) = agent_capture::deny_system_calls(by_link)
        {
            tracing::debug!("{error}");
        }
        let status = match spawned {
            Ok(child) => wait(child, forwarded).await,
            Err(error) => {
                drop(pipeline.finish().await);
                return Ok(not_started(program, &error));
            }
        };
        let ended = pipeline.finish().await?;
        let printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
        let (printer, failed) = &*printer;
        if !args.no_summary {
            diagnose(&format!("wirespan: {}", printer.summary().line(&ended.drops)));
            for destination in ended.export.iter().flat_map(|export| &export.destinations) {
                if destination.lost() > 0 {
                    diagnose(&format!("wirespan: {destination}"));
                }
            }
        }
        let code = exit_code(status.context("cannot wait for the command")?);
        Ok(if code == 0 && *failed { Exit::Error } else { Exit::Code(code) })
    })
}

/// What makes the JVMs of the command load the agent.
fn java_variable() -> anyhow::Result<(&'static str, OsString)> {
    let present = std::env::var_os("JAVA_TOOL_OPTIONS");
    let directory = std::env::temp_dir();
    agent_capture::java::command_variable(&directory, present.as_deref())
        .with_context(|| format!("cannot put the Java agent into {}", directory.display()))
}

fn spawn(
    program: &OsString,
    arguments: &[OsString],
    variable: Option<(&str, OsString)>,
) -> io::Result<Child> {
    let stderr = io::stderr().as_fd().try_clone_to_owned()?;
    Command::new(program)
        .args(arguments)
        .envs(variable)
        .stdin(Stdio::inherit())
        .stdout(Stdio::from(stderr))
        .stderr(Stdio::inherit())
        .spawn()
}

/// Waits for the command, passing on what arrives for it meanwhile.
async fn wait(mut child: Child, mut forwarded: Forwarded) -> io::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status,
            signal = forwarded.next() => {
                if let Some(pid) = child.id().filter(|_| signals::must_be_passed_on(signal)) {
                    signals::send(pid, signal);
                }
            }
        }
    }
}

fn not_started(program: &OsString, error: &io::Error) -> Exit {
    let name = program.to_string_lossy();
    if error.kind() == io::ErrorKind::NotFound {
        diagnose(&format!("wirespan: command not found: {name}"));
        Exit::Code(NOT_FOUND)
    } else {
        diagnose(&format!("wirespan: cannot run {name}: {error}"));
        Exit::Code(NOT_RUNNABLE)
    }
}

/// The status as a shell reports it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_a_shell() {
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(15)), 143);
        assert_eq!(exit_code(ExitStatus::from_raw(9 | 0x80)), 137);
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_is_told_from_one_that_cannot_run() {
        let missing = spawn(&"/nonexistent/command".into(), &[], None).expect_err("missing");
        assert_eq!(not_started(&"x".into(), &missing), Exit::Code(NOT_FOUND));
        let folder = spawn(&"/".into(), &[], None).expect_err("a folder");
        assert_eq!(not_started(&"x".into(), &folder), Exit::Code(NOT_RUNNABLE));
    }
}
