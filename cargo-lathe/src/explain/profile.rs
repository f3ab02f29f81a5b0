//! A profile: the cells that it rests on, or what is wrong with it and the nearest profiles that work.

use std::io::Write;
use std::path::Path;

use engine_spec::matrix::{EngineVerdict, MATRIX, Proof};
use engine_spec::nearest::nearest;
use engine_spec::rules::cells::NOT_BUILT;
use engine_spec::{Color, Family, Feature, FeatureSet, Format, Machine, Mode, Plan, Profile};

use super::verdict;
use crate::failure::Failure;
use crate::output::Output;
use crate::paint::{BAD, DIM, GOOD, STRONG};
use crate::profile;

pub fn write(path: &Path, out: &mut Output) -> Result<(), Failure> {
    match profile::judge(path) {
        Ok(plan) => Ok(sound(&plan, out)?),
        Err(diagnostics) => {
            writeln!(out, "{}", diagnostics.render(Format::Human(Color::Always)))?;
            let text = &diagnostics.source.text;
            if let (Some(profile), _) = Profile::recover(&path.display().to_string(), text) {
                ways_out(&profile, out)?;
            }
            Err(Failure::Refused)
        }
    }
}

/// Every cell that the profile touches.
fn sound(plan: &Plan, out: &mut impl Write) -> std::io::Result<()> {
    let (set, family) = (plan.set(), plan.target.family());
    let backend = family.backend();
    let (name, target) = (&plan.name, plan.target.name);
    if set.is_empty() {
        return writeln!(
            out,
            "{STRONG}{name}{STRONG:#} works on {target}. It asks for no feature of the matrix."
        );
    }
    writeln!(
        out,
        "{STRONG}{name}{STRONG:#} works on {target}. It rests on these cells:\n"
    )?;
    for cell in MATRIX.touched(set, family) {
        let what = cell.id.to_string().replace('`', "");
        let engine = match cell.engine.on(backend) {
            EngineVerdict::Yes(Proof { evidence, test }) => {
                let (backend, evidence) = (backend.name(), evidence.name());
                format!("{GOOD}yes{GOOD:#} {backend}:{evidence} {DIM}{test}{DIM:#}")
            }
            EngineVerdict::No => format!("{BAD}no{BAD:#} {DIM}{NOT_BUILT}{DIM:#}"),
        };
        writeln!(
            out,
            "  {what:40} vLLM {} engine {engine}",
            verdict(cell.vllm)
        )?;
    }
    for accepted in &plan.accepted {
        let pair = accepted.pair.to_string().replace('`', "");
        writeln!(
            out,
            "\n  {pair} is unknown and accepted: {}",
            accepted.reason
        )?;
    }
    let held = match plan.mode {
        Mode::Vllm => "yes from both, vLLM's matrix and this engine",
        Mode::Engine => "yes from this engine",
    };
    writeln!(
        out,
        "\n{DIM}matrix = \"{}\" demands {held}{DIM:#}",
        plan.mode.name()
    )
}

/// The smallest changes to features, target or terms after which no cell is in the way.
fn ways_out(profile: &Profile, out: &mut impl Write) -> std::io::Result<()> {
    let family = profile.target.value.arch(&Machine::detect()).family();
    let nearest = nearest(&MATRIX, &profile.terms(), profile.set(), family);
    if nearest.drop.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "{STRONG}the nearest profiles that the matrix allows{STRONG:#}"
    )?;
    for set in &nearest.drop {
        writeln!(out, "  without {}", names(*set))?;
    }
    for set in &nearest.by_engine {
        match set.is_empty() {
            true => writeln!(out, "  with matrix = \"engine\"")?,
            false => writeln!(out, "  with matrix = \"engine\", without {}", names(*set))?,
        }
    }
    if !nearest.families.is_empty() {
        let families: Vec<&str> = nearest.families.iter().copied().map(Family::name).collect();
        writeln!(out, "  with all of them on {}", families.join(", "))?;
    }
    if !nearest.accept.is_empty() {
        let pairs: Vec<String> = nearest
            .accept
            .iter()
            .map(|id| id.to_string().replace('`', ""))
            .collect();
        writeln!(out, "  accepting {}", pairs.join(", "))?;
    }
    Ok(())
}

fn names(set: FeatureSet) -> String {
    set.iter()
        .map(Feature::name)
        .collect::<Vec<_>>()
        .join(" and ")
}
