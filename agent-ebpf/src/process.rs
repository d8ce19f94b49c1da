//! Tracepoints that follow processes: birth, exec, death, and executable mappings.
//!
//! The offsets of the fields are read from tracefs by the loader, because they differ between kernels.

use agent_common::{ControlKind, ProcessFlags, ProcessState};
use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::tracepoint, programs::TracePointContext};

use crate::{
    control::report,
    maps::{self, MAPPING, PARENTS, PROCESSES},
    scope::{admit, matches_command, matches_place, now, state},
};

/// `CLONE_THREAD` of `linux/sched.h`: the new task is a thread, not a process.
const CLONE_THREAD: u64 = 0x0001_0000;
/// `PROT_EXEC` of `asm-generic/mman-common.h`.
const PROT_EXEC: u64 = 4;
/// Error returns of system calls are the values from -4095 on.
const MAX_ERRNO: i64 = 4095;

/// `task:task_newtask`: runs in the parent, before the child does.
#[tracepoint]
pub fn task_newtask(ctx: TracePointContext) -> u32 {
    // SAFETY: the offsets are those of this kernel's format.
    let flags = unsafe { ctx.read_at::<u64>(maps::newtask_flags_offset() as usize) }.unwrap_or(CLONE_THREAD);
    if flags & CLONE_THREAD != 0 {
        return 0;
    }
    // SAFETY: as above.
    let Ok(child) = (unsafe { ctx.read_at::<u32>(maps::newtask_pid_offset() as usize) }) else { return 0 };
    let parent = (bpf_get_current_pid_tgid() >> 32) as u32;
    let inherits = match state(parent) {
        Some(state) => state.flags & ProcessFlags::INHERIT != 0,
        None => maps::all_processes() != 0,
    };
    if inherits {
        let birth = now();
        if admit(child, birth) {
            let _ = PARENTS.insert(child, parent, 0);
            report(ControlKind::Fork, child, parent, true, birth);
        }
    } else if state(child).is_some() {
        // The entry of an earlier process with this number.
        let _ = PROCESSES.remove(child);
    }
    0
}

/// `sched:sched_process_exec`: the new image is in place and has not run yet.
#[tracepoint]
pub fn sched_process_exec(_ctx: TracePointContext) -> u32 {
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let birth = now();
    match state(tgid) {
        Some(state) => {
            // The handles of the old image mean nothing any more.
            let _ = PROCESSES.insert(tgid, ProcessState { birth, ..state }, 0);
            if state.flags & ProcessFlags::CAPTURE != 0 {
                report(ControlKind::Exec, tgid, 0, true, birth);
            }
        }
        None => {
            if matches_place() || matches_command() {
                if admit(tgid, birth) {
                    report(ControlKind::Exec, tgid, 0, true, birth);
                }
            } else if maps::report_every_exec() != 0 {
                report(ControlKind::Exec, tgid, 0, false, birth);
            }
        }
    }
    0
}

/// `sched:sched_process_exit`, which runs for every thread.
#[tracepoint]
pub fn sched_process_exit(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let offset = maps::exit_group_dead_offset() as usize;
    if offset != 0 {
        // SAFETY: the offset is that of this kernel's format.
        let dead = unsafe { ctx.read_at::<u8>(offset) }.unwrap_or(0) != 0;
        if dead && state(tgid).is_some() {
            let _ = PROCESSES.remove(tgid);
            report(ControlKind::Exit, tgid, 1, true, now());
        }
    } else if pid_tgid as u32 == tgid && state(tgid).is_some() {
        // Other threads may run on; user space looks, and takes the entry out when they do not.
        report(ControlKind::Exit, tgid, 0, true, now());
    }
    0
}

/// `syscalls:sys_enter_mmap`
#[tracepoint]
pub fn sys_enter_mmap(ctx: TracePointContext) -> u32 {
    // SAFETY: the offset is that of this kernel's format.
    let prot = unsafe { ctx.read_at::<u64>(maps::mmap_prot_offset() as usize) }.unwrap_or(0);
    if prot & PROT_EXEC == 0 {
        return 0;
    }
    // SAFETY: as above.
    let fd = unsafe { ctx.read_at::<u64>(maps::mmap_fd_offset() as usize) }.unwrap_or(u64::MAX);
    if (fd as i32) < 0 {
        return 0;
    }
    let pid_tgid = bpf_get_current_pid_tgid();
    match state((pid_tgid >> 32) as u32) {
        Some(state) if state.flags & ProcessFlags::CAPTURE != 0 => {
            let _ = MAPPING.insert(pid_tgid, 1, 0);
        }
        _ => {}
    }
    0
}

/// `syscalls:sys_exit_mmap`
#[tracepoint]
pub fn sys_exit_mmap(ctx: TracePointContext) -> u32 {
    let pid_tgid = bpf_get_current_pid_tgid();
    if MAPPING.get_ptr(pid_tgid).is_none() {
        return 0;
    }
    let _ = MAPPING.remove(pid_tgid);
    // SAFETY: the offset is that of this kernel's format.
    let returned = unsafe { ctx.read_at::<i64>(maps::mmap_ret_offset() as usize) }.unwrap_or(-1);
    if returned < 0 && returned >= -MAX_ERRNO {
        return 0;
    }
    report(ControlKind::Mapped, (pid_tgid >> 32) as u32, 0, true, now());
    0
}
