//! The capture on real programs and the real kernel. Needs root; where that is missing the tests say so and pass, unless
//! `WIRESPAN_REQUIRE_BPF=1` asks for them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says on stdout why it is skipped"
)]

mod files;
mod forms;
mod harness;
mod hostile;
mod processes;
mod programs;
mod sockets;
mod static_tls;
mod streams;
mod verdicts;
mod volume;
mod watchdog;
