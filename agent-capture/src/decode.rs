//! Machine code of every architecture that is probed.

use crate::{arm64, x86};

/// An architecture, by the machine that an ELF file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Aarch64,
}

impl Machine {
    /// The one that this program is for, and with it the kernel programs inside.
    pub(crate) const NATIVE: Self = if cfg!(target_arch = "aarch64") { Self::Aarch64 } else { Self::X86_64 };

    /// The machine of this number in ELF headers.
    pub(crate) fn of(number: u16) -> Option<Self> {
        const EM_X86_64: u16 = 62;
        const EM_AARCH64: u16 = 183;
        match number {
            EM_X86_64 => Some(Self::X86_64),
            EM_AARCH64 => Some(Self::Aarch64),
            _ => None,
        }
    }
}

/// What the code of one function holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Addresses of the RET instructions.
    pub(crate) returns: Vec<u64>,
    /// Targets of direct jumps out of the function: tail calls, or parts of it that the compiler put elsewhere.
    pub(crate) leaves_to: Vec<u64>,
    /// Bytes to skip at the entry, over an instruction that only marks it and changes neither the arguments nor the stack pointer.
    pub(crate) entry_skip: u64,
}

/// The code could not be decoded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no instruction at {0:#x}")]
pub(crate) struct Undecodable(pub(crate) u64);

/// Decodes the whole function, instruction by instruction. A single one that cannot be decoded refuses it all: a probe in the middle of an
/// instruction would break the program.
pub(crate) fn scan(machine: Machine, code: &[u8], address: u64) -> Result<Scan, Undecodable> {
    match machine {
        Machine::X86_64 => x86::scan(code, address),
        Machine::Aarch64 => arm64::scan(code, address),
    }
}

/// The instruction behind the check of the stack's size that a Go function begins with: its arguments are still where they were. `None`
/// where there is none against the goroutine in its register (`g.stackguard0`).
pub(crate) fn behind_go_stack_check(machine: Machine, code: &[u8], address: u64) -> Option<u64> {
    match machine {
        Machine::X86_64 => x86::behind_go_stack_check(code, address),
        Machine::Aarch64 => arm64::behind_go_stack_check(code, address),
    }
}
