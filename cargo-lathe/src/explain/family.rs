//! A hardware family: its architectures and devices, and its column of the matrix.

use std::io::{self, Write};

use engine_spec::matrix::{Cell, CellId, MATRIX, Unknown, Verdict, counts};
use engine_spec::{Arch, Family, Machine, SKUS, Target, TargetName};

use super::verdict;
use crate::paint::{DIM, GOOD, NAME, STRONG};

pub fn write(family: Family, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{STRONG}{}{STRONG:#}", family.title())?;
    for arch in Arch::of(family) {
        writeln!(out, "  {NAME}{:15}{NAME:#} {}", arch.name(), arch.what())?;
    }
    let target = TargetName::Family(family);
    if target.is_one_architecture() && family != Family::Cpu {
        let describe = Target::new(target, &Machine::detect()).describe();
        writeln!(out, "  {DIM}as a target{DIM:#}     {describe}")?;
    }
    let devices: Vec<&str> = SKUS
        .iter()
        .filter(|sku| sku.family() == family)
        .map(|sku| sku.name)
        .collect();
    writeln!(out, "  {DIM}devices{DIM:#}         {}", devices.join(", "))?;
    let column = MATRIX
        .cells()
        .iter()
        .filter(|cell| matches!(cell.id, CellId::Hardware(_, other) if other == family));
    let (yes, other): (Vec<&Cell>, Vec<&Cell>) = column.partition(|cell| cell.vllm == Verdict::Yes);
    writeln!(out, "\n{STRONG}features{STRONG:#}")?;
    writeln!(out, "  {} {}", verdict(Verdict::Yes), names(&yes))?;
    for cell in &other {
        writeln!(
            out,
            "  {} {:20} {DIM}{}{DIM:#}",
            verdict(cell.vllm),
            cell.id.a().name(),
            cell.reason
        )?;
    }
    let proven: Vec<&Cell> = yes
        .into_iter()
        .chain(other)
        .filter(|cell| cell.engine.is_proven())
        .collect();
    match proven.is_empty() {
        true => writeln!(
            out,
            "  {DIM}this engine proves none of them here yet{DIM:#}"
        )?,
        false => writeln!(
            out,
            "  {DIM}this engine proves{DIM:#} {GOOD}{}{GOOD:#}",
            places(&proven)
        )?,
    }
    for count in counts(&MATRIX, Unknown::Refused)
        .iter()
        .filter(|count| count.family == family)
    {
        let (legal, maximal) = (count.legal, count.maximal);
        writeln!(
            out,
            "\n{legal} sets of features work here by vLLM's matrix, {maximal} of them with nothing to add."
        )?;
    }
    Ok(())
}

fn names(cells: &[&Cell]) -> String {
    cells
        .iter()
        .map(|cell| cell.id.a().name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The features of proven cells, each with where it is proven.
fn places(cells: &[&Cell]) -> String {
    let place = |cell: &&Cell| format!("{} ({})", cell.id.a(), cell.engine.places());
    cells.iter().map(place).collect::<Vec<_>>().join(", ")
}
