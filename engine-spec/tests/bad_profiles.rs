//! Every rule has a profile that breaks it, and the answer is a snapshot beside it: `tests/profiles/bad/<rule>.toml`
//! and `<rule>.snap`.
//!
//! The table is pinned to a few proofs, so that the snapshots do not move when a proof is added.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine_spec::matrix::{CellId, EngineVerdict, Evidence, Proof};
use engine_spec::rules::RULES;
use engine_spec::{Arch, BackendKind, Diagnostics, Family, Feature, Machine, Matrix, Profile};

const FOLDER: &str = "../tests/profiles/bad";

/// A machine that is the same everywhere.
const MACHINE: Machine = Machine::imagined(Arch::X86V3);

/// vLLM's matrix, and an engine that runs two features on a CPU, each alone.
fn pinned() -> Matrix {
    let proof = EngineVerdict::Yes(Proof {
        evidence: Evidence::Here,
        test: "pinned",
    });
    [Feature::ChunkedPrefill, Feature::PrefixCaching]
        .into_iter()
        .fold(Matrix::unproven(), |matrix, feature| {
            let cell = CellId::Hardware(feature, Family::Cpu);
            matrix.with_engine(cell, BackendKind::Cpu, proof)
        })
}

fn profiles() -> Vec<PathBuf> {
    let files = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// What is found, with the path that a user in the repository's root would see.
fn findings(path: &Path) -> Diagnostics {
    let Ok(text) = std::fs::read_to_string(path) else {
        return Profile::read(path).unwrap_err();
    };
    let checked = engine_spec::check_against(path.to_str().unwrap(), &text, &MACHINE, &pinned());
    let mut found = checked.found();
    found.source.path = format!("tests/profiles/bad/{}.toml", stem(path));
    found
}

#[test]
fn every_bad_profile_is_answered_as_before() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(std::env::current_dir().unwrap().join(FOLDER));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in profiles() {
            insta::assert_snapshot!(stem(&path), findings(&path).to_string());
        }
    });
}

#[test]
fn every_rule_has_its_bad_profile_which_breaks_it() {
    for rule in RULES.iter() {
        let path = Path::new(FOLDER).join(format!("{}.toml", rule.name));
        assert!(path.exists(), "{} has no bad profile", rule.name);
        assert!(
            path.with_extension("snap").exists(),
            "{} has no snapshot",
            rule.name
        );
        let codes: Vec<_> = findings(&path).iter().map(|one| one.code).collect();
        assert!(
            codes.contains(&rule.code),
            "{} does not raise {}, but {codes:?}",
            path.display(),
            rule.code
        );
    }
}

#[test]
fn a_rule_is_found_by_one_code_and_one_name() {
    let codes: BTreeSet<_> = RULES.iter().map(|rule| rule.code).collect();
    let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!((codes.len(), names.len()), (RULES.len(), RULES.len()));
    assert!(
        RULES.is_sorted_by_key(|rule| rule.code),
        "the list is by code"
    );
    for rule in RULES.iter() {
        assert!(
            engine_spec::rules::Rule::with_code(rule.code)
                .is_some_and(|found| found.name == rule.name)
        );
        assert!(
            !rule.doc.is_empty() && !rule.doc.ends_with('.'),
            "{}",
            rule.name
        );
    }
}

#[test]
fn every_finding_says_where_and_what_works() {
    for path in profiles() {
        let found = findings(&path);
        assert!(!found.is_empty(), "{} is not bad", path.display());
        for one in found.iter().filter(|one| one.code.0 > 2) {
            assert!(
                one.labels.iter().any(|label| label.primary),
                "{} without a place",
                one.title
            );
            assert!(
                !one.helps.is_empty() || !one.notes.is_empty(),
                "{} without a way out",
                one.title
            );
            assert!(!one.title.ends_with('.'), "{}", one.title);
            for label in &one.labels {
                assert!(
                    found.source.text.get(label.span.clone()).is_some(),
                    "{} outside the text",
                    one.title
                );
            }
        }
    }
}
