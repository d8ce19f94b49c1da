//! Bad input and bad places: a clear error or a stated degradation, and nothing lost silently.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use wirespan_tests::capture::Exec;
use wirespan_tests::process::{self, Finished};
use wirespan_tests::programs::{Program, python_sdk};
use wirespan_tests::standin::Standin;
use wirespan_tests::{agree, need, skip_if};

fn wirespan(args: &[&str]) -> Result<Finished> {
    process::run(Command::new(need::wirespan()?).args(args))
}

/// Why the binary cannot be run at all.
fn no_binary() -> Option<String> {
    need::wirespan().err().map(|error| format!("{error:#}"))
}

#[test]
fn a_configuration_that_is_not_there() -> Result<()> {
    skip_if!(no_binary());
    let run = wirespan(&["run", "--config", "/nonexistent/wirespan.yaml"])?;
    ensure!(!run.status.success(), "it ran");
    ensure!(run.stderr.contains("/nonexistent/wirespan.yaml"), "{}", run.stderr);
    Ok(())
}

#[test]
fn a_configuration_that_is_malformed() -> Result<()> {
    skip_if!(no_binary());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("wirespan.yaml");
    let name = file.to_str().context("path")?;
    for (text, parts) in [
        ("capture:\n  ring_sise: 4MiB\n", vec!["ring_sise", "ring_size"]),
        ("capture:\n  ring_size: many\n", vec!["ring_size"]),
        ("capture: [\n", vec!["wirespan.yaml"]),
        ("exprot:\n  x: 1\n", vec!["exprot", "export"]),
    ] {
        std::fs::write(&file, text)?;
        for args in [vec!["run", "--config", name], vec!["config", "validate", name]] {
            let run = wirespan(&args)?;
            ensure!(!run.status.success(), "{args:?} took {text:?}");
            for part in &parts {
                ensure!(
                    run.stderr.contains(part),
                    "{args:?} on {text:?} does not name {part}: {}",
                    run.stderr
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_command_that_is_not_there() -> Result<()> {
    skip_if!(need::kernel()?);
    let run = wirespan(&["exec", "--", "/nonexistent/program"])?;
    ensure!(
        !run.status.success() && run.stderr.contains("/nonexistent/program"),
        "{:?} {}",
        run.status,
        run.stderr
    );
    Ok(())
}

#[test]
fn recordings_that_are_none() -> Result<()> {
    skip_if!(no_binary());
    let folder = tempfile::tempdir()?;
    let missing = wirespan(&["decode", "/nonexistent/file.jsonl"])?;
    ensure!(
        !missing.status.success() && missing.stderr.contains("/nonexistent/file.jsonl"),
        "{}",
        missing.stderr
    );
    for (name, bytes) in
        [("noise", &b"\x00\xff\xfe noise \x01"[..]), ("cut.jsonl", b"{\"id\":\"x\",\"request\":")]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes)?;
        let run = wirespan(&["decode", file.to_str().context("path")?])?;
        ensure!(!run.status.success(), "{name} was taken");
        ensure!(run.stderr.contains(name), "{name} is not named: {}", run.stderr);
    }
    Ok(())
}

#[test]
fn a_capture_file_that_was_cut_keeps_what_is_whole() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("capture.wspn");
    let exec = Exec { record: Some(file.clone()), ..Exec::default() };
    let captured = exec.run(&python_sdk(&standin, "chat", "", &["--calls", "20"])?)?;
    ensure!(captured.records.len() == 20, "{}", captured.run.stderr);
    // Whole, the file gives the same spans again.
    let again = wirespan_tests::capture::decode(&file)?;
    agree::all(&again, &standin.seen())?;
    let ids = |records: &[agent_genai::Record]| {
        let mut ids: Vec<String> = records.iter().map(|record| record.span_id.clone()).collect();
        ids.sort();
        ids
    };
    ensure!(ids(&again) == ids(&captured.records), "a replay gives other ids");
    let bytes = std::fs::read(&file)?;
    std::fs::write(&file, bytes.get(..bytes.len() * 2 / 3).context("too short")?)?;
    let run = wirespan(&["decode", "-o", "jsonl", file.to_str().context("path")?])?;
    let kept = run.stdout.lines().count();
    ensure!((5..20).contains(&kept), "{kept} of 20 calls from two thirds of the file\n{}", run.stderr);
    ensure!(run.stderr.contains("capture.wspn"), "nothing was said about the cut: {}", run.stderr);
    Ok(())
}

#[test]
fn a_full_disk_under_record() -> Result<()> {
    skip_if!(need::kernel_and(&[Program::Python])?);
    let standin = Standin::start()?;
    let mount = Mount::small()?;
    let exec = Exec { record: Some(mount.0.path().join("capture.wspn")), ..Exec::default() };
    let captured =
        exec.run(&python_sdk(&standin, "chat", "", &["--calls", "20", "--prompt-bytes", "300000"])?)?;
    ensure!(captured.run.status.success(), "{}", captured.run.stderr);
    agree::all(&captured.records, &standin.seen())?;
    ensure!(
        captured.run.stderr.contains("capture.wspn"),
        "nothing was said about the full disk: {}",
        captured.run.stderr
    );
    Ok(())
}

#[test]
fn no_privileges() -> Result<()> {
    skip_if!(need::kernel()?);
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let binary = folder.path().join("wirespan");
    std::fs::copy(need::wirespan()?, &binary)?;
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary).args(args);
        process::run(&mut command)
    };
    let exec = as_nobody(&["exec", "--", "true"])?;
    ensure!(exec.status.code() == Some(3), "{:?} {}", exec.status, exec.stderr);
    ensure!(
        exec.stderr.contains("CAP_") || exec.stderr.contains("root"),
        "the privilege is not named: {}",
        exec.stderr
    );
    let doctor = as_nobody(&["doctor"])?;
    ensure!(!doctor.status.success(), "doctor finds nothing wrong: {}", doctor.stdout);
    ensure!((doctor.stdout + &doctor.stderr).contains("CAP_"), "doctor names no capability");
    Ok(())
}

#[test]
fn doctor_is_content_where_the_other_tests_run() -> Result<()> {
    skip_if!(need::kernel()?);
    wirespan(&["doctor"])?.succeeded().map(drop)
}

/// A file system of one mebibyte, in a mount point of its own.
struct Mount(tempfile::TempDir);

impl Mount {
    fn small() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path());
        process::run(&mut command)?.succeeded().context("could not mount a small tmpfs")?;
        Ok(Self(folder))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Left behind, it would only be an empty megabyte; the test's outcome stands.
        drop(process::run(Command::new("umount").arg(self.0.path())));
    }
}
