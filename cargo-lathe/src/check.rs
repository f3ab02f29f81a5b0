//! `cargo lathe check`: every error of every profile.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use engine_spec::{Color, Diagnostics, Plan};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Output;
use crate::paint::{DIM, GOOD};
use crate::profile;

/// Check profiles and show all of their errors.
///
/// Exits with 0 if every profile can be built, 1 if one cannot.
#[derive(Debug, Args)]
pub struct Check {
    #[arg(required = true, value_name = "PROFILE")]
    profiles: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// With excerpts, as rustc shows errors.
    #[default]
    Human,
    /// A line for each error: `path:line:column: error[code]: what`.
    Short,
    /// An array with an object for each profile.
    Json,
}

impl Check {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let checked = self
            .profiles
            .iter()
            .map(|path| (path.as_path(), profile::judge(path)));
        let checked: Vec<(&Path, Result<Plan, Diagnostics>)> = checked.collect();
        match self.format {
            Format::Human => human(&checked, out)?,
            Format::Short => short(&checked, out)?,
            Format::Json => json(&checked, out)?,
        }
        match checked.iter().all(|(_, plan)| plan.is_ok()) {
            true => Ok(()),
            false => Err(Failure::Refused),
        }
    }
}

fn human(checked: &[(&Path, Result<Plan, Diagnostics>)], out: &mut Output) -> io::Result<()> {
    for (path, plan) in checked {
        let path = path.display();
        match plan {
            Ok(plan) => writeln!(
                out,
                "{GOOD}ok{GOOD:#} {path} {DIM}{} on {}{DIM:#}",
                plan.name, plan.target.arch
            )?,
            Err(diagnostics) => {
                writeln!(
                    out,
                    "{}",
                    diagnostics.render(engine_spec::Format::Human(Color::Always))
                )?;
                let count = diagnostics.len();
                let errors = if count == 1 { "error" } else { "errors" };
                writeln!(out, "{path}: {count} {errors}")?;
            }
        }
    }
    Ok(())
}

fn short(checked: &[(&Path, Result<Plan, Diagnostics>)], out: &mut Output) -> io::Result<()> {
    let refused = checked.iter().filter_map(|(_, plan)| plan.as_ref().err());
    refused.into_iter().try_for_each(|diagnostics| {
        write!(out, "{}", diagnostics.render(engine_spec::Format::Short))
    })
}

fn json(checked: &[(&Path, Result<Plan, Diagnostics>)], out: &mut Output) -> Result<(), Failure> {
    let profiles = checked.iter().map(|(path, plan)| {
        let diagnostics: Value = match plan {
            Ok(_) => json!([]),
            Err(diagnostics) => serde_json::from_str(&diagnostics.render(engine_spec::Format::Json))?,
        };
        Ok(json!({ "path": path.display().to_string(), "ok": plan.is_ok(), "diagnostics": diagnostics }))
    });
    let profiles = profiles.collect::<Result<Vec<Value>, serde_json::Error>>()?;
    writeln!(out, "{:#}", Value::from(profiles))?;
    Ok(())
}
