//! `cargo lathe diff`: what changes from one profile to another, in features, answers, types and kernels.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use engine_spec::{Answers, FeatureSet, codegen};

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
        Ok(write(&from, &to, out)?)
    }
}

/// A line of the comparison: a name, before, after. Nothing stands where a side has no such answer.
type Change = (String, Option<String>, Option<String>);

fn write(from: &Answers, to: &Answers, out: &mut impl Write) -> std::io::Result<()> {
    let answers = changes(&from.facts(), &to.facts());
    if answers.is_empty() {
        return writeln!(out, "{DIM}the same engine{DIM:#}");
    }
    let (lost, gained) = (from.set().minus(to.set()), to.set().minus(from.set()));
    list(out, "features", names(lost), names(gained))?;
    let answers = answers
        .into_iter()
        .filter(|(key, ..)| !concerns(lost, key) && !concerns(gained, key));
    table(out, "answers", answers.collect())?;
    table(out, "recipe", changes(&types(from), &types(to)))?;
    let (before, after) = (kernels(from), kernels(to));
    let lost = before.difference(&after).cloned();
    let gained = after.difference(&before).cloned();
    list(out, "kernels", lost.collect(), gained.collect())
}

/// The names whose values differ, in the order of the first list.
fn changes(from: &[(String, String)], to: &[(String, String)]) -> Vec<Change> {
    let value = |of: &[(String, String)], name: &str| {
        let mut same = of.iter().filter(|(other, _)| other == name);
        same.next().map(|(_, value)| value.clone())
    };
    let kept = from.iter().map(|(name, _)| name);
    let new = to
        .iter()
        .map(|(name, _)| name)
        .filter(|name| value(from, name).is_none());
    kept.chain(new)
        .map(|name| (name.clone(), value(from, name), value(to, name)))
        .filter(|(_, before, after)| before != after)
        .collect()
}

/// Whether an answer is about one of these features, which come or go as a whole.
fn concerns(set: FeatureSet, key: &str) -> bool {
    let name = key.strip_prefix("features.");
    let feature = name.and_then(|name| name.split('.').next());
    set.iter().any(|one| Some(one.name()) == feature)
}

/// The recipe's types, and the settings of its features by the constants that hold them.
fn types(answers: &Answers) -> Vec<(String, String)> {
    let types = codegen::bindings(answers).into_iter();
    types
        .map(|binding| (binding.name.to_owned(), binding.bound.to_string()))
        .collect()
}

fn kernels(answers: &Answers) -> BTreeSet<String> {
    let kernels = answers.kernels().into_iter();
    kernels.map(|kernel| kernel.symbol()).collect()
}

fn names(set: FeatureSet) -> Vec<String> {
    set.iter()
        .map(|feature| feature.name().to_owned())
        .collect()
}

fn list(
    out: &mut impl Write,
    heading: &str,
    lost: Vec<String>,
    gained: Vec<String>,
) -> std::io::Result<()> {
    if !lost.is_empty() || !gained.is_empty() {
        writeln!(out, "{STRONG}{heading}{STRONG:#}")?;
    }
    for name in lost {
        writeln!(out, "{BAD}- {name}{BAD:#}")?;
    }
    for name in gained {
        writeln!(out, "{GOOD}+ {name}{GOOD:#}")?;
    }
    Ok(())
}

