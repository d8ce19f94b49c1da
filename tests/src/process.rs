//! Runs processes of tests: never without a bound in time, never left behind.

use std::ffi::OsString;
use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longest a test waits for a program. It guards against hangs; nothing is measured with it.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// A program that ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Itself, if the status is 0.
    ///
    /// # Errors
    /// Otherwise, with what the program said.
    pub fn succeeded(self) -> Result<Self> {
        if !self.status.success() {
            bail!("{}\nstdout: {}\nstderr: {}", self.status, end_of(&self.stdout), end_of(&self.stderr));
        }
        Ok(self)
    }
}

/// The last lines.
fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: OsString,
    stdout: File,
    stderr: File,
}

/// Starts the program, its output going to unnamed files.
///
/// # Errors
/// When it cannot be started.
pub fn start(command: &mut Command) -> Result<Running> {
    let stdout = tempfile::tempfile().context("file for stdout")?;
    let stderr = tempfile::tempfile().context("file for stderr")?;
    let name = command.get_program().to_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .spawn()
        .with_context(|| format!("could not start {}", name.display()))?;
    Ok(Running { child, name, stdout, stderr })
}

/// Runs the program to its end.
///
/// # Errors
/// When it cannot be started or does not end.
pub fn run(command: &mut Command) -> Result<Finished> {
    start(command)?.wait()
}

impl Running {
    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// When that cannot be asked.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// What it wrote to stdout so far.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn stdout(&mut self) -> Result<String> {
        content(&mut self.stdout)
    }

    /// What it wrote to stderr so far.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn stderr(&mut self) -> Result<String> {
        content(&mut self.stderr)
    }

    /// Waits until the condition on what was written (stdout, stderr) holds.
    ///
    /// # Errors
    /// When the program ends before, or never gets there.
    pub fn wait_for(&mut self, what: &str, condition: impl Fn(&str, &str) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.has_ended()?;
            let (stdout, stderr) = (self.stdout()?, self.stderr()?);
            if condition(&stdout, &stderr) {
                return Ok(());
            }
            if ended || Instant::now() > deadline {
                bail!(
                    "{} never showed {what}\nstdout: {}\nstderr: {}",
                    self.name.display(),
                    end_of(&stdout),
                    end_of(&stderr)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has nothing left to do: none of its threads runs for a second.
    ///
    /// # Errors
    /// When it ends, or never comes to rest.
    pub fn wait_for_rest(&mut self) -> Result<()> {
        const QUIET: usize = 20;
        let deadline = Instant::now() + PATIENCE;
        let mut quiet = 0;
        std::thread::sleep(Duration::from_secs(1));
        while quiet < QUIET {
            if self.has_ended()? {
                let said = self.stderr()?;
                bail!("{} ended: {}", self.name.display(), end_of(&said));
            }
            if Instant::now() > deadline {
                bail!("{} never came to rest", self.name.display());
            }
            quiet = if is_asleep(self.pid())? { quiet + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Sends a signal by its name.
    ///
    /// # Errors
    /// When `kill` cannot be run or refuses.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status()?;
        if !status.success() {
            bail!("kill -{name} {}: {status}", self.pid());
        }
        Ok(())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it does not end in time; it is then killed.
    pub fn wait(mut self) -> Result<Finished> {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                let said = self.stderr()?;
                bail!(
                    "{} did not end within {} s\nstderr: {}",
                    self.name.display(),
                    PATIENCE.as_secs(),
                    end_of(&said)
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Ok(Finished { status, stdout: self.stdout()?, stderr: self.stderr()? })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // It may end by itself in between; either way it is gone.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// No thread is running, or waiting for the disk.
fn is_asleep(pid: u32) -> Result<bool> {
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(stat) = std::fs::read_to_string(thread?.path().join("stat")) else { continue };
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        if state != Some('S') {
            return Ok(false);
        }
    }
    Ok(true)
}

fn content(file: &mut File) -> Result<String> {
    // The position is shared with the writing program, which must go on at the end.
    use std::os::unix::fs::FileExt as _;
    let length = file.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(length)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
