//! What this machine can do: [`engine_model::x86`] asks its processor, and here its system is asked too.

use std::arch::x86_64::{__cpuid_count, _xgetbv};

use engine_model::x86::Instructions;

/// State components of XCR0 that the system must save.
pub(super) const YMM: u64 = 0b110;
pub(super) const ZMM: u64 = 0b1110_0110;

/// Names of the instructions in `lists` that this machine lacks, or that its system does not save the registers of.
pub(super) fn missing(lists: &[&[Instructions]], state: u64) -> Vec<&'static str> {
    let all = lists.iter().copied().flatten();
    let lacking = all.filter(|instructions| !instructions.are_here());
    let mut missing: Vec<_> = lacking.map(|instructions| instructions.name).collect();
    if missing.is_empty() && saved_state() & state != state {
        missing.push("the operating system's support for its registers");
    }
    missing
}

fn saved_state() -> u64 {
    const OSXSAVE: u32 = 1 << 27;
    if __cpuid_count(1, 0).ecx & OSXSAVE == 0 {
        return 0;
    }
    // SAFETY: OSXSAVE says that the instruction is there and switched on.
    unsafe { read_xcr0() }
}

#[target_feature(enable = "xsave")]
fn read_xcr0() -> u64 {
    // SAFETY: the feature is on in this function, whose caller asked the machine.
    unsafe { _xgetbv(0) }
}
