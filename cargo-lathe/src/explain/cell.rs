//! A cell of the matrix: both verdicts, where each comes from, and a way out of one that is not yes.

use std::io::{self, Write};

use engine_spec::matrix::{Cell, CellId, MATRIX, Objection, Terms, Verdict};
use engine_spec::rules::cells::{self, NOT_BUILT};
use engine_spec::rules::{Rule, target};
use engine_spec::{BackendKind, Family, Feature, Mode, nearest};

use super::verdict;
use crate::paint::{BAD, DIM, GOOD, NAME, STRONG};

pub fn write(cell: &Cell, out: &mut impl Write) -> io::Result<()> {
    let what = cell.id.to_string().replace('`', "");
    writeln!(out, "{STRONG}{what}{STRONG:#}\n")?;
    writeln!(out, "  vLLM    {} {}", verdict(cell.vllm), cell.reason)?;
    if !cell.link.is_empty() {
        writeln!(out, "  {:15} {NAME}{}{NAME:#}", "", cell.link)?;
    }
    let mut label = "engine";
    for (backend, proof) in cell.engine.proofs() {
        let (backend, evidence, test) = (backend.name(), proof.evidence.name(), proof.test);
        writeln!(
            out,
            "  {label:7} {GOOD}{:7}{GOOD:#} {backend}:{evidence} {DIM}proven by the test{DIM:#} {test}",
            "yes"
        )?;
        label = "";
    }
    let unproven: Vec<_> = backends(cell)
        .filter(|backend| !cell.engine.on(*backend).is_yes())
        .map(BackendKind::name)
        .collect();
    if !unproven.is_empty() {
        let on = unproven.join(", ");
        writeln!(
            out,
            "  {label:7} {BAD}{:7}{BAD:#} {NOT_BUILT} on {on}",
            "no"
        )?;
    }
    refusals(cell, out)?;
    if cell.vllm != Verdict::Yes || !unproven.is_empty() {
        writeln!(out, "\n{STRONG}what works{STRONG:#}")?;
        ways_out(cell, out)?;
    }
    Ok(())
}

/// Where the combination can be run.
fn backends(cell: &Cell) -> impl Iterator<Item = BackendKind> {
    BackendKind::ALL
        .into_iter()
        .filter(|backend| cell.id.can_be_on(*backend))
}

/// The rules that a profile with it meets, with `matrix = "vllm"` and nothing accepted.
fn refusals(cell: &Cell, out: &mut impl Write) -> io::Result<()> {
    let terms = Terms {
        mode: Mode::Vllm,
        accepted: Vec::new(),
    };
    let mut refused: Vec<(&Rule, Vec<&str>)> = Vec::new();
    for backend in backends(cell) {
        let Some(objection) = terms.objection(cell, backend) else {
            continue;
        };
        let unproven = objection == Objection::Unproven;
        let rule = match unproven && !MATRIX.is_built(backend) {
            true => &target::BACKEND,
            false => cells::rule(cell.id, objection),
        };
        match refused
            .iter_mut()
            .find(|(known, _)| known.code == rule.code)
        {
            Some((_, backends)) => backends.push(backend.name()),
            None => refused.push((rule, vec![backend.name()])),
        }
    }
    if !refused.is_empty() {
        writeln!(out)?;
    }
    let everywhere = backends(cell).count();
    for (rule, backends) in refused {
        let on = match backends.len() == everywhere {
            true => String::new(),
            false => format!(" on {}", backends.join(", ")),
        };
        let (code, name) = (rule.code, rule.name);
        writeln!(
            out,
            "A profile with it{on} is refused with {BAD}{code}{BAD:#} ({name})."
        )?;
    }
    Ok(())
}

fn ways_out(cell: &Cell, out: &mut impl Write) -> io::Result<()> {
    let proven: Vec<_> = backends(cell)
        .filter(|backend| MATRIX.is_built(*backend) && cell.engine.on(*backend).is_yes())
        .map(BackendKind::name)
        .collect();
    let on = proven.join(", ");
    match (proven.is_empty(), cell.vllm) {
        (true, _) => {}
        (false, Verdict::Yes) => writeln!(out, "  both on {on}, as they are")?,
        (false, _) => writeln!(
            out,
            "  this engine proves it on {on}: set matrix = \"engine\" there"
        )?,
    }
    match cell.id {
        CellId::Pair(a, b) => {
            writeln!(out, "  {a} without {b}, or {b} without {a}")?;
            if cell.vllm == Verdict::Unknown {
                accept((a, b), &acceptable(cell), out)?;
            }
        }
        CellId::Hardware(feature, family) => {
            elsewhere(feature, family, out)?;
            writeln!(
                out,
                "  on {family}, by vLLM's matrix: {}",
                names(vllm_yes(family))
            )?;
        }
    }
    if cell.vllm == Verdict::Yes && proven.is_empty() {
        writeln!(
            out,
            "  {DIM}vLLM's matrix allows it, and a test of this engine that runs it would too{DIM:#}"
        )?;
    }
    Ok(())
}

/// The backends where an unknown pair can be accepted: where it is proven, and those that can only be planned for.
fn acceptable(cell: &Cell) -> Vec<&'static str> {
    let can = |kind: &BackendKind| !MATRIX.is_built(*kind) || cell.engine.on(*kind).is_yes();
    backends(cell).filter(can).map(BackendKind::name).collect()
}

/// How to take an unknown pair.
fn accept((a, b): (Feature, Feature), on: &[&str], out: &mut impl Write) -> io::Result<()> {
    let on = on.join(", ");
    writeln!(
        out,
        "  both on {on}, taken knowingly, with a reason that stands in the binary:\n"
    )?;
    writeln!(out, "    {NAME}[[accept]]{NAME:#}")?;
    writeln!(out, "    {NAME}pair   = [\"{a}\", \"{b}\"]{NAME:#}")?;
    writeln!(
        out,
        "    {NAME}reason = \"covered by our own acceptance tests\"{NAME:#}"
    )
}

fn elsewhere(feature: Feature, family: Family, out: &mut impl Write) -> io::Result<()> {
    let others = nearest::families_of(&MATRIX, feature, family).into_iter();
    let others: Vec<&str> = others.map(Family::name).collect();
    let others = others.join(", ");
    writeln!(out, "  {feature}, by vLLM's matrix, on: {others}")
}

/// The features that run on a family by vLLM's matrix.
fn vllm_yes(family: Family) -> impl Iterator<Item = Feature> {
    let works = move |feature: &Feature| {
        MATRIX.cell(CellId::Hardware(*feature, family)).vllm == Verdict::Yes
    };
    Feature::ALL.into_iter().filter(works)
}

fn names(features: impl Iterator<Item = Feature>) -> String {
    features.map(Feature::name).collect::<Vec<_>>().join(", ")
}
