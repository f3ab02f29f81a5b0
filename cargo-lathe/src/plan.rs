//! `cargo lathe plan`: every decision that a profile leads to, and where it came from.

mod memory;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine_spec::codegen::{self, Binding};
use engine_spec::plan::Decision;
use engine_spec::{Feature, FeatureSet, Plan};
use serde_json::{Value, json};

pub use memory::size;

use crate::failure::Failure;
use crate::output::Output;
use crate::paint::{DIM, GOOD, NAME, STRONG};
use crate::profile;

/// Show everything that is decided for a profile.
///
/// Types, limits, kernels, Cargo features, flags and memory, each with the line of the profile that it comes from.
#[derive(Debug, Args)]
pub struct PlanCommand {
    profile: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Human,
    Json,
}

impl PlanCommand {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let plan = profile::preview(&self.profile)?;
        match self.format {
            Format::Human => human(&plan, out)?,
            Format::Json => writeln!(out, "{:#}", json(&plan)?)?,
        }
        Ok(())
    }
}

fn human(plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let (target, describe) = (plan.target.name, plan.target.describe());
    writeln!(
        out,
        "{STRONG}{}{STRONG:#} for {target} {DIM}({describe}){DIM:#}",
        plan.name
    )?;
    heading(out, "decisions")?;
    let decisions: Vec<&Decision> = plan
        .decisions()
        .iter()
        .filter(|one| feature_of(one).is_none())
        .collect();
    rows(
        out,
        decisions.iter().map(|one| {
            (
                one.key.as_str(),
                one.value.clone(),
                one.origin.to_string(),
                false,
            )
        }),
    )?;
    heading(out, "features")?;
    let bindings = codegen::bindings(plan);
    let features = plan
        .decisions()
        .iter()
        .filter_map(|one| Some((feature_of(one)?, one)));
    let features: Vec<(Feature, &Decision)> = features.collect();
    rows(
        out,
        features.iter().map(|(feature, one)| {
            (
                feature.name(),
                type_of(&bindings, *feature),
                one.origin.to_string(),
                !plan.features.has(*feature),
            )
        }),
    )?;
    heading(out, "engine")?;
    fact(out, "compiled in", &names(plan.set()))?;
    fact(out, "not in it", &names(FeatureSet::FULL.minus(plan.set())))?;
    let kernels: Vec<String> = plan
        .kernels()
        .into_iter()
        .map(|kernel| kernel.symbol)
        .collect();
    fact(out, "kernels", &kernels)?;
    let features: Vec<String> = plan
        .cargo_features()
        .into_iter()
        .map(str::to_owned)
        .collect();
    fact(out, "Cargo features", &features)?;
    fact(out, "target", &[plan.rustc().triple])?;
    fact(out, "rustc flags", &plan.rustc().flags())?;
    heading(out, "memory")?;
    memory::write(plan, out)
}

fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{STRONG}{text}{STRONG:#}")
}

/// Aligned lines of a name, a value and its origin; `true` for what is only there as an absence.
fn rows<'a>(
    out: &mut impl Write,
    rows: impl Iterator<Item = (&'a str, String, String, bool)>,
) -> io::Result<()> {
    let rows: Vec<_> = rows.collect();
    let names = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let values = rows
        .iter()
        .map(|(_, value, ..)| value.len())
        .max()
        .unwrap_or(0)
        .min(44);
    for (name, value, origin, absent) in rows {
        let style = if absent { DIM } else { NAME };
        writeln!(
            out,
            "  {name:names$}  {style}{value:values$}{style:#}  {DIM}{origin}{DIM:#}"
        )?;
    }
    Ok(())
}

/// A list that wraps at the width of a page.
fn fact(out: &mut impl Write, name: &str, words: &[String]) -> io::Result<()> {
    const NAME_WIDTH: usize = 14;
    const PAGE: usize = 100;
    write!(out, "  {name:NAME_WIDTH$}")?;
    if words.is_empty() {
        return writeln!(out, "  {DIM}none{DIM:#}");
    }
    let mut column = NAME_WIDTH + 2;
    for word in words {
        if column + word.len() + 2 > PAGE {
            write!(out, "\n  {:NAME_WIDTH$}", "")?;
            column = NAME_WIDTH + 2;
        }
        write!(out, "  {GOOD}{word}{GOOD:#}")?;
        column += word.len() + 2;
    }
    writeln!(out)
}

/// The feature that a decision is about.
fn feature_of(decision: &Decision) -> Option<Feature> {
    decision
        .key
        .strip_prefix("features.")
        .and_then(Feature::named)
}

/// What stands in the recipe for a feature.
fn type_of(bindings: &[Binding], feature: Feature) -> String {
    let part = codegen::parts::PARTS
        .iter()
        .find(|part| part.feature == feature);
    let binding = bindings
        .iter()
        .find(|binding| part.is_some_and(|part| part.name == binding.name));
    binding
        .map(|binding| binding.bound.to_string())
        .unwrap_or_default()
}

fn names(set: FeatureSet) -> Vec<String> {
    set.iter()
        .map(|feature| feature.name().to_owned())
        .collect()
}

fn json(plan: &Plan) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(plan)?;
    let bindings = codegen::bindings(plan).into_iter().map(|binding| {
        (
            binding.name.to_owned(),
            Value::from(binding.bound.to_string()),
        )
    });
    let more = json!({
        "hash": plan.hash(),
        "types": bindings.collect::<serde_json::Map<_, _>>(),
        "compiled_in": plan.set(),
        "not_compiled_in": FeatureSet::FULL.minus(plan.set()),
        "kernels": plan.kernels(),
        "cargo_features": plan.cargo_features(),
        "rustc": plan.rustc(),
        "memory": plan.memory(),
    });
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
    Ok(value)
}
