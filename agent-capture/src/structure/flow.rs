//! Where a function ends, by its own code: for files that have neither symbols nor unwind tables.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic, OpKind};

use crate::decode::Machine;
use crate::elf::{Elf, Extent};

/// Most bytes of one function that are looked at.
pub(crate) const LONGEST: u64 = 64 << 10;
/// Most functions are shorter than this.
const USUAL: u64 = 2 << 10;

/// The extent of the function that begins at `address`, by its code. `is_start` says where other functions are known to begin.
pub(crate) fn extent(elf: &Elf<'_>, address: u64, is_start: impl Fn(u64) -> bool) -> Option<Extent> {
    if elf.machine() != Machine::X86_64 {
        return None;
    }
    let length = |at_most| length(&elf.beginning(address, at_most), address, &is_start);
    let size = length(USUAL).or_else(|| length(LONGEST))?;
    Some(Extent { address, size })
}

/// The length of the function that `code` begins with: up to the first instruction that ends a path and that no jump seen so far leads
/// beyond. What only a jump table leads to does not count as seen, but lies between such jumps in practice: the way to the function's
/// end leads over it. A call of a function that never returns ends a path too, but looks like any other: there it ends where the next one
/// begins. `None`: it does not end within `code`, or something is no instruction.
fn length(code: &[u8], address: u64, is_start: impl Fn(u64) -> bool) -> Option<u64> {
    let end = address.checked_add(code.len() as u64)?;
    let mut furthest = address;
    let mut after_call = false;
    for instruction in Decoder::with_ip(64, code, address, DecoderOptions::NONE).iter() {
        if instruction.is_invalid() {
            return None;
        }
        let next = instruction.next_ip();
        // Bytes that look like a call of this place may be something else; then it is not likely to be where functions are laid.
        let laid = instruction.ip().is_multiple_of(16);
        if after_call && laid && instruction.ip() > furthest && is_start(instruction.ip()) {
            return Some(instruction.ip() - address);
        }
        // Padding is made of instructions that do nothing: `nop`, and `xchg ax, ax`, which is one too.
        let padding = matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Xchg);
        after_call = instruction.flow_control() == FlowControl::Call || (after_call && padding);
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
        assert_eq!(length(&code, 0x1000, |_| false), Some(8));
        // jmp far away: a tail call
        assert_eq!(length(&[0xe9, 0, 0x10, 0, 0, 0xc3], 0x1000, |_| false), Some(5));
        // ud2
        assert_eq!(length(&[0x0f, 0x0b, 0xc3], 0x1000, |_| false), Some(2));
    }

    #[test]
    fn a_call_that_never_returns_ends_it_where_the_next_begins() {
        // jne +1; ret; call +0; nop, eight times; xor eax,eax; ret
        let code = [
            0x75, 0x01, 0xc3, 0xe8, 0, 0, 0, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x31, 0xc0,
            0xc3,
        ];
        assert_eq!(length(&code, 0x1000, |start| start == 0x1010), Some(16));
        assert_eq!(length(&code, 0x1000, |start| start == 0x1009), Some(19));
        assert_eq!(length(&code, 0x1000, |_| false), Some(19));
    }

    #[test]
    fn without_an_end_there_is_no_length() {
        assert_eq!(length(&[0x90; 8], 0x1000, |_| false), None);
        assert_eq!(length(&[0x06, 0xc3], 0x1000, |_| false), None);
        assert_eq!(length(&[], 0x1000, |_| false), None);
    }
}
