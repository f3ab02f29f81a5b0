//! The proofs of the engine's verdicts: a feature works when every request gives, bit for bit, the tokens, text and
//! logprobs that it gives alone on an engine without the feature, whatever runs beside it, whenever it arrives,
//! however its prompt is cut, whatever the cache holds, however often it is preempted, on any number of threads.
//!
//! Each test is named in the matrix by the cells that it proves, and runs on every CPU backend of this machine.

#[path = "verdicts/traffic.rs"]
mod traffic;

use std::cell::RefCell;

#[cfg(target_arch = "x86_64")]
use engine_runtime::backend::cpu::{Avx2, Avx512, Avx512Bf16};
use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{Backend, DeviceOptions};
use engine_runtime::dtype::{BF16, Dense, F16, F32, WeightFormat};
use engine_runtime::engine::Stats;
use engine_runtime::parts::{Chunked, Hashed, Off, Prefill, Top, Whole};
use engine_runtime::recipe::{KvMemory, Limits, Recipe};
use engine_runtime::request::Request;
use engine_runtime::testing::Solo;
use engine_runtime::testing::serve::{Output, Setup, alone, open, serve};
use engine_runtime::testing::tiny::{KV_ELEMENTS, TinyLlama, VOCAB};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use traffic::{Ask, MAX_OUTPUT, MAX_PROMPT, Traffic, traffic};

const BLOCK: usize = 4;

/// What the recipes are built for; a scenario stays below.
const LIMITS: Limits = Limits {
    max_model_len: 64,
    max_seqs: 6,
    max_batched_tokens: 64,
    block_size: BLOCK,
    kv_memory: KvMemory::Auto,
};

/// The least blocks that hold any request of the traffic.
const LEAST_BLOCKS: usize = (MAX_PROMPT + MAX_OUTPUT as usize).div_ceil(BLOCK);

/// One combination of the three features on one backend.
macro_rules! combination {
    ($name:ident, $backend:ty, $weights:ty, $prefill:ty, $prefix:ty, $logprobs:ty) => {
        engine_runtime::recipe! {
            pub $name {
                backend: $backend,
                weights: $weights,
                model: engine_runtime::models::Llama<Self>,
                prefill: $prefill,
                prefix: $prefix,
                logprobs: $logprobs,
                limits: LIMITS,
            }
        }
    };
}

