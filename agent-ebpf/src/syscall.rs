//! The records of `syscalls:sys_enter_*` and `sys_exit_*`.

use agent_common::{ProcessFlags, ProcessState};
use aya_ebpf::{helpers::bpf_get_current_pid_tgid, programs::TracePointContext};

use crate::{maps, scope::state};

/// The thread that makes a system call.
#[derive(Clone, Copy)]
pub struct Caller {
    /// As the kernel packs it: process above, thread below.
    pub pid_tgid: u64,
    /// Process.
    pub tgid: u32,
    /// Birth of its image.
    pub birth: u64,
}

impl Caller {
    /// Thread.
    #[inline(always)]
    pub fn tid(&self) -> u32 {
        self.pid_tgid as u32
    }
}

/// The caller, if its process is in scope already. The rules by place are not tried here: system calls are many.
#[inline(always)]
pub fn caller() -> Option<Caller> {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    match state(tgid) {
        Some(ProcessState { flags, birth, .. }) if flags & ProcessFlags::CAPTURE != 0 => {
            Some(Caller { pid_tgid, tgid, birth })
        }
        _ => None,
    }
}

/// Argument `index` of a system call, at its entry.
#[inline(always)]
pub fn argument(ctx: &TracePointContext, index: usize) -> u64 {
    // SAFETY: the loader has checked the offsets of the arguments in the formats of this kernel.
    unsafe { ctx.read_at::<u64>(maps::syscall_args_offset() as usize + 8 * index) }.unwrap_or(0)
}

/// What a system call returns, at its exit.
#[inline(always)]
pub fn returned(ctx: &TracePointContext) -> i64 {
    // SAFETY: the offset is that of this kernel's format.
    unsafe { ctx.read_at::<i64>(maps::syscall_ret_offset() as usize) }.unwrap_or(-1)
}
