//! `cargo lathe inspect`: the manifest inside an engine, read from the file without running it.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use engine_spec::codegen::SECTION;
use object::{Object, ObjectSection, ReadCache};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::Output;
use crate::paint::{DIM, STRONG};

/// Show what an engine was built from, without running it.
#[derive(Debug, Args)]
pub struct Inspect {
    binary: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Human,
    /// The manifest as it is embedded.
    Json,
    /// The profile's text as it was when the engine was built.
    Profile,
}

/// A Mach-O file's name for the section.
const MACH_SECTION: &str = "__lathe";

impl Inspect {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let manifest = manifest(&self.binary)?;
        match self.format {
            Format::Json => writeln!(out, "{manifest:#}")?,
            Format::Profile => write!(out, "{}", manifest["profile"].as_str().unwrap_or_default())?,
            Format::Human => human(&manifest, out)?,
        }
        Ok(())
    }
}

/// The manifest of a binary.
pub fn manifest(path: &Path) -> Result<Value, Failure> {
    let refuse = |reason: String| Failure::NotAnEngine {
        path: path.to_owned(),
        reason,
    };
    let file = File::open(path).map_err(|error| Failure::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    let cache = ReadCache::new(BufReader::new(file));
    let object = object::File::parse(&cache)
        .map_err(|_| refuse("it is no ELF or Mach-O file".to_owned()))?;
    let section = object
        .section_by_name(SECTION)
        .or_else(|| object.section_by_name(MACH_SECTION));
    let section = section.ok_or_else(|| refuse(format!("it has no section {SECTION}")))?;
    let bytes = section
        .data()
        .map_err(|error| refuse(format!("its section {SECTION} is damaged: {error}")))?;
    serde_json::from_slice(bytes)
        .map_err(|error| refuse(format!("its section {SECTION} is no manifest: {error}")))
}

/// The facts, a line each; then the decisions, a line each. The profile's text is asked for by its format.
fn human(manifest: &Value, out: &mut Output) -> Result<(), Failure> {
    let name = manifest["name"]
        .as_str()
        .unwrap_or("an engine without a name");
    writeln!(out, "{STRONG}{name}{STRONG:#}")?;
    let facts = manifest.as_object().into_iter().flatten();
    for (key, value) in
        facts.filter(|(key, _)| !matches!(key.as_str(), "name" | "profile" | "decisions"))
    {
        writeln!(out, "  {key:26}  {}", plain(value))?;
    }
    let decisions = manifest["decisions"].as_array().into_iter().flatten();
    for decision in decisions {
        let (key, value) = (plain(&decision["key"]), plain(&decision["value"]));
        writeln!(out, "  {DIM}{key:26}{DIM:#}  {value}")?;
    }
    writeln!(
        out,
        "\n{DIM}--format profile shows the profile, --format json everything{DIM:#}"
    )?;
    Ok(())
}

/// A value without quotes; a list with commas.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}
