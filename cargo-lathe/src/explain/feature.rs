//! A feature: what it is, its settings, and its row and column of the matrix.

use std::io::{self, Write};

use engine_spec::Feature;
use engine_spec::matrix::{Cell, CellId, MATRIX, Verdict};
use engine_spec::profile::fields::{Field, Otherwise};

use super::verdict;
use crate::paint::{DIM, GOOD, NAME, STRONG};

pub fn write(feature: Feature, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{STRONG}{feature}{STRONG:#}: {}", feature.summary())?;
    writeln!(
        out,
        "{DIM}also called {}{DIM:#}",
        feature.aliases().join(", ")
    )?;
    settings(feature.fields(), out)?;
    let row = |hardware: bool| {
        MATRIX.cells().iter().filter(move |cell| match cell.id {
            CellId::Pair(a, b) => !hardware && (a == feature || b == feature),
            CellId::Hardware(a, _) => hardware && a == feature,
        })
    };
    section("hardware", feature, row(true).collect(), out)?;
    section("other features", feature, row(false).collect(), out)
}

fn settings(settings: &[Field], out: &mut impl Write) -> io::Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}settings{STRONG:#}")?;
    for field in settings {
        let otherwise = match field.otherwise {
            Otherwise::Required => "must be given".to_owned(),
            Otherwise::Is(value) => format!("default {value}"),
            Otherwise::From(how) => format!("default: {how}"),
        };
        writeln!(
            out,
            "  {NAME}{:14}{NAME:#} {} {DIM}({otherwise}){DIM:#}",
            field.key, field.doc
        )?;
    }
    Ok(())
}

/// The plain yes in a line; the rest a line each, with the reason.
fn section(
    title: &str,
    feature: Feature,
    cells: Vec<&Cell>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "\n{STRONG}{title}{STRONG:#}")?;
    let (yes, other): (Vec<&Cell>, Vec<&Cell>) = cells
        .into_iter()
        .partition(|cell| cell.vllm == Verdict::Yes);
    let names = |cells: &[&Cell]| {
        cells
            .iter()
            .map(|cell| across(cell, feature))
            .collect::<Vec<_>>()
            .join(", ")
    };
    writeln!(out, "  {} {}", verdict(Verdict::Yes), names(&yes))?;
    for cell in &other {
        writeln!(
            out,
            "  {} {:20} {DIM}{}{DIM:#}",
            verdict(cell.vllm),
            across(cell, feature),
            cell.reason
        )?;
    }
    let proven: Vec<&Cell> = yes
        .into_iter()
        .chain(other)
        .filter(|cell| cell.engine.is_proven())
        .collect();
    match proven.is_empty() {
        true => writeln!(out, "  {DIM}this engine proves none of them yet{DIM:#}"),
        false => writeln!(
            out,
            "  {DIM}this engine proves{DIM:#} {GOOD}{}{GOOD:#}",
            places(&proven, feature)
        ),
    }
}

/// The other sides of proven cells, each with where it is proven.
fn places(cells: &[&Cell], feature: Feature) -> String {
    let place = |cell: &&Cell| format!("{} ({})", across(cell, feature), cell.engine.places());
    cells.iter().map(place).collect::<Vec<_>>().join(", ")
}

/// The name on the other side of a cell.
fn across(cell: &Cell, feature: Feature) -> &'static str {
    match cell.id {
        CellId::Pair(a, b) if b == feature => a.name(),
        CellId::Pair(_, b) => b.name(),
        CellId::Hardware(_, family) => family.name(),
    }
}
