//! The registers of the interrupted program. The only file that knows the architecture: everything else is the same for x86-64 and arm64.
//!
//! Sources: System V ABI, AMD64 supplement, section 3.2.3; Procedure Call Standard for the Arm 64-bit Architecture, sections 6.1.1 and 6.4;
//! the Go internal ABI specification, section "Architecture specifics".

#![allow(dead_code, reason = "which of these are used depends on the functions that are probed")]

use aya_ebpf::{bindings::pt_regs, programs::ProbeContext};

#[cfg(not(any(bpf_target_arch = "x86_64", bpf_target_arch = "aarch64")))]
compile_error!("the kernel programs know the registers of x86-64 and arm64 only (`bpf_target_arch`)");

/// What the architecture calls its registers.
trait Layout {
    /// Argument `index` of the C calling convention. Only the first six are in registers everywhere.
    fn argument(&self, index: usize) -> u64;
    fn returned(&self) -> u64;
    fn stack(&self) -> u64;
    /// Word `index` of the arguments, and of the results, of the Go calling convention. Only the first nine are in registers everywhere.
    fn go_word(&self, index: usize) -> u64;
    fn goroutine(&self) -> u64;
    fn counter(&self) -> u64;
    /// Argument `index` of a function that returns its result in memory, and that memory.
    fn argument_behind_result(&self, index: usize) -> u64;
    fn result_place(&self) -> u64;
    /// Register `index` of those that a function gives back as it got them; below [`KEPT`].
    fn kept(&self, index: usize) -> u64;
}

/// Number of registers that a function gives back as it got them, without those that only hold frames.
pub const KEPT: usize = 6;

#[cfg(bpf_target_arch = "x86_64")]
impl Layout for pt_regs {
    #[inline(always)]
    fn argument(&self, index: usize) -> u64 {
        match index {
            0 => self.rdi as u64,
            1 => self.rsi as u64,
            2 => self.rdx as u64,
            3 => self.rcx as u64,
            4 => self.r8 as u64,
            5 => self.r9 as u64,
            _ => 0,
        }
    }

    #[inline(always)]
    fn returned(&self) -> u64 {
        self.rax as u64
    }

    #[inline(always)]
    fn stack(&self) -> u64 {
        self.rsp as u64
    }

    #[inline(always)]
    fn go_word(&self, index: usize) -> u64 {
        match index {
            0 => self.rax as u64,
            1 => self.rbx as u64,
            2 => self.rcx as u64,
            3 => self.rdi as u64,
            4 => self.rsi as u64,
            5 => self.r8 as u64,
            6 => self.r9 as u64,
            7 => self.r10 as u64,
            8 => self.r11 as u64,
            _ => 0,
        }
    }

    #[inline(always)]
    fn goroutine(&self) -> u64 {
        self.r14 as u64
    }

    #[inline(always)]
    fn counter(&self) -> u64 {
        self.rip as u64
    }

    #[inline(always)]
    fn argument_behind_result(&self, index: usize) -> u64 {
        self.argument(index + 1)
    }

    #[inline(always)]
    fn result_place(&self) -> u64 {
        self.rdi as u64
    }

    #[inline(always)]
    fn kept(&self, index: usize) -> u64 {
        match index {
            0 => self.rbx as u64,
            1 => self.rbp as u64,
            2 => self.r12 as u64,
            3 => self.r13 as u64,
            4 => self.r14 as u64,
            5 => self.r15 as u64,
            _ => 0,
        }
    }
}

#[cfg(bpf_target_arch = "aarch64")]
impl Layout for pt_regs {
    #[inline(always)]
    fn argument(&self, index: usize) -> u64 {
        if index < 8 { self.regs[index] } else { 0 }
    }

    #[inline(always)]
    fn returned(&self) -> u64 {
        self.regs[0]
    }

    #[inline(always)]
    fn stack(&self) -> u64 {
        self.sp
    }

    #[inline(always)]
    fn go_word(&self, index: usize) -> u64 {
        if index < 16 { self.regs[index] } else { 0 }
    }

    #[inline(always)]
    fn goroutine(&self) -> u64 {
        self.regs[28]
    }

    #[inline(always)]
    fn counter(&self) -> u64 {
        self.pc
    }

    #[inline(always)]
    fn argument_behind_result(&self, index: usize) -> u64 {
        self.argument(index)
    }

    #[inline(always)]
    fn result_place(&self) -> u64 {
        self.regs[8]
    }

    #[inline(always)]
    fn kept(&self, index: usize) -> u64 {
        if index < KEPT { self.regs[19 + index] } else { 0 }
    }
}

#[inline(always)]
fn registers(ctx: &ProbeContext) -> &pt_regs {
    // SAFETY: the kernel hands the registers of the interrupted program to every uprobe program, for as long as it runs.
    unsafe { &*ctx.regs }
}

/// Argument `index` of a C function, counted from 0; at its entry. `index` is a constant below 6.
#[inline(always)]
pub fn argument(ctx: &ProbeContext, index: usize) -> u64 {
    registers(ctx).argument(index)
}

/// What a C function returns; at its RET. The upper half means nothing when it returns an `int`.
#[inline(always)]
pub fn returned(ctx: &ProbeContext) -> u64 {
    registers(ctx).returned()
}

/// The stack pointer. At a function's RET it is what it was at its entry, so that it names the frame.
///
/// On x86-64 it points to the return address at both. On arm64 the return address is in a register and the stack pointer points to
/// nothing of the function's own, but the calling convention makes every function give back the stack as it got it: also there the
/// frame of a caller and that of the function it calls differ, unless the caller keeps nothing on its stack, which a function that
/// calls another cannot do (it has to keep its own return address). A tail call leaves it as it is on both.
#[inline(always)]
pub fn stack(ctx: &ProbeContext) -> u64 {
    registers(ctx).stack()
}

/// Word `index` of the arguments (at the entry) or of the results (at the RET) of a Go function. `index` is a constant below 9.
#[inline(always)]
pub fn go_word(ctx: &ProbeContext, index: usize) -> u64 {
    registers(ctx).go_word(index)
}

/// The goroutine that runs, in a Go function.
#[inline(always)]
pub fn goroutine(ctx: &ProbeContext) -> u64 {
    registers(ctx).goroutine()
}

/// The address that runs.
#[inline(always)]
pub fn counter(ctx: &ProbeContext) -> u64 {
    registers(ctx).counter()
}

/// Argument `index` of a function that returns its result in memory: on x86-64 the address of that memory is the first argument, on arm64
/// it has a register of its own. `index` is a constant below 5.
#[inline(always)]
pub fn argument_behind_result(ctx: &ProbeContext, index: usize) -> u64 {
    registers(ctx).argument_behind_result(index)
}

/// Where a function puts a result that it returns in memory; at its entry.
#[inline(always)]
pub fn result_place(ctx: &ProbeContext) -> u64 {
    registers(ctx).result_place()
}

/// Register `index` of those that a function gives back as it got them: at its entry they hold what its callers keep over the call.
/// `index` is a constant below [`KEPT`].
#[inline(always)]
pub fn kept(ctx: &ProbeContext, index: usize) -> u64 {
    registers(ctx).kept(index)
}
