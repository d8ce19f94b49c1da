//! The capture on real programs and the real kernel. Needs root; where that is missing the tests say so and pass, unless
//! `WIRESPAN_REQUIRE_BPF=1` asks for them.

mod harness;
mod processes;
mod streams;
mod verdicts;
mod volume;
