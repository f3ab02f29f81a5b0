//! `cargo lathe diff`: what changes from one profile to another, in features and in types.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use engine_spec::{Plan, codegen};

use crate::failure::Failure;
use crate::output::Output;
use crate::paint::{BAD, DIM, GOOD, STRONG};
use crate::profile;

/// Compare two profiles by what would be built.
#[derive(Debug, Args)]
pub struct Diff {
    #[arg(value_name = "A")]
    from: PathBuf,
    #[arg(value_name = "B")]
    to: PathBuf,
}

impl Diff {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let (from, to) = (profile::preview(&self.from)?, profile::preview(&self.to)?);
        let lost = from.set().minus(to.set());
        let gained = to.set().minus(from.set());
        if !lost.is_empty() || !gained.is_empty() {
            writeln!(out, "{STRONG}features{STRONG:#}")?;
        }
        for feature in lost.iter() {
            writeln!(out, "{BAD}- {feature}{BAD:#}")?;
        }
        for feature in gained.iter() {
            writeln!(out, "{GOOD}+ {feature}{GOOD:#}")?;
        }
        let changed = changed(&from, &to);
        if !changed.is_empty() {
            writeln!(out, "{STRONG}recipe{STRONG:#}")?;
        }
        let width = changed
            .iter()
            .map(|(name, ..)| name.len())
            .max()
            .unwrap_or(0);
        for (name, from, to) in &changed {
            writeln!(
                out,
                "  {name:width$}  {BAD}{from}{BAD:#} {DIM}->{DIM:#} {GOOD}{to}{GOOD:#}"
            )?;
        }
        if changed.is_empty() {
            writeln!(out, "{DIM}the same engine{DIM:#}")?;
        }
        Ok(())
    }
}

/// The answers that differ: name, before, after.
fn changed(from: &Plan, to: &Plan) -> Vec<(String, String, String)> {
    let after: BTreeMap<String, String> = answers(to).into_iter().collect();
    let before = answers(from).into_iter();
    let changed = before.filter_map(|(name, from)| {
        let to = after.get(&name).cloned().unwrap_or_default();
        (from != to).then_some((name, from, to))
    });
    changed.collect()
}

/// Limits and types, as the recipe has them. The name is not among them: two profiles may make the same engine.
fn answers(plan: &Plan) -> Vec<(String, String)> {
    let limits = plan
        .decisions()
        .iter()
        .filter(|decision| decision.key.starts_with("limits."));
    let limits = limits.map(|decision| (decision.key.clone(), decision.value.clone()));
    let types = codegen::bindings(plan)
        .into_iter()
        .map(|binding| (binding.name.to_owned(), binding.bound.to_string()));
    limits.chain(types).collect()
}
