//! One virtual machine: boots a kernel with the guest, hands on what it says, and ends it in time.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::guest::MARK;
use super::kernels::Kernel;
use crate::{exec, ui};

/// The machine emulator.
pub(super) const QEMU: &str = "qemu-system-x86_64";

/// Hardware virtualisation where the processor tells of it, else emulation.
fn accelerator() -> &'static str {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = processor.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let virtualises = flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm");
    let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm");
    if virtualises && device.is_ok() { "kvm" } else { "tcg" }
}

/// Boots the kernel and returns the lines of the results. The kernel's own messages go to `log`.
pub(super) fn run(kernel: &Kernel, image: &Path, log: &Path, minutes: u64) -> Result<Vec<String>> {
    let mut command = Command::new(QEMU);
    command
        .args(["-accel", accelerator(), "-cpu", "max", "-smp", "2", "-m", "3072"])
        .args(["-nodefaults", "-display", "none", "-no-reboot", "-kernel"])
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(image)
        .arg("-append")
        .arg(format!("console=ttyS0 loglevel=5 panic=-1 random.trust_cpu=on wirespan.suite={}", kernel.suite))
        .args(["-serial", &format!("file:{}", log.display()), "-serial", "stdio"]);
    ui::note(&format!("    {}", exec::shown(&command)));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {QEMU}"))?;
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take().context("the machine has no output")?;
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let mut lines = Vec::new();
    loop {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if line.starts_with("test ") || line.starts_with(MARK) {
                    ui::note(&format!("    {}: {line}", kernel.suite));
                }
                lines.push(line);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                lines.push(format!("{MARK}ended after {minutes} minutes"));
                break;
            }
        }
    }
    // It has ended by itself, or must now.
    let _gone = child.kill();
    child.wait().with_context(|| format!("could not wait for {QEMU}"))?;
    let _joined = reader.join();
    anyhow::ensure!(
        lines.iter().any(|line| line.starts_with(MARK)),
        "the kernel did not come up; its messages are in {}",
        log.display()
    );
    Ok(lines)
}
