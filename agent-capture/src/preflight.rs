//! What this host allows, and how to fix what it does not: the facts behind `wirespan doctor`.

use std::fs;
use std::io;
use std::path::Path;

use aya::maps::MapType;
use aya::programs::ProgramType;
use aya::sys::{BpfHelper, is_helper_supported, is_map_supported, is_program_supported};

use rustix::thread::CapabilitySet;

use crate::error::chain;
use crate::kernel::Offsets;
use crate::multi;
use crate::privileges::{self, USES, Use};
use crate::settings::cgroup2_mount;
use crate::tracefs;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// Capture works, with less than there could be.
    Warning,
    /// Capture does not work.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Short name in kebab case, stable.
    pub name: &'static str,
    /// How it came out.
    pub status: CheckStatus,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty when there is nothing to do.
    pub fix: String,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// In the order in which the capture needs them.
    pub checks: Vec<Check>,
}

impl Capabilities {
    /// Whether nothing failed.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.checks.iter().all(|check| check.status != CheckStatus::Failed)
    }
}

/// Looks at what the capture needs. Changes nothing on the host.
#[must_use]
pub fn preflight() -> Capabilities {
    let mut checks = vec![architecture(), kernel_version(), pid_namespace()];
    checks.extend(capabilities());
    checks.extend([
        perf_event_paranoid(),
        lockdown(),
        ring_buffer(),
        programs(),
        uprobes(),
        trace_file_system(),
        tracepoints(),
        cgroup(),
        btf(),
        bpf_loop(),
    ]);
    Capabilities { checks }
}

fn ok(name: &'static str, detail: impl Into<String>) -> Check {
    Check { name, status: CheckStatus::Ok, detail: detail.into(), fix: String::new() }
}

fn warning(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { name, status: CheckStatus::Warning, detail: detail.into(), fix: fix.into() }
}

fn failed(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { name, status: CheckStatus::Failed, detail: detail.into(), fix: fix.into() }
}

/// Whether this process is in the initial pid namespace, whose ids the kernel programs report.
pub(crate) fn sees_host_pids() -> bool {
    // PROC_PID_INIT_INO of include/linux/proc_ns.h. Where it cannot be read, the capture is not refused for it.
    fs::read_link("/proc/self/ns/pid").map_or(true, |link| link.as_os_str() == "pid:[4026531836]")
}

fn architecture() -> Check {
    const NAME: &str = "architecture";
    match std::env::consts::ARCH {
        architecture @ ("x86_64" | "aarch64") => ok(NAME, architecture),
        other => failed(NAME, other, "the probes are made for x86-64 and arm64 only"),
    }
}

/// Major and minor version of a kernel release such as `6.1.0-18-amd64`.
fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn kernel_version() -> Check {
    const NAME: &str = "kernel";
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    match parse_release(&release) {
        Some(version) if version >= (5, 10) => ok(NAME, release),
        Some(_) => failed(NAME, release, "use Linux 5.10 or newer"),
        None => warning(NAME, format!("unknown release {release}"), "Linux 5.10 or newer is needed"),
    }
}

fn pid_namespace() -> Check {
    const NAME: &str = "pid-namespace";
    if sees_host_pids() {
        return ok(NAME, "the host's");
    }
    failed(
        NAME,
        "not the host's: the ids that the kernel reports mean nothing here",
        "hostPID: true, or --pid=host",
    )
}

/// One check for each capability that is used.
fn capabilities() -> Vec<Check> {
    let Some(effective) = privileges::effective() else {
        return vec![warning("capabilities", "the kernel does not tell which there are", "run as root")];
    };
    // With SYS_ADMIN, the kernel grants what BPF, PERFMON and CHECKPOINT_RESTORE stand for.
    let admin = effective.contains(CapabilitySet::SYS_ADMIN);
    let mut checks: Vec<Check> = USES.iter().map(|one| capability(one, effective, admin)).collect();
    checks.push(admin_capability(admin));
    checks
}

fn capability(one: &Use, effective: CapabilitySet, admin: bool) -> Check {
    let Use { check, name, flag, purpose, without, required } = one;
    let covered = CapabilitySet::BPF | CapabilitySet::PERFMON | CapabilitySet::CHECKPOINT_RESTORE;
    if effective.contains(*flag) || (admin && covered.contains(*flag)) {
        return ok(check, *purpose);
    }
    let detail = format!("{name} is missing; it {purpose}; without it {without}");
    let fix = format!("run as root, or grant {name}");
    if *required { failed(check, detail, fix) } else { warning(check, detail, fix) }
}

fn admin_capability(there: bool) -> Check {
    const NAME: &str = "cap-sys-admin";
    if !privileges::needs_admin() {
        return ok(NAME, "not needed: multi-uprobe links do without");
    }
    if there {
        return ok(NAME, "attaches by perf event on kernels with the fix of CVE-2025-38466");
    }
    warning(
        NAME,
        "CAP_SYS_ADMIN is missing; kernels before 6.6 with the fix of CVE-2025-38466 (5.10.240, 5.15.189, 6.1.146 and later) attach \
         uprobes for it alone; without it no function can be probed there",
        "grant CAP_SYS_ADMIN, or use Linux 6.6 or newer",
    )
}

