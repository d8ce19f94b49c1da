//! A filter over the system calls of this process: what a capture never does, nobody who takes it over can do either.
//!
//! It is a list of what is forbidden, not of what is allowed: a list of what the runtime, the resolver and the TLS library may need breaks with
//! each of their releases. Landlock is not used, because who is restricted by it may not look at processes outside (its rule for `ptrace` also
//! covers `/proc/PID/maps`), and that is what a capture does.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

use crate::CaptureError;

/// Forbidden whatever their arguments.
const FORBIDDEN: &[i64] = &[
    // Other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Namespaces and mounts.
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // With CAP_DAC_READ_SEARCH, a way around every mount namespace.
    libc::SYS_open_by_handle_at,
    // The kernel itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    // Keys, devices, and what has been a way into the kernel often enough.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_mknodat,
    libc::SYS_personality,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// `BPF_MAP_CREATE`, `BPF_PROG_LOAD` and `BPF_BTF_LOAD` of `linux/bpf.h`.
const BPF_CREATES: [u64; 3] = [0, 5, 18];

/// Forbids, for all threads of this process and for good, what a running capture does not do. `attached_by_link`: probes are attached by
/// multi-uprobe link, so that neither programs have to be loaded any more nor perf events opened. A process that was started before is not
/// restricted.
///
/// # Errors
/// When the kernel has no such filters.
pub fn deny_system_calls(attached_by_link: bool) -> Result<(), CaptureError> {
    let failed = |error: &dyn std::error::Error| {
        CaptureError::system(
            "restricting the system calls of this process",
            std::io::Error::other(error.to_string()),
        )
    };
    let filter = filter(attached_by_link).map_err(|error| failed(&error))?;
    apply_filter_all_threads(&filter).map_err(|error| failed(&error))
}

fn filter(attached_by_link: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    if attached_by_link {
        rules.insert(libc::SYS_perf_event_open, Vec::new());
        let created = BPF_CREATES.into_iter().map(|command| {
            let is = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, command)?;
            SeccompRule::new(vec![is])
        });
        rules.insert(libc::SYS_bpf, created.collect::<Result<_, _>>()?);
    }
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        refuse,
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?;
    filter.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_programs() {
        for attached_by_link in [false, true] {
            assert!(filter(attached_by_link).unwrap().len() > FORBIDDEN.len());
        }
    }
}
