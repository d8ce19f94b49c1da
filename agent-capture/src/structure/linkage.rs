//! Calls that a library makes to its own exported functions through the linkage table.

use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};

use crate::arm64;
use crate::decode::Machine;
use crate::elf::Elf;

/// Most bytes of relocations that are read.
const MAX_RELOCATIONS: u64 = 64 << 20;
const DT_PLTRELSZ: u64 = 2;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_JMPREL: u64 = 23;
const R_X86_64_GLOB_DAT: u64 = 6;
const R_X86_64_JUMP_SLOT: u64 = 7;
const R_AARCH64_GLOB_DAT: u64 = 1025;
const R_AARCH64_JUMP_SLOT: u64 = 1026;

/// The function of this file that a stub of its linkage table leads to. `None`: there is no stub at this address, or what it leads to is
/// in another file.
pub(crate) fn behind(elf: &Elf<'_>, address: u64) -> Option<u64> {
    let code = elf.beginning(address, 32);
    let slot = match elf.machine() {
        Machine::X86_64 => slot(&code, address)?,
        Machine::Aarch64 => arm64::linkage_slot(&code, address)?,
    };
    let entries = elf.dynamic_entries().ok()?;
    let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let symbols = value(DT_SYMTAB)?;
    let tables = [(DT_JMPREL, DT_PLTRELSZ), (DT_RELA, DT_RELASZ)];
    let symbol =
        tables.iter().find_map(|(table, size)| symbol_of(elf, value(*table)?, value(*size)?, slot))?;
    // Elf64_Sym: the value is at offset 8 of 24 bytes. 0: another file defines it.
    let at = symbols.checked_add(symbol.checked_mul(24)?)?.checked_add(8)?;
    let value: [u8; 8] = elf.data(at, 8).ok()?.try_into().ok()?;
    Some(u64::from_le_bytes(value)).filter(|value| *value != 0)
}

/// The address that the stub jumps through.
fn slot(code: &[u8], address: u64) -> Option<u64> {
    let jump = Decoder::with_ip(64, code, address, DecoderOptions::NONE)
        .iter()
        .find(|instruction| instruction.mnemonic() != Mnemonic::Endbr64)?;
    let through = jump.mnemonic() == Mnemonic::Jmp
        && jump.op0_kind() == OpKind::Memory
        && jump.memory_base() == Register::RIP;
    through.then(|| jump.memory_displacement64())
}

/// The symbol that the dynamic linker puts into a slot.
fn symbol_of(elf: &Elf<'_>, table: u64, size: u64, slot: u64) -> Option<u64> {
    let relocations = elf.data(table, size.min(MAX_RELOCATIONS)).ok()?;
    relocations.chunks_exact(24).find_map(|relocation| {
        let word = |at: usize| relocation.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let (place, info) = (word(0)?, word(8)?);
        let kinds = match elf.machine() {
            Machine::X86_64 => [R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT],
            Machine::Aarch64 => [R_AARCH64_GLOB_DAT, R_AARCH64_JUMP_SLOT],
        };
        let named = kinds.contains(&(info & 0xffff_ffff));
        (place == slot && named).then_some(info >> 32)
    })
}
