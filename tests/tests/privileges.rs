//! How little wirespan needs, that it gives up the rest, and that the commands it runs notice nothing of that.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::capture::{Exec, records};
use wirespan_tests::daemon::Daemon;
use wirespan_tests::programs::{Program, find, python_sdk};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, need, process, skip_if};

/// Held by tests that run Python: the daemon of one must not see the programs of another.
static ALONE: Mutex<()> = Mutex::new(());

/// What wirespan keeps at most, by number: DAC_READ_SEARCH, SYS_PTRACE, PERFMON, BPF, CHECKPOINT_RESTORE.
const KEPT: u64 = 1 << 2 | 1 << 19 | 1 << 38 | 1 << 39 | 1 << 40;
/// And before Linux 6.6.
const SYS_ADMIN: u64 = 1 << 21;

fn has_multi_links() -> Result<bool> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok()).context("a release");
    Ok((number()?, number()?) >= (6, 6))
}

/// A line of `/proc/PID/status`.
fn field(status: &Path, name: &str) -> Result<String> {
    let text = std::fs::read_to_string(status)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.with_context(|| format!("{name} in {}", status.display()))?.trim().to_owned())
}

#[test]
fn four_capabilities_are_enough_for_a_user_that_is_not_root() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    if !Path::new("/usr/bin/setpriv").is_file() {
        println!("skipped: setpriv is not installed");
        return Ok(());
    }
    let mut capabilities = "-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search".to_owned();
    if !has_multi_links()? {
        capabilities.push_str(",+sys_admin");
    }
    let standin = Standin::start()?;
    let inner = Exec::default().command(&python_sdk(&standin, "chat", "", &["--calls", "5"])?)?;
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
    for set in ["bounding-set", "inh-caps", "ambient-caps"] {
        command.arg(format!("--{set}={capabilities}"));
    }
    let home = tempfile::tempdir()?;
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("HOME", home.path());
    let run = process::run(&mut command)?.succeeded()?;
    let calls = records(&run.stdout)?;
    ensure!(calls.len() == 5, "{} calls\n{}", calls.len(), run.stderr);
    agree::all(&calls, &standin.seen())
}

#[test]
fn the_daemon_gives_up_the_rest_and_attaches_to_what_comes_later() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let python = find(Program::Python)?.canonicalize()?;
    let config = format!("capture:\n  scope:\n    executables: [\"{}\"]\n", python.display());
    let daemon = Daemon::start(&config)?;
    let allowed = if has_multi_links()? { KEPT } else { KEPT | SYS_ADMIN };
    let tasks = format!("/proc/{}/task", daemon.process.pid());
    let mut threads = 0;
    for task in std::fs::read_dir(&tasks)? {
        let status = task?.path().join("status");
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"] {
            let has = u64::from_str_radix(&field(&status, set)?, 16)?;
            ensure!(has & !allowed == 0, "{set} {has:x} of {}", status.display());
        }
        ensure!(field(&status, "NoNewPrivs")? == "1", "{}", status.display());
        ensure!(field(&status, "Seccomp")? == "2", "{}", status.display());
        threads += 1;
    }
    ensure!(threads > 3, "{threads} threads");
    // Its libraries are found, searched and attached to only now.
    let standin = Standin::start()?;
    process::run(&mut python_sdk(&standin, "chat", "", &["--calls", "20"])?)?.succeeded()?;
    // The daemon publishes its figures once a second.
    let deadline = Instant::now() + process::PATIENCE;
    loop {
        let status = process::run(daemon.ask("status")?.arg("--json"))?.succeeded()?.stdout;
        let status: Value = serde_json::from_str(&status)?;
        let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64);
        ensure!(number("/capture/failed_objects") == Some(0), "{status}");
        if number("/capture/attached_probes") > Some(0) && number("/engine/calls") > Some(0) {
            break;
        }
        ensure!(Instant::now() < deadline, "nothing was captured: {status}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn the_command_of_exec_keeps_everything_that_it_was_given() -> Result<()> {
    skip_if!(need::kernel()?);
    let mut command = Command::new("sh");
    // Some time after the start, when wirespan has restricted itself.
    command.args(["-c", "sleep 1; grep -E '^(Cap...|NoNewPrivs|Seccomp):' /proc/self/status"]);
    let alone = process::run(&mut command)?.succeeded()?.stdout;
    let run = Exec::default().run(&command)?.run.succeeded()?;
    ensure!(alone.lines().count() >= 7, "{alone}");
    for line in alone.lines() {
        ensure!(run.stderr.lines().any(|said| said == line), "{line} is missing:\n{}", run.stderr);
    }
    Ok(())
}

#[test]
fn doctor_says_what_each_capability_is_for() -> Result<()> {
    let run = process::run(Command::new(need::wirespan()?).args(["doctor", "--output", "json"]))?;
    let found: Value = serde_json::from_str(&run.stdout)?;
    let checks = found["checks"].as_array().context("checks")?;
    for name in [
        "cap-bpf",
        "cap-perfmon",
        "cap-sys-ptrace",
        "cap-dac-read-search",
        "cap-checkpoint-restore",
        "cap-sys-admin",
    ] {
        let check = checks.iter().find(|check| check["name"] == name).with_context(|| name.to_owned())?;
        ensure!(check["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{check}");
    }
    Ok(())
}
