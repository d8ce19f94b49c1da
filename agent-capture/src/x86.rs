//! Finds the instructions to probe in the machine code of a function (x86-64).

use iced_x86::{Code, Decoder, DecoderOptions, Mnemonic, OpKind};

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
    fn what_is_no_instruction_refuses_the_function() {
        assert_eq!(scan(&[0x90, 0x06, 0xc3], 0x1000), Err(Undecodable(0x1001)));
    }
}
