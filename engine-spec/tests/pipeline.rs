//! The whole way from a profile's text: every cell of the table reaches the user as its code, and no text breaks the checker.

use std::collections::BTreeSet;
use std::process::Command;

use engine_model::ModelFamily;
use engine_spec::matrix::{CellId, Verdict};
use engine_spec::{
    Arch, Code, Color, Family, Feature, FeatureSet, Format, MATRIX, Machine, Profile,
};

const MACHINE: Machine = Machine::imagined(Arch::X86V3);

fn text(set: FeatureSet, family: Family) -> String {
    let target = if family == Family::Amd {
        "mi210"
    } else {
        family.name()
    };
    let heads = match family {
        Family::Cpu => "",
        _ => "head-dims = [128]\n",
    };
    let on: String = set
        .iter()
        .map(|feature| format!("{feature} = true\n"))
        .collect();
    format!(
        "name = \"x\"\ntarget = \"{target}\"\n[model]\nfamily = \"llama\"\ndtype = \"f16\"\n{heads}[features]\n{on}"
    )
}

/// The codes of vLLM's findings, sorted.
fn codes(set: FeatureSet, family: Family) -> Vec<u16> {
    let found = engine_spec::check("x.toml", &text(set, family), &MACHINE).found();
    let mut codes: Vec<_> = found
        .iter()
        .map(|one| one.code.0)
        .filter(|code| (101..=103).contains(code))
        .collect();
    codes.sort();
    codes
}

/// What the table says about a set, worked out by hand.
fn expected(set: FeatureSet, family: Family) -> Vec<u16> {
    let code = |id: CellId| match (MATRIX.cell(id).vllm, id) {
        (Verdict::Yes, _) => None,
        (Verdict::No, CellId::Pair(..)) => Some(101),
        (Verdict::No, CellId::Hardware(..)) => Some(102),
        (Verdict::Unknown, _) => Some(103),
    };
    let mut ids: Vec<_> = set.pairs().map(|(a, b)| CellId::Pair(a, b)).collect();
    ids.extend(set.iter().map(|feature| CellId::Hardware(feature, family)));
    let mut codes: Vec<_> = ids.into_iter().filter_map(code).collect();
    codes.sort();
    codes
}

#[test]
fn every_cell_reaches_the_user_as_its_code() {
    for family in Family::ALL {
        for set in FeatureSet::every().filter(|set| set.len() <= 2) {
            assert_eq!(
                codes(set, family),
                expected(set, family),
                "{set:?} on {family}"
            );
        }
    }
}

#[test]
fn larger_sets_report_every_cell_once() {
    for (at, set) in FeatureSet::every().step_by(1021).enumerate() {
        let family = Family::ALL[at % Family::COUNT];
        assert_eq!(
            codes(set, family),
            expected(set, family),
            "{set:?} on {family}"
        );
    }
    assert_eq!(
        codes(FeatureSet::FULL, Family::Volta),
        expected(FeatureSet::FULL, Family::Volta)
    );
}

/// A backend that is not built is one finding, however many features there are.
#[test]
fn a_missing_backend_is_said_once() {
    let set = [Feature::Logprobs, Feature::CudaGraph, Feature::BestOf]
        .into_iter()
        .collect();
    let (_, found) = engine_spec::check("x.toml", &text(set, Family::Hopper), &MACHINE)
        .preview()
        .expect("the plan can be seen");
    assert_eq!(
        found.iter().map(|one| one.code).collect::<Vec<_>>(),
        [Code(106)]
    );
}

/// The heads that are proposed to a GPU profile without any are ones that it can be built for. What is written and wrong
/// is not missing, and a CPU needs none.
#[test]
fn a_gpu_profile_says_which_heads_its_model_has() {
    let about_heads = |target: &str, model: &str| {
        let text = format!("name = \"x\"\ntarget = \"{target}\"\n[model]\n{model}\n");
        let found = engine_spec::check("x.toml", &text, &MACHINE).found();
        let heads = [Code(303), Code(306), Code(307)];
        let mut found: Vec<_> = found.iter().cloned().collect();
        found.retain(|one| heads.contains(&one.code));
        found
    };
    for family in ModelFamily::ALL {
        let bare = format!("family = \"{family}\"");
        for target in ["sm_70", "mi300x"] {
            let found = about_heads(target, &bare);
            assert_eq!(found.len(), 1, "{family} on {target}: {found:?}");
            assert_eq!(found[0].code, Code(307));
            let proposed = found[0].helps[0].strip_prefix("set ").unwrap();
            let (proposed, _) = proposed.split_once(']').unwrap();
            let follows = format!("{bare}\n{proposed}]");
            assert!(about_heads(target, &follows).is_empty(), "{follows}");
        }
        assert!(about_heads("x86-64-v3", &bare).is_empty(), "{family}");
    }
    for wrong in [
        "shape = \"none.json\"",
        "shape = 3",
        "head-dims = []",
        "head-dims = 64",
    ] {
        let model = format!("family = \"llama\"\n{wrong}");
        assert!(about_heads("l4", &model).is_empty(), "{wrong}");
    }
}

/// Numbers from a multiplicative generator: the same on every run and machine.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    }
}

