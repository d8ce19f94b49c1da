//! Finds the instructions to probe in the machine code of a function (arm64).
//!
//! Source: Arm Architecture Reference Manual for A-profile, chapter C4 (encodings). Every instruction is a word of four bytes.

use crate::decode::{Scan, Undecodable};

const WORD: usize = 4;
/// `bti c`, `bti jc`: landing pads of indirect calls. `bti j` marks places that are jumped to, never called.
const LANDING_PADS: [u32; 2] = [0xd503_245f, 0xd503_24df];
/// `retaa` and `retab`: RET with the return address authenticated.
const RETAA: u32 = 0xd65f_0bff;
const RETAB: u32 = 0xd65f_0fff;

/// Decodes the whole function. What is no instruction refuses it all: the compiler has put data between the instructions, and a word of it
/// might look like a RET.
pub(crate) fn scan(code: &[u8], address: u64) -> Result<Scan, Undecodable> {
    let end = address + code.len() as u64;
    let mut scan = Scan::default();
    // The word behind a landing pad may be the head of a loop, where a probe would count more than the call.
    let mut enters_behind_pad = false;
    let mut pad = false;
    for (at, word) in (address..).step_by(WORD).zip(code.chunks(WORD)) {
        let word = <[u8; WORD]>::try_from(word).map(u32::from_le_bytes).map_err(|_| Undecodable(at))?;
        if is_unallocated(word) {
            return Err(Undecodable(at));
        }
        if at == address {
            pad = LANDING_PADS.contains(&word);
        }
        if is_return(word) {
            scan.returns.push(at);
        } else if let Some(target) = branch_target(word, at) {
            enters_behind_pad |= target == address + WORD as u64;
            if !(address..end).contains(&target) && !scan.leaves_to.contains(&target) {
                scan.leaves_to.push(target);
            }
        }
    }
    if pad && code.len() > WORD && !enters_behind_pad {
        scan.entry_skip = WORD as u64;
    }
    Ok(scan)
}

/// The address that a stub of the linkage table loads the target of its jump from: `[bti c]; adrp x16, PAGE; ldr x17, [x16, #OFFSET];
/// add x16, x16, #OFFSET; br x17`.
pub(crate) fn linkage_slot(code: &[u8], address: u64) -> Option<u64> {
    let word = |at: usize| code.get(at..at + WORD)?.try_into().ok().map(u32::from_le_bytes);
    let start = if LANDING_PADS.contains(&word(0)?) { WORD } else { 0 };
    let (page, load) = (word(start)?, word(start + WORD)?);
    // `br x17`, behind an `add` that does not matter here.
    if word(start + 3 * WORD)? != 0xd61f_0220 {
        return None;
    }
    if page & 0x9f00_001f != 0x9000_0010 || load & 0xffc0_03ff != 0xf940_0211 {
        return None;
    }
    let high = signed(page >> 5 & 0x7_ffff, 19) << 2 | i64::from(page >> 29 & 3);
    let base = (address + start as u64) & !0xfff;
    let offset = u64::from(load >> 10 & 0xfff) * 8;
    Some(base.wrapping_add_signed(high << 12).wrapping_add(offset))
}

/// Groups of encodings without an instruction, by bits 28 to 25. `udf`, which is all zeros but for its number, is one.
fn is_unallocated(word: u32) -> bool {
    match word >> 25 & 0xf {
        0b0000 => word >> 31 == 0 && word >> 16 != 0,
        0b0001 | 0b0011 => true,
        _ => false,
    }
}

/// `ret Xn`, in practice x30, and its authenticated forms.
fn is_return(word: u32) -> bool {
    word & 0xffff_fc1f == 0xd65f_0000 || word == RETAA || word == RETAB
}

/// Where a direct branch leads: `b`, `b.cond`, `cbz`, `cbnz`, `tbz`, `tbnz`. A call is none.
fn branch_target(word: u32, at: u64) -> Option<u64> {
    let words = if word & 0xfc00_0000 == 0x1400_0000 {
        signed(word & 0x3ff_ffff, 26)
    } else if word & 0xff00_0000 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
        // The second form of 0x54 is `bc.cond`, with the same target.
        signed(word >> 5 & 0x7_ffff, 19)
    } else if word & 0x7e00_0000 == 0x3600_0000 {
        signed(word >> 5 & 0x3fff, 14)
    } else {
        return None;
    };
    Some(at.wrapping_add_signed(words * WORD as i64))
}

