//! The kernel programs: every one passes the verifier of this kernel.

use std::collections::HashSet;

use agent_capture::CaptureConfig;
use aya::programs::{ProgramInfo, loaded_programs};

use crate::harness::{Session, patient};

#[test]
fn every_program_passes_the_verifier() {
    // Other captures may run on this host.
    let before: HashSet<u32> = loaded_programs().flatten().map(|program| program.id()).collect();
    let config = CaptureConfig { java: true, ..patient() };
    let Some(_session) = Session::start(&config) else { return };
    let new: Vec<ProgramInfo> =
        loaded_programs().flatten().filter(|program| !before.contains(&program.id())).collect();
    for program in &new {
        let name = program.name_as_str().unwrap_or("?");
        match program.verified_instruction_count() {
            Some(count) => println!("program: {name} {count}"),
            None => println!("program: {name} loaded"),
        }
    }
    for wanted in ["enter_write", "leave", "task_newtask"] {
        assert!(new.iter().any(|program| program.name_as_str() == Some(wanted)), "{wanted} is not loaded");
    }
}
