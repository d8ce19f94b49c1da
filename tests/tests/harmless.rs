//! The watched programs never fail or stall, whatever happens to wirespan.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wirespan_tests::capture::{Exec, records};
use wirespan_tests::process::{self, Running};
use wirespan_tests::programs::{self, Program};
use wirespan_tests::standin::Standin;
use wirespan_tests::{need, skip_if};

/// What `load.py` prints at its end.
#[derive(Debug, Deserialize)]
struct Load {
    ok: u64,
    failed: u64,
}

fn load(standin: &Standin, stop: &Path) -> Result<Command> {
    let mut command = programs::command(Program::Python, standin)?;
    command.arg(programs::script("load.py")).arg(standin.url("chunks=20")).arg(stop).arg("10");
    Ok(command)
}

fn is_working(stdout: &str, stderr: &str) -> bool {
    let workers = |text: &str| text.lines().filter(|line| *line == "working").count();
    workers(stdout) + workers(stderr) >= 10
}

/// Ends the load; every call of it must have succeeded.
fn finish(client: Running, stop: &Path) -> Result<Load> {
    std::fs::write(stop, "")?;
    let run = client.wait()?.succeeded().context("the clients")?;
    let line = run.stdout.lines().last().unwrap_or_default();
    let load: Load = serde_json::from_str(line).with_context(|| format!("load.py said: {}", run.stdout))?;
    ensure!(load.failed == 0 && load.ok > 0, "{load:?}\n{}", run.stderr);
    Ok(load)
}

fn tail(pid: u32) -> Result<Running> {
    let mut command = Command::new(need::wirespan()?);
    command.args(["tail", "-o", "jsonl", "--pid", &pid.to_string()]);
    process::start(&mut command)
}

#[test]
fn wirespan_killed_under_load() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let stop = folder.path().join("stop");
    let mut client = process::start(&mut load(&standin, &stop)?)?;
    client.wait_for("a call of each worker", is_working)?;
    for _ in 0..5 {
        let mut agent = tail(client.pid())?;
        agent.wait_for("a captured call", |stdout, _| !stdout.is_empty())?;
        let before = standin.seen().len();
        agent.signal("KILL")?;
        agent.wait()?;
        // The clients go on: more calls are answered after the kill than were in flight at it.
        while standin.seen().len() < before + 40 {
            ensure!(!client.has_ended()?, "the client died: {}", client.stderr()?);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    finish(client, &stop).map(drop)
}

#[test]
fn exec_killed_under_load_leaves_the_command_running() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let (stop, result) = (folder.path().join("stop"), folder.path().join("result"));
    let inner = load(&standin, &stop)?;
    // The shell keeps the result, because the command outlives the `exec` that would have waited for it.
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(r#""$@" > "$RESULT.part"; echo "status $?" >> "$RESULT.part"; mv "$RESULT.part" "$RESULT""#);
    shell.arg("sh").arg(inner.get_program()).args(inner.get_args()).env("RESULT", &result);
    for (name, value) in inner.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let mut agent = Exec::default().start(&shell)?;
    agent.wait_for("captured calls", |stdout, _| stdout.lines().count() >= 20)?;
    agent.signal("KILL")?;
    agent.wait()?;
    let before = standin.seen().len();
    let deadline = std::time::Instant::now() + process::PATIENCE;
    while standin.seen().len() < before + 100 && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::fs::write(&stop, "")?;
    while !result.exists() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let said = std::fs::read_to_string(&result).context("the command never ended")?;
    ensure!(said.ends_with("status 0\n"), "the command failed: {said}");
    ensure!(standin.seen().len() >= before + 100, "the command stalled after the kill");
    Ok(())
}

#[test]
fn attached_and_detached_50_times_under_load() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let stop = folder.path().join("stop");
    let mut client = process::start(&mut load(&standin, &stop)?)?;
    client.wait_for("a call of each worker", is_working)?;
    let mut seen = 0;
    for round in 0..50 {
        let mut agent = tail(client.pid())?;
        agent
            .wait_for("a captured call", |stdout, _| !stdout.is_empty())
            .with_context(|| format!("round {round}"))?;
        agent.signal("INT")?;
        let run = agent.wait()?;
        seen += records(&run.stdout)?.len();
        ensure!(!client.has_ended()?, "the client died in round {round}: {}", client.stderr()?);
    }
    ensure!(seen >= 50, "only {seen} calls were captured in 50 rounds");
    let load = finish(client, &stop)?;
    ensure!(
        usize::try_from(load.ok)? == standin.seen().len(),
        "{load:?}, the server saw {}",
        standin.seen().len()
    );
    Ok(())
}

#[test]
fn without_privileges_wirespan_leaves_the_process_alone() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    // As nobody, wirespan may neither load programs nor read the process: it must say so and leave the client alone.
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let stop = folder.path().join("stop");
    let mut client = process::start(&mut load(&standin, &stop)?)?;
    client.wait_for("a call of each worker", is_working)?;
    let binary = folder.path().join("wirespan");
    std::fs::copy(need::wirespan()?, &binary)?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary);
    command.args(["tail", "-o", "jsonl", "--pid", &client.pid().to_string()]);
    let run = process::run(&mut command)?;
    ensure!(run.status.code() == Some(3), "{:?}: {}", run.status, run.stderr);
    ensure!(
        run.stderr.contains("root") || run.stderr.contains("CAP_"),
        "no way out is named: {}",
        run.stderr
    );
    ensure!(run.stdout.is_empty(), "{}", run.stdout);
    finish(client, &stop).map(drop)
}

#[test]
fn a_process_that_may_not_be_read() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Curl])?);
    // Root without CAP_SYS_PTRACE may load programs, but not look into the processes of other users.
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let script = folder.path().join("batch.sh");
    std::fs::copy(programs::script("batch.sh"), &script)?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]).arg(&script);
    command.arg(standin.url("")).arg("300").current_dir(folder.path());
    programs::trusting(&mut command, &standin);
    let client = process::start(&mut command)?;
    let mut agent = Command::new("setpriv");
    agent.arg("--bounding-set=-sys_ptrace,-dac_override,-dac_read_search").arg(need::wirespan()?);
    agent.args(["tail", "-o", "jsonl", "--pid", &client.pid().to_string()]);
    let agent = process::start(&mut agent)?;
    let run = client.wait()?.succeeded().context("the client")?;
    ensure!(run.stdout.contains("\"ok\":300"), "{}", run.stdout);
    ensure!(standin.seen().len() == 300, "the server saw {}", standin.seen().len());
    // It may have refused already; either way it ends by itself or when told to.
    drop(agent.signal("INT"));
    agent.wait().map(drop)
}
