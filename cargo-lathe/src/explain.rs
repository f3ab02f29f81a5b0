//! `cargo lathe explain`: why something works or does not, by which cell or rule, and what works instead.

mod cell;
mod device;
mod family;
mod feature;
mod instruction;
mod profile;
mod rule;

use std::path::{Path, PathBuf};

use clap::Args;
use engine_spec::matrix::{CellId, MATRIX, Verdict};
use engine_spec::rules::{RULES, Rule};
use engine_spec::{Code, Family, Feature, Machine, TargetName, spell};

use crate::failure::Failure;
use crate::output::Output;
use crate::paint::{BAD, GOOD, UNSURE};

/// Explain an error, a feature, a pair of features, a feature on hardware, a device, or a profile.
///
/// Without an argument, lists the errors that there are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo lathe explain E0102
  cargo lathe explain chunked-prefill
  cargo lathe explain chunked-prefill lora
  cargo lathe explain chunked-prefill v100-sxm2-16gb
  cargo lathe explain volta
  cargo lathe explain h100-sxm5-80gb
  cargo lathe explain avx512bf16
  cargo lathe explain profiles/default.toml")]
pub struct Explain {
    /// One or two of: an error code, a feature, a target, an instruction set, a profile.
    #[arg(num_args = 0..=2)]
    what: Vec<String>,
}

/// What there is to explain.
enum Topic {
    Rules,
    Rule(&'static Rule),
    Feature(Feature),
    Family(Family),
    Device(TargetName),
    /// Of a CPU.
    Instruction(String),
    Cell(CellId),
    Profile(PathBuf),
}

impl Explain {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        match topic(&self.what)? {
            Topic::Rules => Ok(rule::write_all(out)?),
            Topic::Rule(rule) => Ok(rule::write(rule, out)?),
            Topic::Feature(feature) => Ok(feature::write(feature, out)?),
            Topic::Family(family) => Ok(family::write(family, out)?),
            Topic::Device(target) => Ok(device::write(target, out)?),
            Topic::Instruction(name) => Ok(instruction::write(&name, out)?),
            Topic::Cell(id) => Ok(cell::write(MATRIX.cell(id), out)?),
            Topic::Profile(path) => profile::write(&path, out),
        }
    }
}

fn topic(words: &[String]) -> Result<Topic, Failure> {
    match words {
        [] => Ok(Topic::Rules),
        [word] => single(word),
        [a, b, ..] => match (named(a)?, named(b)?) {
            (Named::Feature(a), Named::Feature(b)) => match CellId::pair(a, b) {
                Some(id) => Ok(Topic::Cell(id)),
                None => Ok(Topic::Feature(a)),
            },
            (Named::Feature(feature), Named::Target(target))
            | (Named::Target(target), Named::Feature(feature)) => {
                let family = target.arch(&Machine::detect()).family();
                Ok(Topic::Cell(CellId::Hardware(feature, family)))
            }
            (Named::Target(_), Named::Target(_)) => Err(Failure::Unknown {
                what: "feature",
                name: a.clone(),
                hint: "; a profile has one target, so that no two meet".to_owned(),
            }),
        },
    }
}

fn single(word: &str) -> Result<Topic, Failure> {
    if word.ends_with(".toml") || Path::new(word).is_file() {
        return Ok(Topic::Profile(PathBuf::from(word)));
    }
    if let Some(code) = Code::parse(word) {
        let rule = RULES.iter().copied().find(|rule| rule.code == code);
        return rule.map(Topic::Rule).ok_or_else(|| Failure::Unknown {
            what: "error",
            name: code.to_string(),
            hint: "; `cargo lathe explain` lists them all".to_owned(),
        });
    }
    if let Some(rule) = RULES.iter().copied().find(|rule| rule.name == word) {
        return Ok(Topic::Rule(rule));
    }
    let instruction = word.to_ascii_lowercase().replace('_', "");
    if instruction::is_one(&instruction) {
        return Ok(Topic::Instruction(instruction));
    }
    Ok(match named(word)? {
        Named::Feature(feature) => Topic::Feature(feature),
        Named::Target(TargetName::Family(family)) => Topic::Family(family),
        Named::Target(target) => Topic::Device(target),
    })
}

/// A row or a column of the matrix.
enum Named {
    Feature(Feature),
    Target(TargetName),
}

fn named(word: &str) -> Result<Named, Failure> {
    let plain = kebab(word);
    if let Some(feature) = Feature::meant(&plain).or_else(|| Feature::meant(word)) {
        return Ok(Named::Feature(feature));
    }
    if let Some(target) = TargetName::named(word).or_else(|| TargetName::named(&plain)) {
        return Ok(Named::Target(target));
    }
    let hint = spell::hint(&plain, Feature::ALL.into_iter().map(Feature::name))
        .or_else(|| TargetName::hint(&plain))
        .unwrap_or_else(|| "`cargo lathe matrix` shows all features and families".to_owned());
    let hint = format!("; {hint}");
    Err(Failure::Unknown {
        what: "feature or target",
        name: word.to_owned(),
        hint,
    })
}

/// A name as rustc prints a mark of the runtime, `mark::ChunkedPrefill`, as profiles write it.
fn kebab(word: &str) -> String {
    let last = word.rsplit("::").next().unwrap_or(word);
    let mut kebab = String::new();
    let mut before = None;
    for letter in last.chars() {
        if letter.is_ascii_uppercase()
            && before.is_some_and(|before: char| before.is_ascii_lowercase())
        {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
        before = Some(letter);
    }
    kebab
}

/// A verdict of vLLM's matrix in its colour, padded to the longest.
fn verdict(verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Yes => GOOD,
        Verdict::No => BAD,
        Verdict::Unknown => UNSURE,
    };
    format!("{style}{:7}{style:#}", verdict.name())
}