/// Bytes are taken out, doubled and exchanged; whatever comes of it is read and shown without a panic.
#[test]
fn no_text_breaks_reader_rules_or_renderer() {
    let mut number = numbers(7);
    for folder in [
        "../profiles",
        "../tests/profiles/good",
        "../tests/profiles/bad",
    ] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(original) = std::fs::read_to_string(&path) else {
                continue;
            };
            for _ in 0..6 {
                let mut letters: Vec<char> = original.chars().collect();
                for _ in 0..=number(4) {
                    let (from, to) = (number(letters.len()), number(letters.len()));
                    match number(4) {
                        0 => drop(letters.remove(from)),
                        1 => letters.insert(to, letters[from]),
                        2 => letters.swap(from, to),
                        _ => {
                            letters[from] =
                                ['é', '"', '[', '=', '\n', '9', '\u{0}', '雪'][number(8)]
                        }
                    }
                }
                let text: String = letters.into_iter().collect();
                let label = path.display().to_string();
                let found = engine_spec::check(&label, &text, &MACHINE).found();
                for format in [
                    Format::Human(Color::Always),
                    Format::Human(Color::Never),
                    Format::Short,
                    Format::Json,
                ] {
                    assert_eq!(
                        found
                            .render(format)
                            .trim_matches(['[', ']', '\n'])
                            .is_empty(),
                        found.is_empty()
                    );
                }
            }
        }
    }
}

#[test]
fn the_other_formats_say_the_same() {
    let found = engine_spec::check(
        "x.toml",
        &text([Feature::Lora].into_iter().collect(), Family::Cpu),
        &MACHINE,
    )
    .found();
    assert_eq!(
        found.render(Format::Short),
        "x.toml:7:1: error[E0102]: `lora` does not work on `cpu`\n"
    );
    let json: serde_json::Value = serde_json::from_str(&found.render(Format::Json)).unwrap();
    let one = &json[0];
    assert_eq!(
        (&one["code"], &one["path"], &one["kind"]),
        (&"E0102".into(), &"x.toml".into(), &"wrong".into())
    );
    assert_eq!(
        (
            &one["labels"][0]["line"],
            &one["labels"][0]["column"],
            &one["labels"][0]["end_column"]
        ),
        (&7.into(), &1.into(), &5.into())
    );
    assert!(
        one["rendered"]
            .as_str()
            .unwrap()
            .starts_with("error[E0102]")
    );
}

/// What rustc switches on, by its own account.
fn switched_on(flags: &[String]) -> BTreeSet<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "cfg", "--target", "x86_64-unknown-linux-gnu"])
        .args(flags)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let feature = |line: &str| {
        line.strip_prefix("target_feature=")
            .map(|name| name.trim_matches('"').to_owned())
    };
    text.lines().filter_map(feature).collect()
}

/// An engine that starts looks for all that it was compiled with.
#[test]
fn rustc_switches_on_what_the_list_says_and_nothing_more() {
    let everywhere = switched_on(&[]);
    assert!(everywhere.contains("sse2"), "rustc answers");
    for arch in [Arch::X86V3, Arch::X86V4, Arch::X86V4Bf16] {
        let text = format!("name = \"x\"\ntarget = \"{arch}\"\nmodel.family = \"llama\"\n");
        let profile = Profile::parse("x.toml", &text).unwrap();
        let plan = engine_spec::plan(&profile, &Machine::imagined(arch))
            .plan()
            .unwrap();
        let more: BTreeSet<String> = switched_on(&plan.rustc().flags())
            .difference(&everywhere)
            .cloned()
            .collect();
        // It switches this one on as well, and does not print what has no stable name.
        let printed = arch
            .instructions()
            .map(|one| one.name)
            .filter(|name| *name != "lahfsahf");
        let listed: BTreeSet<String> = printed.map(str::to_owned).collect();
        assert_eq!(more, listed, "{arch}");
    }
}

/// Numbers and words of a shape are exchanged for others; whatever comes of it is counted with, or refused, without a
/// panic.
#[test]
fn no_shape_breaks_reader_rules_or_budget() {
    const WORDS: &[&str] = &[
        "0",
        "1",
        "-1",
        "7",
        "256",
        "4096",
        "100000",
        "1048576",
        "16777216",
        "4294967296",
        "18446744073709551615",
        "1e300",
        "0.5",
        "null",
        "true",
        "\"x\"",
        "[]",
        "{}",
        "[\"LlamaForCausalLM\"]",
    ];
    let mut number = numbers(11);
    let folder = std::env::temp_dir().join(format!("lathe-shapes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("shape.json");
    let mut planned = 0;
    for entry in std::fs::read_dir("../tests/profiles/shapes").unwrap() {
        let original = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let original: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&original).unwrap();
        for _ in 0..40 {
            let mut shape = original.clone();
            for _ in 0..=number(3) {
                let key = shape.keys().nth(number(shape.len())).unwrap().clone();
                let word = WORDS[number(WORDS.len())];
                shape.insert(key, serde_json::from_str(word).unwrap());
            }
            std::fs::write(&file, serde_json::to_string(&shape).unwrap()).unwrap();
            for target in ["l4", "native", "mi300x"] {
                let text = format!(
                    "name = \"x\"\ntarget = \"{target}\"\n[model]\nfamily = \"llama\"\nshape = \"{}\"\n",
                    file.display()
                );
                if let Ok((plan, _)) = engine_spec::check("x.toml", &text, &MACHINE).preview() {
                    assert!(plan.budget().is_some() && !plan.kernels().is_empty());
                    planned += 1;
                }
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(planned > 0, "some shapes are still sound");
}
