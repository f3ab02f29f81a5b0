//! The matrix for a terminal, in under 80 columns: each feature's name stands on the diagonal, its pairs with the
//! features above it to the left, its hardware to the right.

use std::io::{self, Write};

use anstyle::Style;
use engine_spec::Feature;
use engine_spec::matrix::{Cell, Verdict};

use super::{GLYPHS, View, glyph};
use crate::paint::{BAD, DIM, GOOD, UNSURE};

/// Columns of a pair and of a hardware cell.
const PAIR: usize = 2;
const HARDWARE: usize = 5;
/// Letters of a family's name at the head of its column, where there are several.
const HEAD: usize = HARDWARE - 1;

pub fn write(view: &View, out: &mut impl Write) -> io::Result<()> {
    let names = names_width(view);
    write!(out, "{:names$}", "")?;
    for family in &view.families {
        let head = match view.families.len() {
            1 => family.name(),
            _ => family.name().get(..HEAD).unwrap_or(family.name()),
        };
        write!(out, "{DIM} {head:>HEAD$}{DIM:#}")?;
    }
    writeln!(out)?;
    for feature in view.features.iter() {
        write_row(view, feature, names, out)?;
    }
    writeln!(out)?;
    let shown: Vec<char> = view.cells().map(glyph).collect();
    for (glyph, meaning) in GLYPHS.iter().filter(|(glyph, _)| shown.contains(glyph)) {
        writeln!(out, "{glyph} {DIM}{meaning}{DIM:#}")?;
    }
    writeln!(
        out,
        "\n{DIM}cargo lathe explain FEATURE FEATURE says why, and what works instead{DIM:#}"
    )
}

/// Where the hardware columns start: after the longest diagonal name.
fn names_width(view: &View) -> usize {
    let ends = view
        .features
        .iter()
        .enumerate()
        .map(|(at, feature)| at * PAIR + feature.name().len());
    ends.max().unwrap_or(0) + 1
}

fn write_row(view: &View, feature: Feature, names: usize, out: &mut impl Write) -> io::Result<()> {
    let (pairs, hardware) = view.row(feature);
    for cell in &pairs {
        let (style, glyph) = (style(cell), glyph(cell));
        write!(out, "{style}{glyph}{style:#} ")?;
    }
    let used = pairs.len() * PAIR + feature.name().len();
    let leader = "·".repeat(names.saturating_sub(used + 1));
    write!(out, "{feature} {DIM}{leader}{DIM:#}")?;
    for cell in &hardware {
        let (style, glyph) = (style(cell), glyph(cell));
        write!(out, "{style}{glyph:>HARDWARE$}{style:#}")?;
    }
    writeln!(out)
}

fn style(cell: &Cell) -> Style {
    match (cell.vllm, cell.engine.is_yes()) {
        (_, true) => GOOD.bold(),
        (Verdict::Yes, false) => GOOD,
        (Verdict::No, false) => BAD,
        (Verdict::Unknown, false) => UNSURE,
    }
}
