//! wirespan's kernel programs: uprobes on the TLS functions of user programs, and tracepoints that follow processes.
//!
//! Minimum kernel: 5.10 (ring buffer 5.8, `bpf_probe_read_user` 5.5, bounded loops 5.3). No kprobes, no fentry, no access to kernel
//! structures, so no kernel BTF is needed.
//!
//! Nothing here may slow the observed program down more than it must: each program leaves at once for a process out of scope, copies
//! once, straight into the ring, and never wakes anybody from a TLS call.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod agent;
mod bypass;
mod call;
mod control;
mod count;
mod emit;
mod empty;
mod frame;
mod go;
mod handle;
mod java;
mod maps;
mod peer;
mod process;
mod registers;
mod rustls;
mod rustls_join;
mod scope;
mod site;
mod sniff;
mod socket;
mod socket_calls;
mod socket_table;
mod stream;
mod syscall;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: nothing here can panic, and the verifier would refuse an endless loop that can be reached.
    loop {}
}

/// The licence, as the kernel reads it: some helpers are for GPL-compatible programs only. The kernel programs may be used under the GPL
/// as well as under the project's own licences.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
