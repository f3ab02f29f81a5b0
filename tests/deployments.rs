//! The `deploy-*` features of Cargo.toml, held against the profiles that they stand for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use engine_spec::{Arch, Machine};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_profile_has_a_feature_that_turns_on_what_its_plan_needs() {
    let manifest: toml::Table = fs::read_to_string(Path::new(ROOT).join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let listed = manifest["features"].as_table().unwrap().iter();
    let listed: BTreeMap<String, Vec<String>> = listed
        .filter_map(|(name, features)| {
            Some((name.strip_prefix("deploy-")?.to_owned(), names(features)))
        })
        .collect();
    assert_eq!(listed, planned());
}

fn names(features: &toml::Value) -> Vec<String> {
    features
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// What each profile's plan needs, by the name of its file.
fn planned() -> BTreeMap<String, Vec<String>> {
    let machine = Machine::imagined(Arch::X86V4Bf16);
    let files = fs::read_dir(Path::new(ROOT).join("profiles"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    let plans = files.map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let checked = engine_spec::check_file(&path, &machine).plan();
        let plan = checked.unwrap_or_else(|found| panic!("{found}"));
        assert_eq!(
            plan.name, name,
            "a profile is named as its file, or the feature selects another"
        );
        (
            name,
            plan.cargo_features()
                .into_iter()
                .map(str::to_owned)
                .collect(),
        )
    });
    plans.collect()
}
