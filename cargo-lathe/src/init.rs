//! `cargo lathe init`: a first profile, for the machine that it is asked on.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use engine_spec::matrix::legal::Legality;
use engine_spec::matrix::{MATRIX, Terms};
use engine_spec::profile::LONGEST_NAME;
use engine_spec::profile::fields::{self, Field, Otherwise};
use engine_spec::{Feature, FeatureSet, Machine};

use crate::failure::Failure;
use crate::output::Output;
use crate::paint::{DIM, GOOD};

/// Write a commented profile for this machine.
#[derive(Debug, Args)]
pub struct Init {
    /// The file, which must not exist.
    #[arg(default_value = "profiles/mine.toml", value_name = "FILE")]
    file: PathBuf,
}

impl Init {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let name = deployment(&self.file);
        let machine = Machine::detect();
        create(&self.file, &profile(&name, &machine))?;
        let (path, arch) = (self.file.display(), machine.arch);
        let argument = quoted(&self.file.to_string_lossy());
        writeln!(
            out,
            "{GOOD}wrote{GOOD:#} {path}, a profile for {arch}, which this machine has"
        )?;
        writeln!(
            out,
            "{DIM}next: cargo lathe plan {argument}, then cargo lathe build {argument}{DIM:#}"
        )?;
        Ok(())
    }
}

fn create(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Exists {
            path: file.to_owned(),
        },
        _ => Failure::Unwritable {
            path: file.to_owned(),
            error,
        },
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// A word of a shell's line.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./+,:@%".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The file's name as a deployment's: kebab-case, starting with a letter, cut where it is too long.
fn deployment(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let stem = stem.to_ascii_lowercase();
    let words = stem.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut name = match words.join("-") {
        name if name.starts_with(|first: char| first.is_ascii_lowercase()) => name,
        name if name.is_empty() => "mine".to_owned(),
        name => format!("engine-{name}"),
    };
    name.truncate(LONGEST_NAME);
    name.trim_end_matches('-').to_owned()
}

/// What is required or worth choosing is written out; the rest stands as a comment with its default.
fn profile(name: &str, machine: &Machine) -> String {
    let mut text = String::new();
    let arch = machine.arch;
    let said = |key: &str| match key {
        "name" => Some(format!("\"{name}\"")),
        "target" => Some(format!("\"{arch}\"")),
        "matrix" => Some("\"engine\"".to_owned()),
        "family" => Some("\"llama\"".to_owned()),
        _ => None,
    };
    let mut put = |line: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    };
    put("# What one deployment needs. Everything that is not asked for here is not in the engine.");
    put("# A line that is commented out shows what holds without it.");
    put("");
    put(&format!(
        "# This machine: {arch} ({}), {} threads.",
        arch.what(),
        machine.threads
    ));
    fields::TOP
        .fields
        .iter()
        .for_each(|field| put(&line(field, said(field.key))));
    put("\n[model]");
    fields::MODEL
        .fields
        .iter()
        .for_each(|field| put(&line(field, said(field.key))));
    put("\n[features]");
    let proven = proven(machine);
    for feature in Feature::ALL {
        let (mark, remark) = match proven.contains(feature) {
            true => ("", ""),
            false => ("# ", " (not proven here yet)"),
        };
        put(&format!(
            "{mark}{feature} = true   # {}{remark}",
            feature.summary()
        ));
    }
    put("\n[limits]");
    fields::LIMITS
        .fields
        .iter()
        .for_each(|field| put(&line(field, said(field.key))));
    text
}

/// The features that this engine proves on the machine, all of them together.
fn proven(machine: &Machine) -> FeatureSet {
    let legality = Legality::by_terms(&MATRIX, &Terms::of_engine());
    Feature::ALL
        .into_iter()
        .fold(FeatureSet::EMPTY, |set, feature| {
            let more = set.with(feature);
            if legality.allows(more, machine.arch.family()) {
                more
            } else {
                set
            }
        })
}

/// A key with its comment; commented out where nothing is said.
fn line(field: &Field, said: Option<String>) -> String {
    let doc = field.doc;
    match (said, field.otherwise) {
        (Some(value), _) => format!("# {doc}\n{} = {value}", field.key),
        (None, Otherwise::Is(value)) => format!("# {doc}\n# {} = {value}", field.key),
        (None, Otherwise::From(how)) => format!("# {doc}\n# {} = ...   # {how}", field.key),
        (None, Otherwise::Required) => format!("# {doc}\n# {} = ...", field.key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_name_makes_a_deployment() {
        for (file, name) in [
            ("my_Box.toml", "my-box"),
            ("UPPER Case.toml", "upper-case"),
            ("7b.toml", "engine-7b"),
            ("---.toml", "mine"),
            ("größe.toml", "gr-e"),
        ] {
            assert_eq!(deployment(Path::new(file)), name);
        }
        let long = format!("{}-{}.toml", "a".repeat(LONGEST_NAME - 1), "b".repeat(9));
        assert_eq!(deployment(Path::new(&long)), "a".repeat(LONGEST_NAME - 1));
    }

    #[test]
    fn a_shell_gets_one_word() {
        assert_eq!(quoted("profiles/mine.toml"), "profiles/mine.toml");
        assert_eq!(quoted("UPPER Case.toml"), "'UPPER Case.toml'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
