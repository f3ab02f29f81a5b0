//! No key is ignored: each one, given a value that is not its default, changes what `engine!` expands to.
//!
//! The expansion is compared and not the plan, or an answer that is lost on the way to the recipe would not be missed.

use engine_spec::profile::fields::{self, Field, Kind, Otherwise, Section};
use engine_spec::{Arch, Feature, Machine, Preview, codegen};
use proc_macro2::{Ident, Span};

const MACHINE: Machine = Machine::imagined(Arch::X86V3);

/// Keys that change what is demanded of a profile or who compiles its kernels, and no line of the engine: they are in
/// the plan's hash.
const NOT_IN_THE_RECIPE: [&str; 2] = ["matrix", "toolkit"];

/// A profile by what stands in its sections. `name`, `target`, `family` and the sizes of heads are there if
/// they are not written.
#[derive(Clone, Copy, Default)]
struct Written<'a> {
    top: &'a str,
    model: &'a str,
    features: &'a str,
    limits: &'a str,
    accept: &'a str,
}

impl Written<'_> {
    fn preview(&self) -> Preview {
        let or = |written: &str, key: &str, line: &str| match written.contains(key) {
            true => String::new(),
            false => format!("{line}\n"),
        };
        let text = format!(
            "{}{}{}\n[model]\n{}{}{}\n[features]\n{}\n[limits]\n{}\n{}",
            or(self.top, "name =", "name = \"probe\""),
            or(self.top, "target =", "target = \"a100-sxm4-80gb\""),
            self.top,
            or(self.model, "family =", "family = \"llama\""),
            match self.model.contains("shape =") {
                true => String::new(),
                false => or(self.model, "head-dims =", "head-dims = [64, 128]"),
            },
            self.model,
            self.features,
            self.limits,
            self.accept,
        );
        let checked = engine_spec::check("../tests/profiles/good/probe.toml", &text, &MACHINE);
        let preview = checked.preview();
        preview.unwrap_or_else(|found| panic!("{text}\n{found}")).0
    }

    fn expansion(&self) -> String {
        let build = Ident::new("Build", Span::call_site());
        codegen::bare_recipe(&self.preview(), &build).to_string()
    }

    fn hash(&self) -> String {
        self.preview().hash()
    }
}

/// Puts one line in a section.
type Put = for<'a> fn(&'a str) -> Written<'a>;

const SECTIONS: [(&Section, Put); 3] = [
    (&fields::TOP, |top| Written {
        top,
        ..Written::default()
    }),
    (&fields::MODEL, |model| Written {
        model,
        ..Written::default()
    }),
    (&fields::LIMITS, |limits| Written {
        limits,
        ..Written::default()
    }),
];

/// A value for a key that is not what holds without it, and that no rule forbids.
fn other(field: &Field) -> &'static str {
    match field.key {
        "name" => "\"other\"",
        "target" => "\"h100-sxm5-80gb\"",
        "matrix" => "\"engine\"",
        "toolkit" => "\"cuda-13\"",
        "family" => "\"qwen2\"",
        "dtype" => "\"f32\"",
        "weights" => "\"gptq\"",
        "shape" => "\"../shapes/llama-3.1-8b.json\"",
        "head-dims" => "[96]",
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
            Kind::Text
            | Kind::Target
            | Kind::Path
            | Kind::Choice(_)
            | Kind::Size
            | Kind::Pair
            | Kind::Numbers(..) => {
                panic!("name a value for {}", field.key)
            }
        },
    }
}

#[test]
fn every_key_changes_the_recipe() {
    let before = Written::default();
    for (section, put) in SECTIONS {
        for field in section.fields {
            let line = format!("{} = {}", field.key, other(field));
            let after = put(&line);
            match NOT_IN_THE_RECIPE.contains(&field.key) {
                true => assert_ne!(after.hash(), before.hash(), "`{line}` changes nothing"),
                false => assert_ne!(
                    after.expansion(),
                    before.expansion(),
                    "`{line}` changes nothing of the recipe"
                ),
            }
        }
    }
}

/// A feature's line in a profile of a model that can have it.
fn with(feature: Feature, line: &str) -> Written<'_> {
    Written {
        model: match feature {
            Feature::Multimodal => "family = \"llava\"",
            Feature::EncoderDecoder => "family = \"bart\"",
            _ => "",
        },
        features: line,
        ..Written::default()
    }
}

#[test]
fn every_feature_and_each_of_its_settings_changes_the_recipe() {
    for feature in Feature::ALL {
        let on = format!("{feature} = true");
        let off = format!("{feature} = false");
        if feature != Feature::EncoderDecoder {
            assert_ne!(
                with(feature, &on).expansion(),
                with(feature, &off).expansion(),
                "`{feature}` changes nothing"
            );
        }
        for field in feature.fields() {
            let set = format!("{feature} = {{ {} = {} }}", field.key, other(field));
            assert_ne!(
                with(feature, &set).expansion(),
                with(feature, &on).expansion(),
                "`{set}` changes nothing of the recipe"
            );
        }
    }
}

/// A default is shown in the reference and holds in the plan: both are the same.
#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let mut seen = 0;
    for (section, put) in SECTIONS {
        for field in section.fields {
            if let Otherwise::Is(value) = field.otherwise {
                let line = format!("{} = {value}", field.key);
                assert_eq!(put(&line).hash(), Written::default().hash(), "{line}");
                seen += 1;
            }
        }
    }
    for feature in Feature::ALL {
        let on = format!("{feature} = true");
        for field in feature.fields() {
            if let Otherwise::Is(value) = field.otherwise {
                let line = format!("{feature} = {{ {} = {value} }}", field.key);
                let (written, default) = (with(feature, &line), with(feature, &on));
                assert_eq!(written.hash(), default.hash(), "{line}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 12, "defaults are found");
}

#[test]
fn an_accepted_pair_is_in_the_plan_once_and_in_one_order() {
    let accept = |accept: &str| {
        let written = Written {
            features: "lora = true\nguided-decoding = true\n",
            accept,
            ..Written::default()
        };
        written.preview()
    };
    let ours = "[[accept]]\npair = [\"lora\", \"guided-decoding\"]\nreason = \"ours\"\n";
    let turned = "[[accept]]\npair = [\"guided-decoding\", \"lora\"]\nreason = \"ours\"\n";
    assert_eq!(accept(ours).accepted.len(), 1);
    assert_eq!(accept(ours).accepted, accept(turned).accepted);
    assert_eq!(accept(ours).hash(), accept(turned).hash());
}
