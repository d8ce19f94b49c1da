//! Finds the instructions to probe in the machine code of a function (x86-64).

use iced_x86::{Code, Decoder, DecoderOptions, Mnemonic, OpKind, Register};

use crate::decode::{Scan, Undecodable};

/// Decodes the whole function. A probe on `endbr64` would cost a second trap, one on the `push` behind it does not: that is what is skipped
/// at the entry.
pub(crate) fn scan(code: &[u8], address: u64) -> Result<Scan, Undecodable> {
    let end = address + code.len() as u64;
    let mut scan = Scan::default();
    let mut after_endbr = false;
    for instruction in Decoder::with_ip(64, code, address, DecoderOptions::NONE).iter() {
        if instruction.is_invalid() {
            return Err(Undecodable(instruction.ip()));
        }
        if instruction.ip() == address {
            after_endbr = instruction.code() == Code::Endbr64;
        } else if after_endbr {
            after_endbr = false;
            if instruction.code() == Code::Push_r64 {
                scan.entry_skip = instruction.ip() - address;
            }
        }
        match instruction.mnemonic() {
            Mnemonic::Ret => scan.returns.push(instruction.ip()),
            Mnemonic::Jmp if instruction.op0_kind() == OpKind::NearBranch64 => {
                let target = instruction.near_branch_target();
                if !(address..end).contains(&target) && !scan.leaves_to.contains(&target) {
                    scan.leaves_to.push(target);
                }
            }
            _ => {}
        }
    }
    Ok(scan)
}

/// Most instructions of the check of the stack's size.
const MAX_STACK_CHECK: usize = 8;

/// The instruction behind the check of the stack's size that a Go function begins with: its arguments are still where they were. `None`
/// where there is none against the goroutine in R14 (`g.stackguard0`), as the calling convention has it that passes arguments in registers.
pub(crate) fn behind_go_stack_check(code: &[u8], address: u64) -> Option<u64> {
    let mut compared = false;
    for instruction in Decoder::with_ip(64, code, address, DecoderOptions::NONE).iter().take(MAX_STACK_CHECK)
    {
        let with_guard = instruction.mnemonic() == Mnemonic::Cmp
            && instruction.op1_kind() == OpKind::Memory
            && instruction.memory_base() == Register::R14
            && instruction.memory_displacement64() == 16;
        compared |= with_guard;
        if compared && instruction.mnemonic() == Mnemonic::Jbe {
            return Some(instruction.next_ip());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_ret_is_found() {
        // endbr64; push rbp; test edi,edi; je +2; pop rbp; ret; repz ret; ret 8
        let code =
            [0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x85, 0xff, 0x74, 0x02, 0x5d, 0xc3, 0xf3, 0xc3, 0xc2, 0x08, 0x00];
        let scan = scan(&code, 0x1000).unwrap();
        assert_eq!(scan, Scan { returns: vec![0x100a, 0x100b, 0x100d], leaves_to: vec![], entry_skip: 4 });
    }

    #[test]
    fn a_byte_of_an_operand_is_no_ret() {
        // mov eax, 0xc3c3c3c3; ret
        let scan = scan(&[0xb8, 0xc3, 0xc3, 0xc3, 0xc3, 0xc3], 0x1000).unwrap();
        assert_eq!(scan.returns, [0x1005]);
    }

    #[test]
    fn jumps_out_are_noted() {
        // endbr64; sub rsp, 8; jmp 0x2000
        let code = [0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 0x08, 0xe9, 0xf3, 0x0f, 0x00, 0x00];
        let scan = scan(&code, 0x1000).unwrap();
        assert_eq!(scan, Scan { returns: vec![], leaves_to: vec![0x2000], entry_skip: 0 });
    }

    #[test]
    fn the_check_of_the_stack_is_passed_over() {
        // cmp rsp, [r14+16]; jbe +5; push rbp
        let small = [0x49, 0x3b, 0x66, 0x10, 0x76, 0x05, 0x55];
        assert_eq!(behind_go_stack_check(&small, 0x1000), Some(0x1006));
        // lea r12, [rsp-0x100]; cmp r12, [r14+16]; jbe +0x100; push rbp
        let large = [
            0x4c, 0x8d, 0xa4, 0x24, 0x00, 0xff, 0xff, 0xff, 0x4d, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0x00, 0x01,
            0x00, 0x00, 0x55,
        ];
        assert_eq!(behind_go_stack_check(&large, 0x1000), Some(0x1012));
        // mov rcx, fs:[-8]; cmp rsp, [rcx+16]; jbe: arguments on the stack
        let old =
            [0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff, 0x48, 0x3b, 0x61, 0x10, 0x76, 0x05, 0x55];
        assert_eq!(behind_go_stack_check(&old, 0x1000), None);
        // push rbp; ret
        assert_eq!(behind_go_stack_check(&[0x55, 0xc3], 0x1000), None);
    }

    #[test]
    fn what_is_no_instruction_refuses_the_function() {
        assert_eq!(scan(&[0x90, 0x06, 0xc3], 0x1000), Err(Undecodable(0x1001)));
    }
}