/// All combinations on each backend, and each test instantiated for each.
macro_rules! backends {
    ($($(#[$only:meta])* $name:ident: $backend:ty, $weights:ty;)+) => {
        $(
            $(#[$only])*
            mod $name {
                use super::*;

                combination!(Plain, $backend, $weights, Whole, Off, Off);
                combination!(Chunks, $backend, $weights, Chunked<64>, Off, Off);
                combination!(Prefixes, $backend, $weights, Whole, Hashed<4>, Off);
                combination!(Logprobs, $backend, $weights, Whole, Off, Top<5>);
                combination!(ChunksPrefixes, $backend, $weights, Chunked<64>, Hashed<4>, Off);
                combination!(ChunksLogprobs, $backend, $weights, Chunked<64>, Off, Top<5>);
                combination!(PrefixesLogprobs, $backend, $weights, Whole, Hashed<4>, Top<5>);
                combination!(All, $backend, $weights, Chunked<64>, Hashed<4>, Top<5>);
            }
        )+

        #[test]
        fn chunked_prefill_on_cpu() {
            $($(#[$only])* holds::<$name::Chunks, $name::Plain>(Ask::TokensOnly, &[Seen::CHUNKS, Seen::PREEMPTIONS]);)+
        }

        #[test]
        fn prefix_caching_on_cpu() {
            $($(#[$only])* holds::<$name::Prefixes, $name::Plain>(Ask::TokensOnly, &[Seen::HITS, Seen::PREEMPTIONS]);)+
        }

        #[test]
        fn logprobs_on_cpu() {
            $($(#[$only])* {
                holds::<$name::Logprobs, $name::Logprobs>(Ask::Logprobs, &[Seen::PREEMPTIONS]);
                logprobs_take_nothing_from_tokens::<$name::Logprobs, $name::Plain>();
                logprobs_are_those_of_the_logits::<$name::Logprobs>();
            })+
        }

        #[test]
        fn prefix_caching_with_chunked_prefill() {
            $($(#[$only])* holds::<$name::ChunksPrefixes, $name::Plain>(Ask::TokensOnly, &[Seen::CHUNKS, Seen::HITS]);)+
        }

        #[test]
        fn logprobs_with_chunked_prefill() {
            $($(#[$only])* holds::<$name::ChunksLogprobs, $name::Logprobs>(Ask::Logprobs, &[Seen::CHUNKS]);)+
        }

        #[test]
        fn logprobs_with_prefix_caching() {
            $($(#[$only])* holds::<$name::PrefixesLogprobs, $name::Logprobs>(Ask::Logprobs, &[Seen::HITS]);)+
        }

        #[test]
        fn all_three_together() {
            $($(#[$only])* {
                let seen = [Seen::CHUNKS, Seen::HITS, Seen::PREEMPTIONS];
                holds::<$name::All, $name::Logprobs>(Ask::Logprobs, &seen);
            })+
        }
    };
}

backends! {
    reference: Reference, Dense<F32>;
    portable: Cpu<Portable>, Dense<F32>;
    #[cfg(target_arch = "x86_64")]
    avx2: Cpu<Avx2>, Dense<F16>;
    #[cfg(target_arch = "x86_64")]
    avx512: Cpu<Avx512>, Dense<F32>;
    #[cfg(target_arch = "x86_64")]
    avx512_bf16: Cpu<Avx512Bf16>, Dense<BF16>;
}

/// Something that must have happened in some scenario, or the test would prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen(&'static str);

impl Seen {
    const CHUNKS: Self = Self("a prompt was cut");
    const HITS: Self = Self("a prefix was found");
    const PREEMPTIONS: Self = Self("a sequence was preempted");
}

/// The circumstances of one run.
#[derive(Debug, Clone)]
struct Circumstances {
    max_seqs: usize,
    /// Tokens of a step beyond one for each sequence, where prompts can be cut.
    room: usize,
    spare_blocks: usize,
    threads: usize,
}

fn circumstances() -> impl Strategy<Value = Circumstances> {
    let spare_blocks = prop_oneof![2 => 0..6_usize, 1 => 6..60_usize];
    (1..=LIMITS.max_seqs, 0..20_usize, spare_blocks, 1..=3_usize).prop_map(
        |(max_seqs, room, spare_blocks, threads)| Circumstances {
            max_seqs,
            room,
            spare_blocks,
            threads,
        },
    )
}

impl Circumstances {
    fn setup<R: Recipe>(&self) -> Setup {
        let element = size_of::<<R::Weights as WeightFormat>::Stored>();
        let blocks = LEAST_BLOCKS + self.spare_blocks;
        let few = self.max_seqs + self.room;
        Setup {
            limits: Limits {
                max_seqs: self.max_seqs,
                // What takes no part of a whole prompt needs a step that holds all of it.
                max_batched_tokens: match takes_parts::<R>() {
                    true => few,
                    false => LIMITS.max_batched_tokens,
                },
                kv_memory: KvMemory::Bytes((blocks * BLOCK * KV_ELEMENTS * element) as u64),
                ..LIMITS
            },
            threads: self.threads,
            eos: EOS.to_vec(),
        }
    }
}

const EOS: [u32; 2] = [3, 77];

fn takes_parts<R: Recipe>() -> bool {
    R::Prefill::take(2, 1) == 1
}

/// An engine with all the room there is.
fn roomy() -> Setup {
    Setup {
        limits: LIMITS,
        threads: 1,
        eos: EOS.to_vec(),
    }
}

/// Whether the machine that this runs on has the instructions of the recipe's backend.
fn runs_here<R: Recipe>() -> bool {
    R::Backend::open(&DeviceOptions { threads: Some(1) }).is_ok()
}

/// The same as alone, on the engine `Base`, for every request of random traffic to the engine `On`.
fn holds<On: Recipe, Base: Recipe>(ask: Ask, expected: &[Seen]) {
    if !runs_here::<On>() {
        return;
    }
    let model = TinyLlama::write(11).expect("the temporary directory can be written");
    let seen = RefCell::new(Vec::new());
    let scenario = |traffic: Traffic, circumstances: Circumstances| {
        let setup = circumstances.setup::<On>();
        let mut engine = open::<On>(model.dir(), &setup);
        let (outputs, stats) = serve(&mut engine, &traffic);
        seen.borrow_mut()
            .extend(what_happened(&traffic, &setup, stats));
        for ((_, request), outputs) in traffic.iter().zip(outputs) {
            let expected = alone::<Base>(model.dir(), &roomy(), request);
            prop_assert_eq!(bits(outputs), bits(expected), "{:?}", request);
        }
        Ok(())
    };
    run(
        &(traffic(ask), circumstances()),
        |(traffic, circumstances)| scenario(traffic, circumstances),
    );
    for expected in expected {
        assert!(
            seen.borrow().contains(expected),
            "in no scenario {}",
            expected.0
        );
    }
}

fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: std::env::var("PROPTEST_CASES")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(16),
        failure_persistence: None,
        ..Config::default()
    };
    if let Err(failure) = TestRunner::new(config).run(strategy, test) {
        panic!("{failure}");
    }
}

fn what_happened(traffic: &Traffic, setup: &Setup, stats: Stats) -> Vec<Seen> {
    let longest = traffic
        .iter()
        .map(|(_, request)| request.prompt.len())
        .max();
    let cut = longest > Some(setup.limits.max_batched_tokens);
    let events = [
        (cut, Seen::CHUNKS),
        (stats.cached_tokens > 0, Seen::HITS),
        (stats.preemptions > 0, Seen::PREEMPTIONS),
    ];
    events
        .into_iter()
        .filter_map(|(happened, seen)| happened.then_some(seen))
        .collect()
}

/// Everything of an output that must be equal, with numbers as bits.
fn bits(outputs: Vec<Output>) -> Vec<impl PartialEq + std::fmt::Debug> {
    let of_output = |output: Output| {
        let logprobs = output.logprobs.into_iter().map(|logprobs| {
            logprobs.map(|logprobs| {
                let top = logprobs.top.into_iter();
                let top: Vec<_> = top
                    .map(|(token, logprob)| (token, logprob.to_bits()))
                    .collect();
                (logprobs.logprob.to_bits(), logprobs.rank, top)
            })
        });
        let logprobs: Vec<_> = logprobs.collect();
        let cumulative = output.cumulative_logprob.map(f64::to_bits);
        (
            output.tokens,
            output.text,
            output.reason,
            logprobs,
            cumulative,
        )
    };
    outputs.into_iter().map(of_output).collect()
}

/// A request chooses the same tokens whether it asks for logprobs or not.
fn logprobs_take_nothing_from_tokens<On: Recipe, Without: Recipe>() {
    if !runs_here::<On>() {
        return;
    }
    let model = TinyLlama::write(12).expect("the temporary directory can be written");
    run(&traffic(Ask::Logprobs), |traffic| {
        for (_, mut request) in traffic {
            let on = alone::<On>(model.dir(), &roomy(), &request);
            request.sampling.logprobs = None;
            request.sampling.processed_logprobs = false;
            let off = alone::<Without>(model.dir(), &roomy(), &request);
            let tokens = |outputs: &[Output]| -> Vec<_> {
                let parts = outputs
                    .iter()
                    .map(|o| (o.tokens.clone(), o.text.clone(), o.reason.clone()));
                parts.collect()
            };
            prop_assert_eq!(tokens(&on), tokens(&off));
        }
        Ok(())
    });
}

/// Raw logprobs are the log-softmax of the model's logits, with the right ranks and candidates.
fn logprobs_are_those_of_the_logits<R: Recipe>() {
    if !runs_here::<R>() {
        return;
    }
    let model = TinyLlama::write(13).expect("the temporary directory can be written");
    run(&traffic(Ask::Logprobs), |traffic| {
        for (_, mut request) in traffic.into_iter().take(2) {
            request.sampling.processed_logprobs = false;
            request.sampling.logprobs = Some(5);
            for output in alone::<R>(model.dir(), &roomy(), &request) {
                let expected = log_softmax_after::<R>(&model, &request, &output.tokens);
                let mut sum = 0.0;
                for ((&token, logprobs), expected) in
                    output.tokens.iter().zip(&output.logprobs).zip(expected)
                {
                    let found = logprobs.as_ref().expect("the request asks for logprobs");
                    let of = |token: u32| expected[token as usize];
                    prop_assert!((f64::from(found.logprob) - of(token)).abs() < 1e-4);
                    sum += f64::from(found.logprob);
                    let larger = |other: &&f64| **other > of(token);
                    prop_assert_eq!(
                        found.rank as usize,
                        1 + expected.iter().filter(larger).count()
                    );
                    let mut order: Vec<u32> = (0..VOCAB as u32).collect();
                    order.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
                    for (&(token, logprob), &expected) in found.top.iter().zip(&order) {
                        prop_assert_eq!(token, expected);
                        prop_assert!((f64::from(logprob) - of(token)).abs() < 1e-4);
                    }
                    prop_assert_eq!(found.top.len(), 5);
                }
                prop_assert_eq!(output.cumulative_logprob, Some(sum));
            }
        }
        Ok(())
    });
}

/// The log-softmax of the logits before each token of `output`, in f64, by a model run without an engine.
fn log_softmax_after<R: Recipe>(
    model: &TinyLlama,
    request: &Request,
    output: &[u32],
) -> Vec<Vec<f64>> {
    let options = DeviceOptions { threads: Some(1) };
    let mut solo = Solo::<R>::load(model.dir(), &options, &mut |_, _| ()).expect("it fits");
    let tokens = [&request.prompt, output].concat();
    let logits = solo
        .logits(&tokens, tokens.len())
        .expect("the device works");
    let rows = logits.chunks_exact(VOCAB).skip(request.prompt.len() - 1);
    let rows = rows.take(output.len()).map(|row| {
        let row: Vec<f64> = row.iter().map(|&logit| f64::from(logit)).collect();
        let largest = row.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = row.iter().map(|logit| (logit - largest).exp()).sum();
        row.iter()
            .map(|logit| logit - largest - total.ln())
            .collect()
    });
    rows.collect()
}
