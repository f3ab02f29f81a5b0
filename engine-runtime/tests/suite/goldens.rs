//! Tiny checkpoints against what transformers computes from them: `tools/make_goldens.py` made both.
//!
//! In f32 only the order of additions is open: logits within 1e-4 at every position, and 64 greedy tokens equal. What
//! rounding to f16 or bf16 does to each golden on each backend was measured and stands in `goldens/rounding.tsv`; twice
//! of that is the bound. `LATHE_BLESS=1` measures anew, and never beyond the bound in the golden file,
//! which is a share of its largest logit (see `ROUNDING` in `tools/tiny_checkpoints.py`).

mod rounding;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use engine_runtime::backend::DeviceOptions;
#[cfg(target_arch = "x86_64")]
use engine_runtime::backend::cpu::{Avx2, Avx512, Avx512Bf16};
use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::backend::reference::Reference;
use engine_runtime::checkpoint::Config;
use engine_runtime::dtype::{BF16, Dense, F16, F32};
use engine_runtime::testing::{Solo, device};
use engine_runtime::{KvMemory, Limits, Recipe};
use safetensors::SafeTensors;

use rounding::Rounding;

const LIMITS: Limits = Limits {
    max_model_len: 256,
    max_seqs: 1,
    max_batched_tokens: 128,
    block_size: 16,
    kv_memory: KvMemory::Needed,
};
const BOUND_F32: f32 = 1e-4;
/// Rows of a step: a whole prompt, and pieces that fit neither blocks nor prompts.
const CHUNKS: [usize; 2] = [128, 7];

struct Golden {
    name: String,
    dir: PathBuf,
    metadata: HashMap<String, String>,
    prompts: Vec<Prompt>,
}

struct Prompt {
    tokens: Vec<u32>,
    /// [len, vocab]
    logits: Vec<f32>,
    greedy: Vec<u32>,
}

impl Golden {
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
        let mut all: Vec<_> = std::fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|dir| dir.join("golden.safetensors").exists())
            .map(Self::read)
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(all.len() >= 18, "golden checkpoints are missing");
        all
    }

    fn read(dir: PathBuf) -> Self {
        let bytes = std::fs::read(dir.join("golden.safetensors")).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let ids = |name: &str| -> Option<Vec<u32>> {
            let tensor = file.tensor(name).ok()?;
            let ids = tensor.data().as_chunks().0.iter();
            Some(
                ids.map(|id| i64::from_le_bytes(*id).try_into().unwrap())
                    .collect(),
            )
        };
        let prompts = (0..).map_while(|index| {
            let logits = file.tensor(&format!("logits.{index}")).ok()?;
            let logits = logits.data().as_chunks().0.iter();
            Some(Prompt {
                tokens: ids(&format!("prompt.{index}")).unwrap(),
                logits: logits.map(|x| f32::from_le_bytes(*x)).collect(),
                greedy: ids(&format!("greedy.{index}")).unwrap(),
            })
        });
        let prompts: Vec<_> = prompts.collect();
        assert!(prompts.iter().any(|prompt| prompt.tokens.len() > 64));
        Self {
            name: dir.file_name().unwrap().to_string_lossy().into_owned(),
            metadata: metadata.metadata().clone().unwrap(),
            prompts,
            dir,
        }
    }

    fn bound(&self, dtype: &str) -> f32 {
        self.metadata[&format!("bound_{dtype}")].parse().unwrap()
    }
}

/// What a backend makes of a golden.
struct Outcome {
    /// The largest difference from the golden logits, over all prompts.
    largest: f32,
    /// Bits of all logits.
    logits: Vec<u32>,
}

/// Runs all prompts; however they are cut, logits are the same bits.
fn outcome<R: Recipe>(golden: &Golden) -> Outcome {
    let mut solo = load::<R>(golden);
    let (mut largest, mut bits) = (0.0f32, Vec::new());
    for prompt in &golden.prompts {
        let [logits, again] = CHUNKS.map(|chunk| solo.logits(&prompt.tokens, chunk).unwrap());
        assert!(
            logits
                .iter()
                .zip(&again)
                .all(|(one, other)| one.to_bits() == other.to_bits()),
            "{}: logits depend on how a prompt is cut",
            golden.name
        );
        assert_eq!(logits.len(), prompt.logits.len());
        for (ours, theirs) in logits.iter().zip(&prompt.logits) {
            // `max` would drop a NaN.
            assert!(ours.is_finite(), "{}: {ours}", golden.name);
            largest = largest.max((ours - theirs).abs());
        }
        bits.extend(logits.iter().map(|logit| logit.to_bits()));
    }
    Outcome {
        largest,
        logits: bits,
    }
}

