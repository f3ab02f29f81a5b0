//! Profiles that are sound: the fleet examples, and everything in `profiles/`.

use std::path::{Path, PathBuf};

use engine_model::Op;
use engine_spec::{Arch, Machine, Manifest, Preview, Profile};

const MACHINE: Machine = Machine::imagined(Arch::X86V4Bf16);

fn profiles() -> Vec<PathBuf> {
    let folders = ["../tests/profiles/good", "../profiles"];
    let files = folders
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<_> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "profiles are found");
    files
}

fn read(path: &Path) -> Profile {
    Profile::read(path).unwrap_or_else(|found| panic!("{found}"))
}

fn preview(profile: &Profile) -> Preview {
    let checked = engine_spec::plan(profile, &MACHINE).preview();
    checked.unwrap_or_else(|found| panic!("{found}")).0
}

#[test]
fn nothing_stands_in_their_way_but_what_is_not_built() {
    for path in profiles() {
        preview(&read(&path));
    }
}

#[test]
fn a_profile_is_called_as_its_file_is() {
    for path in profiles() {
        assert_eq!(
            read(&path).name.value,
            path.file_stem().unwrap().to_str().unwrap()
        );
    }
}

#[test]
fn every_plan_explains_itself_and_has_its_own_hash() {
    let mut hashes = std::collections::BTreeMap::new();
    for path in profiles() {
        let profile = read(&path);
        let plan = preview(&profile);
        assert_eq!(
            plan.set(),
            profile.set(),
            "a feature is in the plan exactly if the profile has it on"
        );
        for chosen in &profile.features {
            let key = format!("features.{}", chosen.feature);
            assert!(
                plan.decisions().iter().any(|decision| decision.key == key),
                "{key} is explained"
            );
        }
        let manifest: serde_json::Value =
            serde_json::from_str(&Manifest::of(&plan).json()).unwrap();
        assert_eq!(manifest["profile"], profile.source.text);
        assert_eq!(manifest["hash"], plan.hash());
        assert_eq!(
            hashes.insert(plan.hash(), path.clone()),
            None,
            "{}",
            path.display()
        );
    }
}

#[test]
fn comments_and_order_do_not_change_a_hash_and_a_setting_does() {
    let hash = |text: &str| {
        let profile = Profile::parse("x.toml", text).unwrap();
        preview(&profile).hash()
    };
    let first = hash(
        "name = \"x\"\ntarget = \"t4\"\nmodel.family = \"llama\"\nmodel.head-dims = [128, 64]\n",
    );
    assert_eq!(
        first,
        hash(
            "# why\ntarget = \"t4\"\nname = \"x\"\n[model]\nhead-dims = [64, 128]\nfamily = \"llama\"\n"
        )
    );
    assert_ne!(
        first,
        hash(
            "name = \"x\"\ntarget = \"t4\"\nmodel = { family = \"llama\", head-dims = [64, 128] }\nlimits.max-seqs = 7\n"
        )
    );
}

#[test]
fn an_op_is_in_the_plan_if_the_model_or_a_feature_needs_it() {
    let ops = |family: &str, features: &str| {
        let text = format!(
            "name = \"x\"\ntarget = \"native\"\nmodel.family = \"{family}\"\n[features]\n{features}\n"
        );
        let profile = Profile::parse("x.toml", &text).unwrap();
        let kernels = preview(&profile).kernels();
        kernels
            .into_iter()
            .map(|kernel| kernel.op)
            .collect::<Vec<_>>()
    };
    for (op, family, features, wanted) in [
        (Op::Matmul, "llama", "", true),
        (Op::HeadNorm, "llama", "", false),
        (Op::HeadNorm, "qwen3", "", true),
        (Op::SiluMul, "llama", "", true),
        (Op::SiluMul, "gemma3", "", false),
        (Op::GeluMul, "gemma3", "", true),
        (Op::GroupedMatmul, "mixtral", "", true),
        (Op::GroupedMatmul, "qwen3", "", false),
        (Op::Logprobs, "llama", "", false),
        (Op::Logprobs, "llama", "logprobs = true", true),
        (Op::Logprobs, "llama", "prompt-logprobs = true", true),
    ] {
        assert_eq!(
            ops(family, features).contains(&op),
            wanted,
            "{op} of {family} with `{features}`"
        );
    }
}

/// What is shipped is built: nothing at all is found, and the door gives the plan.
#[test]
fn shipped_profiles_are_built() {
    for path in profiles()
        .into_iter()
        .filter(|path| path.starts_with("../profiles"))
    {
        if let Err(found) = engine_spec::plan(&read(&path), &MACHINE).plan() {
            panic!("{found}");
        }
    }
}
