//! A cell of the matrix: both verdicts, where each comes from, and a way out of one that is not yes.

use std::io::{self, Write};

use engine_spec::matrix::{Cell, CellId, EngineVerdict, MATRIX, Verdict};
use engine_spec::rules::{Rule, cells};
use engine_spec::{Family, Feature, nearest};

use super::verdict;
use crate::paint::{BAD, DIM, GOOD, NAME, STRONG};

pub fn write(cell: &Cell, out: &mut impl Write) -> io::Result<()> {
    let what = cell.id.to_string().replace('`', "");
    writeln!(out, "{STRONG}{what}{STRONG:#}\n")?;
    writeln!(out, "  page    {} {}", verdict(cell.vllm), cell.reason)?;
    if !cell.link.is_empty() {
        writeln!(out, "  {:15} {NAME}{}{NAME:#}", "", cell.link)?;
    }
    match cell.engine {
        EngineVerdict::Yes { test } => {
            writeln!(
                out,
                "  engine  {GOOD}{:7}{GOOD:#} {DIM}proven by the test{DIM:#} {test}",
                "yes"
            )?;
        }
        EngineVerdict::No { why } => writeln!(out, "  engine  {BAD}{:7}{BAD:#} {why}", "no")?,
    }
    if let Some(rule) = refused_by(cell) {
        writeln!(
            out,
            "\nA profile with it is refused with {BAD}{}{BAD:#} ({}).",
            rule.code, rule.name
        )?;
    }
    if cell.vllm != Verdict::Yes || !cell.engine.is_yes() {
        writeln!(out, "\n{STRONG}what works{STRONG:#}")?;
        ways_out(cell, out)?;
    }
    Ok(())
}

/// The rule that a profile meets here, with `matrix = "vllm"`: the page's verdict before the engine's.
fn refused_by(cell: &Cell) -> Option<&'static Rule> {
    match (cell.id, cell.vllm, cell.engine.is_yes()) {
        (_, Verdict::Yes, true) => None,
        (_, Verdict::Unknown, _) => Some(&cells::UNKNOWN),
        (CellId::Pair(..), Verdict::No, _) => Some(&cells::PAIR),
        (CellId::Hardware(..), Verdict::No, _) => Some(&cells::HARDWARE),
        (CellId::Pair(..), Verdict::Yes, false) => Some(&cells::UNPROVEN_PAIR),
        (CellId::Hardware(..), Verdict::Yes, false) => Some(&cells::UNPROVEN_HARDWARE),
    }
}

fn ways_out(cell: &Cell, out: &mut impl Write) -> io::Result<()> {
    if cell.engine.is_yes() && cell.vllm != Verdict::Yes {
        writeln!(out, "  this engine proves it: set matrix = \"engine\"")?;
    }
    match cell.id {
        CellId::Pair(a, b) => {
            writeln!(out, "  {a} without {b}, or {b} without {a}")?;
            if cell.vllm == Verdict::Unknown {
                accept(a, b, out)?;
            }
        }
        CellId::Hardware(feature, family) => {
            elsewhere(feature, family, out)?;
            writeln!(
                out,
                "  on {family}, by the page: {}",
                names(page_yes(family))
            )?;
        }
    }
    if cell.vllm == Verdict::Yes && !cell.engine.is_yes() {
        writeln!(
            out,
            "  {DIM}the page allows it, and a test of this engine that runs it would too{DIM:#}"
        )?;
    }
    Ok(())
}

/// How to take an unknown pair.
fn accept(a: Feature, b: Feature, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "  both, taken knowingly, with a reason that stands in the binary:\n"
    )?;
    writeln!(out, "    {NAME}[[accept]]{NAME:#}")?;
    writeln!(out, "    {NAME}pair   = [\"{a}\", \"{b}\"]{NAME:#}")?;
    writeln!(
        out,
        "    {NAME}reason = \"covered by our own acceptance tests\"{NAME:#}"
    )
}

fn elsewhere(feature: Feature, family: Family, out: &mut impl Write) -> io::Result<()> {
    let others = nearest::families_of(&MATRIX, feature)
        .into_iter()
        .filter(|other| *other != family);
    let others: Vec<&str> = others.map(Family::name).collect();
    writeln!(out, "  {feature}, by the page, on: {}", others.join(", "))
}

/// The features that the page lets run on a family.
fn page_yes(family: Family) -> impl Iterator<Item = Feature> {
    let works = move |feature: &Feature| {
        MATRIX.cell(CellId::Hardware(*feature, family)).vllm == Verdict::Yes
    };
    Feature::ALL.into_iter().filter(works)
}

fn names(features: impl Iterator<Item = Feature>) -> String {
    features.map(Feature::name).collect::<Vec<_>>().join(", ")
}