/// The same, and each prompt is followed by the golden tokens.
fn exact_outcome<R: Recipe>(golden: &Golden) -> Outcome {
    let mut solo = load::<R>(golden);
    for prompt in &golden.prompts {
        assert_eq!(prompt.greedy.len(), 64);
        let greedy = solo.greedy(&prompt.tokens, prompt.greedy.len()).unwrap();
        assert_eq!(
            greedy,
            prompt.greedy,
            "{}, {} tokens",
            golden.name,
            prompt.tokens.len()
        );
    }
    outcome::<R>(golden)
}

fn load<R: Recipe>(golden: &Golden) -> Solo<R> {
    let options = DeviceOptions { threads: Some(2) };
    Solo::load(&golden.dir, &options, &mut |_, _| {})
        .unwrap_or_else(|error| panic!("{}: {error}", golden.name))
}

/// Every golden on one backend: in f32, and in formats that round.
macro_rules! golden_tests {
    ($($backend_name:ident: $backend:ty, rounding $($dtype:literal $format:ty),+;)+) => {$(
        mod $backend_name {
            use super::*;

            /// `None` where this machine cannot.
            pub fn in_f32(golden: &Golden) -> Option<Outcome> {
                device::<$backend>(1)?;
                let architecture = Config::open(&golden.dir).unwrap().architecture;
                let run: Option<fn(&Golden) -> Outcome> = engine_runtime::by_family!(
                    architecture.as_str(), $backend, Dense<F32>, LIMITS, exact_outcome
                );
                Some(run.expect("a family of ours")(golden))
            }

            #[test]
            fn f32_is_within_1e_4_and_greedy_tokens_are_equal() {
                for golden in Golden::all() {
                    let Some(Outcome { largest, .. }) = in_f32(&golden) else {
                        return;
                    };
                    println!("{:14} {:32} f32  {largest:.2e}", stringify!($backend_name), golden.name);
                    assert!(largest < BOUND_F32, "{}: {largest}", golden.name);
                }
            }

            #[test]
            fn rounded_formats_differ_as_was_measured() {
                if device::<$backend>(1).is_none() {
                    return;
                }
                let mut measured = Rounding::default();
                for golden in Golden::all() {
                    let architecture = Config::open(&golden.dir).unwrap().architecture;
                    let name = architecture.as_str();
                    let runs: &[(&str, Option<fn(&Golden) -> Outcome>)] = &[
                        $(($dtype, engine_runtime::by_family!(name, $backend, Dense<$format>, LIMITS, outcome)),)+
                    ];
                    for &(dtype, run) in runs {
                        let (largest, bound) = (run.expect("a family of ours")(&golden).largest, golden.bound(dtype));
                        assert!(largest < bound, "{} in {dtype}: {largest}, bound {bound}", golden.name);
                        measured.note(&golden.name, dtype, stringify!($backend_name), largest);
                    }
                }
                measured.hold();
            }
        }
    )+};
}

// A model is compiled anew for each backend and format. That f16 is read alike everywhere, conformance holds op by op.
golden_tests! {
    reference: Reference, rounding "f16" F16, "bf16" BF16;
    portable: Cpu<Portable>, rounding "bf16" BF16;
}

#[cfg(target_arch = "x86_64")]
golden_tests! {
    avx2: Cpu<Avx2>, rounding "f16" F16, "bf16" BF16;
    avx512: Cpu<Avx512>, rounding "bf16" BF16;
    avx512bf16: Cpu<Avx512Bf16>, rounding "bf16" BF16;
}

/// Whole models: logits have the same bits on every instruction set.
#[test]
#[cfg(target_arch = "x86_64")]
fn every_instruction_set_has_the_same_logits() {
    // One of each family.
    let names = ["llama-2", "qwen2", "qwen3", "qwen3-moe", "gemma3"];
    let mut chosen = Golden::all();
    chosen.retain(|golden| names.contains(&&*golden.name));
    assert_eq!(chosen.len(), names.len());
    for golden in &chosen {
        let expected = portable::in_f32(golden).expect("any machine can");
        for run in [avx2::in_f32, avx512::in_f32, avx512bf16::in_f32] {
            if let Some(outcome) = run(golden) {
                assert!(outcome.logits == expected.logits, "{}", golden.name);
            }
        }
    }
}
