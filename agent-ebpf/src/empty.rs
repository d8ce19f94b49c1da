//! A probe that does nothing: what `cargo xtask bench capture` compares with. wirespan itself never loads it.

use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;

/// Kernel 5.10. The cost of being hit, and nothing else.
#[uprobe]
fn empty(_context: ProbeContext) -> u32 {
    0
}
