//! Tracepoints on what makes bytes go past the system calls and the TLS libraries: io_uring, and TLS in the kernel. Kernel 5.10.

use agent_common::{ControlKind, SocketFlags};
use aya_ebpf::{helpers::bpf_probe_read_user, macros::tracepoint, programs::TracePointContext};

use crate::{
    control::report,
    handle::forget,
    maps::BYPASSES,
    scope::now,
    socket_table::{handle_of, plain},
    syscall::{Caller, argument, caller},
};

/// `SOL_TCP`, `SOL_TLS` of `linux/socket.h`.
const SOL_TCP: u32 = 6;
const SOL_TLS: u32 = 282;
/// `TCP_ULP` of `linux/tcp.h`.
const TCP_ULP: u32 = 31;

/// Reports once for each image of a process.
#[inline(always)]
fn tell(caller: &Caller, kind: ControlKind) {
    let key = u64::from(caller.tgid) << 32 | kind as u64;
    // SAFETY: the value is a word.
    if let Some(birth) = unsafe { BYPASSES.get(key) }
        && *birth == caller.birth
    {
        return;
    }
    let _ = BYPASSES.insert(key, caller.birth, 0);
    report(kind, caller.tgid, 0, true, now());
}

/// `io_uring_setup`
#[tracepoint]
pub fn sys_enter_io_uring_setup(_ctx: TracePointContext) -> u32 {
    if let Some(caller) = caller() {
        tell(&caller, ControlKind::IoUring);
    }
    0
}

/// `setsockopt(fd, SOL_TCP, TCP_ULP, "tls")`, and anything of `SOL_TLS`.
#[tracepoint]
pub fn sys_enter_setsockopt(ctx: TracePointContext) -> u32 {
    let Some(caller) = caller() else { return 0 };
    let level = argument(&ctx, 1) as u32;
    if level != SOL_TLS {
        if level != SOL_TCP || argument(&ctx, 2) as u32 != TCP_ULP {
            return 0;
        }
        // SAFETY: the helper copes with any address.
        match unsafe { bpf_probe_read_user(argument(&ctx, 3) as *const [u8; 3]) } {
            Ok([b't', b'l', b's']) => {}
            _ => return 0,
        }
    }
    tell(&caller, ControlKind::KernelTls);
    let fd = argument(&ctx, 0) as u32;
    if let Some(found) = plain(&caller, fd) {
        // What is written to it from now on is plaintext that the TLS library shows as well.
        // SAFETY: a value of a preallocated map is memory of its type.
        unsafe { (*found).flags &= !SocketFlags::PLAIN };
        forget(caller.tgid, caller.tid(), handle_of(fd));
    }
    0
}