/// A number of `bits` bits with its sign.
fn signed(value: u32, bits: u32) -> i64 {
    let unused = 64 - bits;
    i64::from(value) << unused >> unused
}

/// Most instructions of the check of the stack's size.
const MAX_STACK_CHECK: usize = 10;

/// See [`crate::decode::behind_go_stack_check`]: `ldr Xn, [x28, #16]`, and the `b.ls` behind it.
pub(crate) fn behind_go_stack_check(code: &[u8], address: u64) -> Option<u64> {
    let mut loaded = false;
    for (index, word) in code.as_chunks().0.iter().take(MAX_STACK_CHECK).enumerate() {
        let word = u32::from_le_bytes(*word);
        loaded |= word & !0x1f == 0xf940_0b80;
        if loaded && word & 0xff00_001f == 0x5400_0009 {
            return address.checked_add(4 * (index as u64 + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn every_form_of_ret_is_found() {
        // bti c; paciasp; cbz w0, +8; ret; retaa; retab; ret x1
        let words = [0xd503_245f, 0xd503_233f, 0x3400_0040, 0xd65f_03c0, RETAA, RETAB, 0xd65f_0020];
        let scan = scan(&code(&words), 0x1000).unwrap();
        let returns = vec![0x100c, 0x1010, 0x1014, 0x1018];
        assert_eq!(scan, Scan { returns, leaves_to: vec![], entry_skip: 4 });
    }

    #[test]
    fn jumps_out_are_noted_and_calls_are_not() {
        // nop; b.ne 0x1018; b 0xf00; bl 0x2000; tbnz w2, #31, 0x1000; cbnz x0, 0x1100; b 0x1000
        let words =
            [0xd503_201f, 0x5400_00a1, 0x17ff_ffbe, 0x9400_03fd, 0x37ff_ff82, 0xb500_0760, 0x17ff_fffa];
        let scan = scan(&code(&words), 0x1000).unwrap();
        assert_eq!(scan, Scan { returns: vec![], leaves_to: vec![0xf00, 0x1100], entry_skip: 0 });
    }

    #[test]
    fn a_landing_pad_before_a_loop_is_not_skipped() {
        // bti c; nop; cbnz x0, the nop; ret
        let words = [0xd503_245f, 0xd503_201f, 0xb5ff_ffe0, 0xd65f_03c0];
        assert_eq!(scan(&code(&words), 0x1000).unwrap().entry_skip, 0);
    }

    #[test]
    fn what_is_no_instruction_refuses_the_function() {
        assert_eq!(scan(&code(&[0xd503_201f, 0x0200_0000]), 0x1000), Err(Undecodable(0x1004)));
        assert_eq!(scan(&code(&[0x0001_0000]), 0x1000), Err(Undecodable(0x1000)));
        assert_eq!(scan(&[0xc0, 0x03], 0x1000), Err(Undecodable(0x1000)));
        assert!(scan(&code(&[0xd65f_03c0, 0]), 0x1000).is_ok(), "zeros behind the end are `udf`");
    }

    #[test]
    fn a_stub_of_the_linkage_table_is_read() {
        // adrp x16, 0xaf000; ldr x17, [x16, #0xd18]; add x16, x16, #0xd18; br x17
        let words = [0x9000_0490, 0xf946_8e11, 0x9134_6210, 0xd61f_0220];
        assert_eq!(linkage_slot(&code(&words), 0x1f3a0), Some(0xaf_d18));
        assert_eq!(linkage_slot(&code(&[0x9000_0490, 0xf946_8e11, 0x9134_6210, 0xd65f_03c0]), 0x1f3a0), None);
    }

    #[test]
    fn the_check_of_a_go_stack_is_passed_over() {
        let code = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        // ldr x16, [x28, #16]; cmp sp, x16; b.ls +0x40; str x30, [sp, #-0x20]!
        let check = code(&[0xf940_0b90, 0xeb30_63ff, 0x5400_0209, 0xf81e_0ffe]);
        assert_eq!(behind_go_stack_check(&check, 0x1000), Some(0x100c));
        // A branch without the check.
        assert_eq!(behind_go_stack_check(&code(&[0x5400_0209, 0xf81e_0ffe]), 0x1000), None);
        assert_eq!(behind_go_stack_check(&[1, 2, 3], 0x1000), None);
    }
}
