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

/// One line for each fact that is not a list or text of many lines.
fn human(manifest: &Value, out: &mut Output) -> Result<(), Failure> {
    let facts = manifest.as_object().into_iter().flatten();
    for (key, value) in facts.filter(|(key, _)| *key != "profile") {
        write_fact(0, key, value, out)?;
    }
    writeln!(
        out,
        "\n{DIM}--format profile shows the profile, --format json everything{DIM:#}"
    )?;
    Ok(())
}

fn write_fact(depth: usize, key: &str, value: &Value, out: &mut Output) -> Result<(), Failure> {
    let indent = 2 * depth;
    match value {
        Value::Object(facts) => {
            writeln!(out, "{:indent$}{STRONG}{key}{STRONG:#}", "")?;
            facts
                .iter()
                .try_for_each(|(key, value)| write_fact(depth + 1, key, value, out))
        }
        Value::Array(values)
            if values
                .iter()
                .all(|value| value.is_string() || value.is_number()) =>
        {
            let words: Vec<String> = values.iter().map(plain).collect();
            Ok(writeln!(out, "{:indent$}{key}: {}", "", words.join(", "))?)
        }
        value => Ok(writeln!(out, "{:indent$}{key}: {}", "", plain(value))?),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
