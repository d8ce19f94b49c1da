//! Who refers to what, by one pass over the bytes of the code. Nothing is decoded here: a pattern may also lie in the middle of
//! an instruction, so that whoever uses a reference decodes the function around it.

use memchr::memchr_iter;
use memchr::memmem::Finder;

use crate::elf::{Elf, ElfError};

/// References that are kept at most.
const MAX_REFERENCES: usize = 1 << 16;
/// Longest pattern.
const OVERLAP: u64 = 8;

/// A place in the code that refers to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    /// Where the instruction begins.
    pub(crate) at: u64,
    pub(crate) target: u64,
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?).into())
}

fn in_order(mut references: Vec<Reference>) -> Vec<Reference> {
    // Pieces overlap.
    references.sort_unstable();
    references.dedup();
    references
}

/// The instructions that load one of the addresses `targets`: `lea reg, [rip + …]`, and in executables with a fixed address
/// `mov reg, imm32`.
pub(crate) fn to_data(elf: &Elf<'_>, targets: &[u64]) -> Result<Vec<Reference>, ElfError> {
    let mut wanted = targets.to_vec();
    wanted.sort_unstable();
    let absolute: Vec<_> = wanted
        .iter()
        .filter_map(|target| {
            Some((*target, Finder::new(&u32::try_from(*target).ok()?.to_le_bytes()).into_owned()))
        })
        .collect();
    let mut found = Vec::new();
    for load in elf.loads().filter(|load| load.executable) {
        elf.each_piece(&load, OVERLAP, |address, piece| {
            for at in memchr_iter(0x8d, piece) {
                let Some(reference) = relative_load(address, piece, at) else { continue };
                if found.len() < MAX_REFERENCES && wanted.binary_search(&reference.target).is_ok() {
                    found.push(reference);
                }
            }
            for (target, finder) in &absolute {
                for at in finder.find_iter(piece) {
                    let Some(before) = absolute_load(piece, at) else { continue };
                    if found.len() < MAX_REFERENCES {
                        found.push(Reference { at: address + (at - before) as u64, target: *target });
                    }
                }
            }
        })?;
    }
    Ok(in_order(found))
}

/// `lea r64, [rip + disp32]`: REX.W, 8d, a ModRM byte with mod 00 and r/m 101.
pub(crate) fn relative_load(address: u64, piece: &[u8], opcode: usize) -> Option<Reference> {
    let prefix = piece.get(opcode.checked_sub(1)?)?;
    let operands = piece.get(opcode + 1)?;
    if prefix & 0xf8 != 0x48 || operands & 0xc7 != 0x05 {
        return None;
    }
    let end = address + opcode as u64 + 6;
    let target = end.checked_add_signed(i32_at(piece, opcode + 2)?)?;
    Some(Reference { at: end - 7, target })
}

/// How many bytes before its number `mov r32, imm32` (b8 to bf) or `mov r64, imm32` (c7 with a register) begins.
fn absolute_load(piece: &[u8], number: usize) -> Option<usize> {
    let byte = |back: usize| piece.get(number.checked_sub(back)?).copied();
    match byte(1)? {
        // One for each of the upper eight registers begins with a prefix.
        0xb8..=0xbf => Some(if byte(2) == Some(0x41) { 2 } else { 1 }),
        0xc0..=0xc7 if byte(2) == Some(0xc7) && matches!(byte(3), Some(0x48 | 0x49)) => Some(3),
        _ => None,
    }
}

/// Calls `each` with every place that may be a direct call, or a direct jump over a long distance, and leads into the code.
pub(crate) fn each_call(elf: &Elf<'_>, mut each: impl FnMut(Reference)) -> Result<(), ElfError> {
    let code: Vec<_> = elf.loads().filter(|load| load.executable).collect();
    for load in &code {
        elf.each_piece(load, OVERLAP, |address, piece| {
            for at in memchr::memchr2_iter(0xe8, 0xe9, piece) {
                let Some(distance) = i32_at(piece, at + 1) else { continue };
                let begin = address + at as u64;
                let target = (begin + 5).wrapping_add_signed(distance);
                if code.iter().any(|load| target.wrapping_sub(load.address) < load.size) {
                    each(Reference { at: begin, target });
                }
            }
        })?;
    }
    Ok(())
}

/// The direct calls of any of `targets`, and jumps to them.
pub(crate) fn callers(elf: &Elf<'_>, targets: &[u64]) -> Result<Vec<Reference>, ElfError> {
    let mut found = Vec::new();
    each_call(elf, |reference| {
        if found.len() < MAX_REFERENCES && targets.contains(&reference.target) {
            found.push(reference);
        }
    })?;
    Ok(in_order(found))
}
