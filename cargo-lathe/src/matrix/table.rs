//! The matrix for a terminal, in under 80 columns: each feature's name stands on the diagonal, its pairs with the
//! features above it to the left, its hardware to the right.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;
use engine_spec::Feature;
use engine_spec::matrix::{Cell, Verdict};

use super::View;
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
    for (glyph, meaning) in view.legend() {
        writeln!(out, "{glyph} {DIM}{meaning}{DIM:#}")?;
    }
    write_places(view, out)?;
    writeln!(
        out,
        "\n{DIM}cargo lathe explain FEATURE FEATURE says why, and what works instead{DIM:#}"
    )
}

/// How many cells this engine proves on each backend that is shown, by the evidence.
fn write_places(view: &View, out: &mut impl Write) -> io::Result<()> {
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    for cell in view.cells() {
        for (backend, proof) in view.proofs(cell) {
            *places.entry((backend, proof.evidence)).or_default() += 1;
        }
    }
    let words: Vec<_> = places
        .iter()
        .map(|((backend, evidence), cells)| {
            format!("{}:{} {cells}", backend.name(), evidence.name())
        })
        .collect();
    match words.is_empty() {
        true => Ok(()),
        false => writeln!(
            out,
            "{DIM}cells that this engine proves:{DIM:#} {}",
            words.join(", ")
        ),
    }
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
        let (style, glyph) = (style(view, cell), view.glyph(cell));
        write!(out, "{style}{glyph}{style:#} ")?;
    }
    let used = pairs.len() * PAIR + feature.name().len();
    let leader = "·".repeat(names.saturating_sub(used + 1));
    write!(out, "{feature} {DIM}{leader}{DIM:#}")?;
    for cell in &hardware {
        let (style, glyph) = (style(view, cell), view.glyph(cell));
        write!(out, "{style}{glyph:>HARDWARE$}{style:#}")?;
    }
    writeln!(out)
}

fn style(view: &View, cell: &Cell) -> Style {
    match (cell.vllm, view.proofs(cell).is_empty()) {
        (_, false) => GOOD.bold(),
        (Verdict::Yes, true) => GOOD,
        (Verdict::No, true) => BAD,
        (Verdict::Unknown, true) => UNSURE,
    }
}
