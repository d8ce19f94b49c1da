//! The `wirespan` command. Everything is in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(wirespan::cli::main().code())
}
