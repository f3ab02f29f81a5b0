//! No key is ignored: each one, given a value that is not its default, changes the plan.

use engine_spec::profile::fields::{self, Field, Kind};
use engine_spec::{Arch, Feature, Machine, Profile};

const MACHINE: Machine = Machine::imagined(Arch::X86V3);

/// The plan's hash for a profile with these lines in place of the ones it is born with.
fn hash(text: &str) -> String {
    let profile = Profile::parse("../tests/profiles/good/probe.toml", text)
        .unwrap_or_else(|found| panic!("{text}\n{found}"));
    // The plan is asked for whether or not it could work, by the one door that shows it: the hash is in no finding.
    let (plan, found) = engine_spec::preview(&profile, &MACHINE);
    plan.unwrap_or_else(|| panic!("{text}\n{found}")).hash()
}

fn profile(top: &str, model: &str, features: &str, limits: &str) -> String {
    let name = if top.contains("name =") {
        ""
    } else {
        "name = \"probe\"\n"
    };
    let target = if top.contains("target =") {
        ""
    } else {
        "target = \"a100-sxm4-80gb\"\n"
    };
    let family = if model.contains("family =") {
        ""
    } else {
        "family = \"llama\"\n"
    };
    format!(
        "{name}{target}{top}\n[model]\n{family}{model}\n[features]\n{features}\n[limits]\n{limits}\n"
    )
}

/// A value for a key that is not what holds without it, and that no rule forbids.
fn other(field: &Field) -> &'static str {
    match field.key {
        "name" => "\"other\"",
        "target" => "\"h100-sxm5-80gb\"",
        "matrix" => "\"engine\"",
        "toolkit" => "\"cuda-11\"",
        "family" => "\"qwen2\"",
        "dtype" => "\"f32\"",
        "weights" => "\"gptq\"",
        "shape" => "\"../shapes/llama-3.1-8b.json\"",
        "kv-memory" => "\"3GiB\"",
        "method" => "\"draft-model\"",
        "max-rank" => "64",
        "extra-vocab" => "256",
        "block-size" => "32",
        "max-batched-tokens" => "8192",
        "tokens" => "7",
        "lookup-min" | "lookup-max" => "3",
        _ => match field.kind {
            Kind::Integer(..) => "13",
            Kind::Text | Kind::Target | Kind::Path | Kind::Choice(_) | Kind::Size | Kind::Pair => {
                panic!("name a value for {}", field.key)
            }
        },
    }
}

#[test]
fn every_key_changes_the_plan() {
    let before = hash(&profile("", "", "", ""));
    for (section, put) in [
        (
            &fields::TOP,
            (|line: &str| profile(line, "", "", "")) as fn(&str) -> String,
        ),
        (&fields::MODEL, |line| profile("", line, "", "")),
        (&fields::LIMITS, |line| profile("", "", "", line)),
    ] {
        for field in section.fields {
            let line = format!("{} = {}", field.key, other(field));
            assert_ne!(hash(&put(&line)), before, "`{line}` changes nothing");
        }
    }
}

#[test]
fn every_feature_and_each_of_its_settings_changes_the_plan() {
    for feature in Feature::ALL {
        let family = match feature {
            Feature::Multimodal => "family = \"llava\"\n",
            Feature::EncoderDecoder => "family = \"bart\"\n",
            _ => "",
        };
        let with = |value: &str| hash(&profile("", family, &format!("{feature} = {value}"), ""));
        assert_ne!(with("true"), with("false"), "`{feature}` changes nothing");
        for field in fields::settings(feature) {
            let setting = format!("{{ {} = {} }}", field.key, other(field));
            assert_ne!(
                with(&setting),
                with("true"),
                "`{setting}` of `{feature}` changes nothing"
            );
        }
    }
}

#[test]
fn an_accepted_pair_is_in_the_plan() {
    let features = "lora = true\nguided-decoding = true\n";
    let accept = |reason: &str| {
        profile("", "", features, "")
            + &format!(
                "[[accept]]\npair = [\"lora\", \"guided-decoding\"]\nreason = \"{reason}\"\n"
            )
    };
    assert_ne!(hash(&accept("ours")), hash(&accept("theirs")));
}
