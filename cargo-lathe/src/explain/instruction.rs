//! Instructions of a CPU: which targets are compiled with them, and whether this machine has them.

use std::io::{self, Write};

use engine_spec::Arch;

use crate::paint::{DIM, NAME, STRONG};

/// Whether a word names instructions that targets differ in.
pub fn is_one(word: &str) -> bool {
    Arch::ALL
        .into_iter()
        .any(|arch| arch.instructions().any(|one| one.name == word))
}

pub fn write(word: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{STRONG}{word}{STRONG:#}")?;
    let mut here = false;
    for arch in Arch::ALL {
        let Some(found) = arch.instructions().find(|one| one.name == word) else {
            continue;
        };
        here = found.are_here();
        writeln!(out, "  {NAME}{:15}{NAME:#} {}", arch.name(), arch.what())?;
    }
    let this = if here { "has" } else { "has not" };
    writeln!(
        out,
        "\n{DIM}an engine for one of these looks for it when it starts; this machine {this} got it{DIM:#}"
    )
}