fn table(out: &mut impl Write, heading: &str, changes: Vec<Change>) -> std::io::Result<()> {
    if !changes.is_empty() {
        writeln!(out, "{STRONG}{heading}{STRONG:#}")?;
    }
    let width = changes.iter().map(|(name, ..)| name.len()).max();
    let width = width.unwrap_or(0);
    for (name, before, after) in changes {
        let [before, after] = [before, after].map(|side| side.unwrap_or_else(|| "-".to_owned()));
        writeln!(
            out,
            "  {name:width$}  {BAD}{before}{BAD:#} {DIM}->{DIM:#} {GOOD}{after}{GOOD:#}"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use engine_spec::{Arch, Machine, Preview};

    use super::*;

    fn previews() -> Vec<(PathBuf, Preview)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folders = ["profiles", "tests/profiles/good"];
        let files = folders
            .iter()
            .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
        let mut files: Vec<PathBuf> = files
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "toml"))
            .collect();
        files.sort();
        let machine = Machine::imagined(Arch::X86V4Bf16);
        let preview = |path: PathBuf| {
            let checked = engine_spec::check_file(&path, &machine).preview();
            let (preview, _) = checked.unwrap_or_else(|found| panic!("{found}"));
            (path, preview)
        };
        files.into_iter().map(preview).collect()
    }

    fn said(from: &Answers, to: &Answers) -> String {
        let mut out = Vec::new();
        write(from, to, &mut out).unwrap();
        anstream::adapter::strip_bytes(&out)
            .into_vec()
            .iter()
            .map(|byte| char::from(*byte))
            .collect()
    }

    #[test]
    fn two_profiles_are_the_same_engine_exactly_if_their_hashes_are() {
        let previews = previews();
        for (a, from) in &previews {
            for (b, to) in &previews {
                assert_eq!(
                    said(from, to) == "the same engine\n",
                    from.hash() == to.hash(),
                    "{} and {}",
                    a.display(),
                    b.display()
                );
            }
        }
    }

    /// Whatever is changed in a profile is shown, and what changes nothing of the engine is not.
    #[test]
    fn every_change_is_shown() {
        let base = "name = \"x\"\ntarget = \"l4\"\n[model]\nfamily = \"llama\"\nshape = \"../shapes/llama-3.1-8b.json\"\n\
                    [features]\nlora = true\nguided-decoding = true\n[limits]\nmax-model-len = 4096\n\
                    [[accept]]\npair = [\"lora\", \"guided-decoding\"]\nreason = \"ours\"\n";
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/profiles/good/x.toml");
        let preview = |text: &str| {
            let machine = Machine::imagined(Arch::X86V4Bf16);
            let checked = engine_spec::check(folder.to_str().unwrap(), text, &machine).preview();
            checked.unwrap_or_else(|found| panic!("{text}\n{found}")).0
        };
        let from = preview(base);
        for (before, after, shown) in [
            ("\"x\"", "\"y\"", "the same engine"),
            ("\"ours\"", "\"theirs\"", "the same engine"),
            (
                "[\"lora\", \"guided-decoding\"]",
                "[\"guided-decoding\", \"lora\"]",
                "the same engine",
            ),
            ("lora = true", "lora = { max-loras = 1 }", "the same engine"),
            (
                "lora = true",
                "lora = { max-cpu-loras = 9 }",
                "features.lora.max-cpu-loras  1 -> 9",
            ),
            ("\"l4\"", "\"l40s\"", "l40s"),
            ("../shapes/", "../shapes/../shapes/", "the same engine"),
            (
                "lora = true\n",
                "lora = true\ncuda-graph = { max-batch = 8 }\n",
                "+ cuda-graph",
            ),
            ("name =", "toolkit = \"cuda-13\"\nname =", "cuda-13"),
            (
                "max-model-len = 4096",
                "max-model-len = 2048",
                "limits.max-model-len",
            ),
            (
                "max-model-len = 4096",
                "max-model-len = 4096\nkv-memory = \"1GiB\"",
                "limits.kv-memory",
            ),
            (
                "family = \"llama\"",
                "family = \"llama\"\ndtype = \"f16\"",
                "Dense<F16>",
            ),
            (
                "shape = \"../shapes/llama-3.1-8b.json\"\n",
                "head-dims = [128]\n",
                "model.shape",
            ),
        ] {
            assert!(base.contains(before), "{before}");
            let said = said(&from, &preview(&base.replacen(before, after, 1)));
            assert!(
                said.contains(shown),
                "`{after}` for `{before}` shows\n{said}"
            );
        }
    }
}
