//! `cargo lathe plan`: every decision that a profile leads to, and where it came from.

mod memory;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine_spec::codegen;
use engine_spec::plan::Decision;
use engine_spec::{Answers, Feature, FeatureSet};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Output;
use crate::paint::{DIM, GOOD, NAME, STRONG};
use crate::profile;
use crate::target::compiler;

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

fn human(plan: &Answers, out: &mut impl Write) -> io::Result<()> {
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
        .filter(|one| !one.key.starts_with("features."))
        .collect();
    rows(
        out,
        decisions.iter().map(|one| {
            (
                one.key.clone(),
                one.value.clone(),
                one.origin.to_string(),
                false,
            )
        }),
    )?;
    heading(out, "features")?;
    rows(out, features(plan).into_iter())?;
    heading(out, "engine")?;
    fact(out, "compiled in", &names(plan.set()))?;
    fact(out, "not in it", &names(FeatureSet::FULL.minus(plan.set())))?;
    let kernels: Vec<String> = plan
        .kernels()
        .into_iter()
        .map(|kernel| kernel.symbol())
        .collect();
    fact(out, "kernels", &kernels)?;
    let features: Vec<String> = plan
        .cargo_features()
        .into_iter()
        .map(str::to_owned)
        .collect();
    fact(out, "Cargo features", &features)?;
    if let Some(compiler) = compiler(plan.toolkit, plan.target.arch) {
        fact(out, "compiled by", &[compiler])?;
    }
    fact(out, "target", &[plan.rustc().triple])?;
    fact(out, "rustc flags", &plan.rustc().flags())?;
    heading(out, "memory")?;
    memory::write(plan, out)
}

fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{STRONG}{text}{STRONG:#}")
}

/// Aligned lines of a name, a value and its origin; `true` for what is only there as an absence.
fn rows(
    out: &mut impl Write,
    rows: impl Iterator<Item = (String, String, String, bool)>,
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

/// A line for each feature, with the type that stands for it, and one for each setting of those that are on.
fn features(plan: &Answers) -> Vec<(String, String, String, bool)> {
    let mut lines = Vec::new();
    for decision in plan.decisions() {
        let Some(key) = decision.key.strip_prefix("features.") else {
            continue;
        };
        let origin = decision.origin.to_string();
        lines.push(match Feature::named(key) {
            Some(feature) => {
                let absent = !plan.set().contains(feature);
                (key.to_owned(), type_of(plan, feature), origin, absent)
            }
            None => {
                let setting = key.rsplit('.').next().unwrap_or(key);
                (
                    format!("  {setting}"),
                    decision.value.clone(),
                    origin,
                    false,
                )
            }
        });
    }
    lines
}

/// What stands in the recipe for a feature.
fn type_of(plan: &Answers, feature: Feature) -> String {
    let mut features = plan.features.iter();
    let settings = features.find_map(|(other, settings)| (other == feature).then_some(settings));
    feature.stand_in(settings.flatten()).to_owned()
}

fn names(set: FeatureSet) -> Vec<String> {
    set.iter()
        .map(|feature| feature.name().to_owned())
        .collect()
}

fn json(plan: &Answers) -> Result<Value, serde_json::Error> {
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
        "memory": plan.budget(),
    });
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
    Ok(value)
}
