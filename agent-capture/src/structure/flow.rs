//! Where a function ends, by its own code: for files that have neither symbols nor unwind tables.

use iced_x86::{Decoder, DecoderOptions, FlowControl, OpKind};

use crate::decode::Machine;
use crate::elf::{Elf, Extent};

/// Most bytes of one function that are looked at.
pub(crate) const LONGEST: u64 = 64 << 10;
/// Most functions are shorter than this.
const USUAL: u64 = 2 << 10;

/// The extent of the function that begins at `address`, by its code.
pub(crate) fn extent(elf: &Elf<'_>, address: u64) -> Option<Extent> {
    if elf.machine() != Machine::X86_64 {
        return None;
    }
    let length = |at_most| length(&elf.beginning(address, at_most), address);
    let size = length(USUAL).or_else(|| length(LONGEST))?;
    Some(Extent { address, size })
}

/// The length of the function that `code` begins with: up to the first instruction that ends a path and that no jump seen so far leads
/// beyond. What only a jump table leads to does not count as seen, but lies between such jumps in practice: the way to the function's
/// end leads over it. `None`: it does not end within `code`, or something is no instruction.
fn length(code: &[u8], address: u64) -> Option<u64> {
    let end = address.checked_add(code.len() as u64)?;
    let mut furthest = address;
    for instruction in Decoder::with_ip(64, code, address, DecoderOptions::NONE).iter() {
        if instruction.is_invalid() {
            return None;
        }
        let next = instruction.next_ip();
        let branches = matches!(
            instruction.flow_control(),
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
        );
        if branches && instruction.op0_kind() == OpKind::NearBranch64 {
            let target = instruction.near_branch_target();
            // A conditional jump stays in its function. Where others go cannot be told from a tail call, so that only those over a
            // short distance count; the function is taken as shorter than it is rather than as longer.
            let inside = instruction.flow_control() == FlowControl::ConditionalBranch
                || target.wrapping_sub(next) < 128;
            if inside && (next..end).contains(&target) {
                furthest = furthest.max(target);
            }
        }
        let ends = matches!(
            instruction.flow_control(),
            FlowControl::Return
                | FlowControl::UnconditionalBranch
                | FlowControl::Exception
                | FlowControl::Interrupt
        );
        if ends && next > furthest {
            return Some(next - address);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_ends_where_no_path_goes_on() {
        // test edi,edi; je +1; ret; xor eax,eax; ret; (another) ret
        let code = [0x85, 0xff, 0x74, 0x01, 0xc3, 0x31, 0xc0, 0xc3, 0xc3];
        assert_eq!(length(&code, 0x1000), Some(8));
        // jmp far away: a tail call
        assert_eq!(length(&[0xe9, 0, 0x10, 0, 0, 0xc3], 0x1000), Some(5));
        // ud2
        assert_eq!(length(&[0x0f, 0x0b, 0xc3], 0x1000), Some(2));
    }

    #[test]
    fn without_an_end_there_is_no_length() {
        assert_eq!(length(&[0x90; 8], 0x1000), None);
        assert_eq!(length(&[0x06, 0xc3], 0x1000), None);
        assert_eq!(length(&[], 0x1000), None);
    }
}
