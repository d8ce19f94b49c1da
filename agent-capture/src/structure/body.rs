//! What the code of one function does, as far as it tells functions of a library apart.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
    UsedRegister,
};

use crate::elf::{Elf, Extent};

/// Longest function that is looked at.
const MAX_SIZE: u64 = 64 << 10;

/// The code of one function, summed up.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) extent: Extent,
    /// Numbers that are put into registers; the full register.
    numbers: Vec<(Register, u64)>,
    /// Addresses that are put into registers.
    addresses: Vec<(Register, u64)>,
    /// Targets of calls, and of jumps out of the function.
    calls: Vec<u64>,
    /// Those of them that get the first three arguments as the function got them.
    passes_on: Vec<u64>,
    /// It may end in a jump to a place that only the running program knows; or it has a jump table.
    pub(crate) jumps_away: bool,
    /// It changes memory that is not on its stack.
    pub(crate) stores: bool,
    /// It uses the fourth argument of the calling convention.
    pub(crate) takes_fourth: bool,
}

impl Body {
    /// Decodes the function. `None`: it cannot be.
    pub(crate) fn read(elf: &Elf<'_>, extent: Extent) -> Option<Self> {
        if extent.size == 0 || extent.size > MAX_SIZE {
            return None;
        }
        let code = elf.code(extent.address, extent.size).ok()?;
        Self::of(&code, extent)
    }

    fn of(code: &[u8], extent: Extent) -> Option<Self> {
        let mut body = Self {
            extent,
            numbers: Vec::new(),
            addresses: Vec::new(),
            calls: Vec::new(),
            passes_on: Vec::new(),
            jumps_away: false,
            stores: false,
            takes_fourth: false,
        };
        let mut infos = InstructionInfoFactory::new();
        let (mut frame_pointer, mut fourth_known, mut arguments_changed) = (false, false, false);
        for instruction in Decoder::with_ip(64, code, extent.address, DecoderOptions::NONE).iter() {
            if instruction.is_invalid() {
                return None;
            }
            let to_register = instruction.op0_kind() == OpKind::Register;
            match instruction.mnemonic() {
                Mnemonic::Mov if to_register && is_number(instruction.op1_kind()) => {
                    let number = instruction.immediate(1);
                    body.numbers.push((instruction.op0_register().full_register(), number));
                }
                Mnemonic::Mov
                    if to_register
                        && instruction.op0_register() == Register::RBP
                        && instruction.op1_kind() == OpKind::Register
                        && instruction.op1_register() == Register::RSP =>
                {
                    frame_pointer = true;
                }
                Mnemonic::Lea if instruction.memory_base() == Register::RIP => {
                    let register = instruction.op0_register().full_register();
                    body.addresses.push((register, instruction.memory_displacement64()));
                }
                Mnemonic::Call | Mnemonic::Jmp if instruction.op0_kind() == OpKind::NearBranch64 => {
                    let target = instruction.near_branch_target();
                    if target.wrapping_sub(extent.address) >= extent.size {
                        body.calls.push(target);
                        if !arguments_changed {
                            body.passes_on.push(target);
                        }
                    }
                }
                _ => {}
            }
            body.jumps_away |= instruction.flow_control() == FlowControl::IndirectBranch;
            let info = infos.info(&instruction);
            if !fourth_known {
                let used = |register: Register| register.full_register() == Register::RCX;
                for register in info.used_registers().iter().filter(|used_one| used(used_one.register())) {
                    fourth_known = true;
                    body.takes_fourth |= reads(register.access());
                }
                // After a call it holds nothing of the caller's.
                fourth_known |= instruction.mnemonic() == Mnemonic::Call;
            }
            // What follows a jump or a RET is reached from further up, in practice from before anything was called.
            arguments_changed = match instruction.flow_control() {
                FlowControl::Call | FlowControl::IndirectCall => true,
                FlowControl::Return | FlowControl::UnconditionalBranch => false,
                _ => arguments_changed || info.used_registers().iter().any(changes_argument),
            };
            body.stores |= info.used_memory().iter().any(|memory| {
                let on_stack =
                    memory.base() == Register::RSP || (frame_pointer && memory.base() == Register::RBP);
                writes(memory.access()) && !on_stack
            });
        }
        Some(body)
    }

    /// Whether this number is put into this register somewhere.
    pub(crate) fn puts(&self, register: Register, number: u64) -> bool {
        self.numbers.contains(&(register, number))
    }

    /// Whether it loads one of these addresses.
    pub(crate) fn refers_to(&self, addresses: &[u64]) -> bool {
        self.loaded().any(|(_, address)| addresses.contains(address))
    }

    /// Whether it loads one of these addresses into this register.
    pub(crate) fn loads(&self, register: Register, addresses: &[u64]) -> bool {
        self.loaded().any(|(into, address)| *into == register && addresses.contains(address))
    }

    /// Executables with a fixed address load addresses as numbers.
    fn loaded(&self) -> impl Iterator<Item = &(Register, u64)> {
        self.addresses.iter().chain(&self.numbers)
    }

    /// Whether it calls this address with its own first three arguments.
    pub(crate) fn passes_on_to(&self, address: u64) -> bool {
        self.passes_on.contains(&address)
    }

    /// Whether it calls, or ends in a jump to, this address.
    pub(crate) fn calls(&self, address: u64) -> bool {
        self.calls.contains(&address)
    }
}

/// Of the first three.
fn changes_argument(used: &UsedRegister) -> bool {
    writes(used.access())
        && matches!(used.register().full_register(), Register::RDI | Register::RSI | Register::RDX)
}

fn is_number(kind: OpKind) -> bool {
    matches!(kind, OpKind::Immediate32 | OpKind::Immediate64 | OpKind::Immediate32to64)
}

fn reads(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

fn writes(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}