fn perf_event_paranoid() -> Check {
    const NAME: &str = "perf-event-paranoid";
    match fs::read_to_string("/proc/sys/kernel/perf_event_paranoid") {
        Ok(value) => ok(NAME, format!("{} (CAP_PERFMON overrides it)", value.trim())),
        Err(error) => {
            failed(NAME, format!("no perf events: {error}"), "use a kernel with CONFIG_PERF_EVENTS")
        }
    }
}

fn lockdown() -> Check {
    const NAME: &str = "lockdown";
    let state = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let chosen = state.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or("none");
    if chosen == "confidentiality" {
        let fix = "boot without lockdown=confidentiality";
        return failed(NAME, "confidentiality: programs may not read the memory of processes", fix);
    }
    ok(NAME, chosen)
}

/// The verdict on a probed feature; a probe that is refused says nothing about the kernel.
fn feature(
    name: &'static str,
    what: &str,
    result: Result<bool, &(dyn std::error::Error + 'static)>,
    fix: &str,
) -> Check {
    match result {
        Ok(true) => ok(name, what),
        Ok(false) => failed(name, format!("this kernel has no {what}"), fix),
        Err(error) => failed(name, format!("looking for {what} failed: {}", chain(error)), "run as root"),
    }
}

fn ring_buffer() -> Check {
    let result = is_map_supported(MapType::RingBuf);
    let result = result.as_ref().map(|found| *found).map_err(|error| error as _);
    feature("ring-buffer", "BPF ring buffer", result, "use Linux 5.8 or newer")
}

fn programs() -> Check {
    let result = is_program_supported(ProgramType::KProbe);
    let result = result.as_ref().map(|found| *found).map_err(|error| error as _);
    feature("programs", "BPF programs on uprobes", result, "use a kernel with CONFIG_BPF_EVENTS")
}

fn uprobes() -> Check {
    const NAME: &str = "uprobes";
    const TYPE: &str = "/sys/bus/event_source/devices/uprobe/type";
    if multi::probe().unwrap_or(false) {
        return ok(NAME, "by multi-uprobe link");
    }
    match fs::read_to_string(TYPE) {
        Ok(_) => ok(NAME, "by perf event (multi-uprobe links came with Linux 6.6)"),
        Err(error) => {
            failed(NAME, format!("{TYPE}: {error}"), "use a kernel with CONFIG_UPROBE_EVENTS, and mount /sys")
        }
    }
}

fn trace_file_system() -> Check {
    const NAME: &str = "tracefs";
    if let Some(path) = tracefs::find() {
        return ok(NAME, path.display().to_string());
    }
    let fix = format!("mount -t tracefs tracefs {}", tracefs::TRACEFS);
    if Path::new(tracefs::TRACEFS).is_dir() {
        return warning(NAME, "not mounted; the capture mounts it when it may", fix);
    }
    failed(
        NAME,
        format!("there is no {}", tracefs::TRACEFS),
        "use a kernel with CONFIG_TRACING, and mount /sys",
    )
}

fn tracepoints() -> Check {
    const NAME: &str = "tracepoints";
    let Some(path) = tracefs::find() else {
        return warning(NAME, "not looked at, for tracefs is not mounted", "");
    };
    match Offsets::read(&path) {
        Ok(_) => ok(NAME, "task, sched and mmap"),
        Err(error) => {
            failed(NAME, chain(&error), "use a kernel with CONFIG_FTRACE_SYSCALLS, and run as root")
        }
    }
}

fn cgroup() -> Check {
    const NAME: &str = "cgroup-v2";
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    match cgroup2_mount(&mounts) {
        Some(path) => ok(NAME, path.display().to_string()),
        None => warning(
            NAME,
            "not mounted: scopes by control group do not work",
            "mount -t cgroup2 none /sys/fs/cgroup",
        ),
    }
}

fn btf() -> Check {
    const NAME: &str = "btf";
    const PATH: &str = "/sys/kernel/btf/vmlinux";
    match fs::metadata(PATH) {
        Ok(_) => ok(NAME, PATH),
        Err(error) if error.kind() == io::ErrorKind::NotFound => ok(NAME, "none, and none is needed"),
        Err(error) => ok(NAME, format!("{PATH}: {error}; it is not needed")),
    }
}

fn bpf_loop() -> Check {
    const NAME: &str = "bpf-loop";
    match is_helper_supported(ProgramType::KProbe, BpfHelper::BPF_FUNC_loop) {
        Ok(true) => ok(NAME, "there, and not needed"),
        Ok(false) => ok(NAME, "none, and none is needed: large calls are copied in a bounded loop"),
        Err(error) => ok(NAME, format!("unknown ({}); it is not needed", chain(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_parsed() {
        assert_eq!(parse_release("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(parse_release("5.10"), Some((5, 10)));
        assert_eq!(parse_release("next"), None);
    }

    #[test]
    fn every_check_has_a_name_of_its_own_and_a_failed_one_a_fix() {
        let checks = preflight().checks;
        for (index, check) in checks.iter().enumerate() {
            assert!(!checks[..index].iter().any(|other| other.name == check.name), "{}", check.name);
            assert!(check.status != CheckStatus::Failed || !check.fix.is_empty(), "{check:?}");
        }
    }
}
