//! Which processes are in scope.

use agent_common::{ControlKind, CounterIndex, ProcessFlags, ProcessState};
use aya_ebpf::helpers::{bpf_get_current_comm, generated::bpf_ktime_get_ns};

use crate::{
    control::report,
    count::count,
    maps::{self, CGROUPS, COMMANDS, MAX_CGROUPS, PROCESSES},
};

/// `CLOCK_MONOTONIC` in nanoseconds.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// The state of a process in the map.
#[inline(always)]
pub fn state(tgid: u32) -> Option<ProcessState> {
    // SAFETY: the value is two words and a flag that are only ever replaced whole; a torn read could at worst give a birth that fits no
    // connection, which begins a new generation.
    unsafe { PROCESSES.get(tgid) }.copied()
}

/// Flags of a process that came into scope by itself or by its parent.
#[inline(always)]
pub fn full_flags() -> u32 {
    if maps::follow_children() != 0 {
        ProcessFlags::CAPTURE | ProcessFlags::INHERIT
    } else {
        ProcessFlags::CAPTURE
    }
}

/// Puts a process into scope.
#[inline(always)]
pub fn admit(tgid: u32, birth: u64) -> bool {
    let state = ProcessState { flags: full_flags(), reserved: 0, birth };
    let admitted = PROCESSES.insert(tgid, state, 0).is_ok();
    if !admitted {
        count(CounterIndex::ProcessesUntracked, 1);
    }
    admitted
}

/// Whether the calling task is in scope by its control group, or because everything is.
#[inline(always)]
pub fn matches_place() -> bool {
    if maps::all_processes() != 0 {
        return true;
    }
    let count = maps::cgroup_count();
    for index in 0..MAX_CGROUPS {
        if index >= count {
            break;
        }
        if let Ok(true) = CGROUPS.current_task_under_cgroup(index) {
            return true;
        }
    }
    false
}

/// Whether the calling task's command name is in scope.
#[inline(always)]
pub fn matches_command() -> bool {
    if maps::command_count() == 0 {
        return false;
    }
    match bpf_get_current_comm() {
        // SAFETY: only the presence of the entry counts.
        Ok(command) => unsafe { COMMANDS.get(command) }.is_some(),
        Err(_) => false,
    }
}

/// The birth of the calling process if its calls are captured. The rules by place are tried here once more, because a process may move
/// into a control group after its exec; command names are tried at exec only, because threads have names of their own.
#[inline(always)]
pub fn captured(tgid: u32) -> Option<u64> {
    if let Some(state) = state(tgid) {
        return if state.flags & ProcessFlags::CAPTURE != 0 { Some(state.birth) } else { None };
    }
    if !matches_place() {
        return None;
    }
    let birth = now();
    if !admit(tgid, birth) {
        return None;
    }
    report(ControlKind::Found, tgid, 0, true, birth);
    Some(birth)
}
