//! A feature that is off is not in the binary: two real engines, one with the features and one without, are searched
//! for the symbols and strings of each feature's code. What must be absent in one must be present in the other, or the
//! search would prove nothing.
//!
//! And a kernel has its instructions: none of them is a function that is called.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use object::{Object, ObjectSection, ObjectSymbol, SectionKind};
use serde_json::Value;

const PROFILE: &str = r#"
target = "portable"
matrix = "engine"

[model]
family = "llama"
dtype  = "f32"

[limits]
max-model-len = 256
max-seqs      = 4
"#;

const FEATURES: &str = r#"
[features]
chunked-prefill = { tokens = 64 }
prefix-caching  = true
logprobs        = { max = 5 }
"#;

/// What only the code of a feature brings along.
struct Mark {
    feature: &'static str,
    /// Parts of demangled symbols.
    symbols: &'static [&'static str],
    /// The file names that panics of its code would print.
    strings: &'static [&'static str],
}

const MARKS: &[Mark] = &[
    Mark {
        feature: "chunked-prefill",
        symbols: &["chunked_prefill::take"],
        strings: &[],
    },
    Mark {
        feature: "prefix-caching",
        symbols: &["kv::prefix_cache::"],
        strings: &["kv/prefix_cache.rs"],
    },
    Mark {
        feature: "logprobs",
        symbols: &[
            "parts::logprobs::Top",
            // The kernel.
            "backend::cpu::Cpu<I>>::logprobs",
        ],
        strings: &["parts/logprobs.rs"],
    },
];

/// An engine's symbols, demangled, and its constant data.
struct Binary {
    symbols: BTreeSet<String>,
    constants: Vec<u8>,
}

impl Binary {
    /// Builds an engine beside the one under test: cargo compiles where it has compiled, and puts the engine elsewhere.
    fn build(name: &str, features: &str) -> Self {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("absence");
        fs::create_dir_all(&scratch).expect("the scratch folder can be written");
        let profile = scratch.join(format!("{name}.toml"));
        fs::write(&profile, format!("name = \"{name}\"{PROFILE}{features}"))
            .expect("the scratch folder can be written");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        let output = Command::new(env!("CARGO"))
            // All packages, so that dependencies have the features that they are compiled with already.
            .args(["build", "--quiet", "--workspace", "--bin", "engine"])
            .arg("--target-dir")
            .arg(&scratch)
            .env(
                "CARGO_BUILD_BUILD_DIR",
                target.expect("cargo's folder for tests is in its target folder"),
            )
            .env("LATHE_PROFILE", &profile)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let engine = scratch.join(format!("debug/engine{}", std::env::consts::EXE_SUFFIX));
        Self::parse(&fs::read(engine).expect("cargo built an engine"))
    }

    /// The engine under test where it has every feature, as that of the default profile; else one is built.
    fn with_all_features() -> Self {
        let engine = env!("CARGO_BIN_EXE_engine");
        let info = Command::new(engine)
            .args(["info", "--format", "json"])
            .output()
            .expect("the engine starts");
        let manifest: Value = serde_json::from_slice(&info.stdout).expect("a manifest");
        let on = manifest["features"].as_array().expect("a list of features");
        if MARKS
            .iter()
            .all(|mark| on.iter().any(|name| name == mark.feature))
        {
            return Self::parse(&fs::read(engine).expect("an engine"));
        }
        Self::build("with", FEATURES)
    }

    fn parse(file: &[u8]) -> Self {
        let file = object::File::parse(file).expect("an engine is an object file");
        let symbols: BTreeSet<String> = file
            .symbols()
            .filter_map(|symbol| symbol.name().ok())
            .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
            .collect();
        assert!(symbols.len() > 1000, "the engine has its symbols");
        let constants = file
            .sections()
            .filter(|section| {
                matches!(
                    section.kind(),
                    SectionKind::ReadOnlyData | SectionKind::ReadOnlyString | SectionKind::Data
                )
            })
            .filter_map(|section| section.data().ok())
            .flatten()
            .copied()
            .collect();
        Self { symbols, constants }
    }

    fn symbols_with(&self, mark: &str) -> Vec<&str> {
        self.symbols
            .iter()
            .map(String::as_str)
            .filter(|symbol| symbol.contains(mark))
            .collect()
    }

    fn has_string(&self, string: &str) -> bool {
        self.constants
            .windows(string.len())
            .any(|window| window == string.as_bytes())
    }
}

#[test]
fn a_feature_that_is_off_leaves_nothing_in_the_binary() {
    let with = Binary::with_all_features();
    let without = Binary::build("without", "");
    for mark in MARKS {
        for symbol in mark.symbols {
            assert!(
                !with.symbols_with(symbol).is_empty(),
                "{}: the search finds `{symbol}` where it must be",
                mark.feature
            );
            assert_eq!(
                without.symbols_with(symbol),
                [""; 0],
                "{}: `{symbol}` is in an engine without it",
                mark.feature
            );
        }
        for string in mark.strings {
            assert!(with.has_string(string), "{}: {string}", mark.feature);
            assert!(!without.has_string(string), "{}: {string}", mark.feature);
        }
    }
}

/// Vector operations in a closure, or in a function that is not inlined, are compiled without the instructions that the
/// kernel around them was given: then each one is a call to the standard library's function for it, and passes its
/// vectors through memory. `LATHE_ENGINE` names a release engine to look at in place of the one of these tests.
#[test]
fn no_vector_instruction_is_a_call() {
    let release = std::env::var("LATHE_ENGINE").ok();
    let engine = release.as_deref().unwrap_or(env!("CARGO_BIN_EXE_engine"));
    let engine = Binary::parse(&fs::read(engine).expect("an engine"));
    if engine.symbols_with("backend::cpu::isa::avx").is_empty() {
        testbed::skipped("avx2", "the engine of this profile is for any processor");
        return;
    }
    // Dependencies of a development build are not optimised, and call what searches bytes; ours are floats.
    let ours = |symbol: &&str| {
        let own = symbol.contains("_ps") || symbol.contains("_mm512");
        release.is_some() || own
    };
    let calls: Vec<&str> = ["avx", "fma", "f16c"]
        .iter()
        .flat_map(|set| engine.symbols_with(&format!("core_arch::x86::{set}")))
        .filter(ours)
        .collect();
    assert_eq!(calls, [""; 0]);
}
