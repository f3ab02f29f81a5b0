//! The proofs of the engine's verdicts: a feature works when every request gives, bit for bit, the tokens, text and
//! logprobs that it gives alone on an engine without the feature, whatever runs beside it, whenever it arrives,
//! however its prompt is cut, whatever the cache holds, however often it is preempted, on any number of threads.
//!
//! Each test declares with `proves!` which cells it proves, and runs on every CPU backend; one whose instructions
//! this machine lacks is reported as skipped. What a proof must have seen happens by construction, and random traffic
//! comes on top.

use std::any::TypeId;

use engine_runtime::backend::DeviceOptions;
#[cfg(target_arch = "x86_64")]
use engine_runtime::backend::cpu::{Avx2, Avx512, Avx512Bf16};
use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::backend::reference::Reference;
use engine_runtime::dtype::{BF16, CacheFormat, Dense, F16};
use engine_runtime::engine::Stats;
use engine_runtime::parts::{Chunked, Hashed, Off, Prefill, Top, Whole};
use engine_runtime::proves;
use engine_runtime::recipe::{KvMemory, Limits, Recipe};
use engine_runtime::request::{Request, SamplingParams};
use engine_runtime::testing::proof::Proves;
use engine_runtime::testing::serve::{Output, Setup, alone, open, serve};
use engine_runtime::testing::tiny::{KV_ELEMENTS, TinyLlama, VOCAB};
use engine_runtime::testing::{Solo, device};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::recipes::{BLOCK, LIMITS, combination};
use crate::traffic::{Ask, MAX_LOGPROBS, MAX_OUTPUT, MAX_PROMPT, Traffic, random_traffic};

/// The least blocks that hold any request of the traffic.
const LEAST_BLOCKS: usize = (MAX_PROMPT + MAX_OUTPUT as usize).div_ceil(BLOCK);

/// Engines are what this file costs: each is compiled for its backend. So a pair has engines of its own on the reference
/// backend alone, and elsewhere the one with everything on runs it.
macro_rules! engines {
    // Those of the reference backend, which other files run as well.
    (apart, $backend:ty, $weights:ty) => {
        use crate::recipes::{
            All, Chunks, ChunksLogprobs, ChunksPrefixes, Logprobs, Plain, Prefixes,
            PrefixesLogprobs,
        };
    };
    (together, $backend:ty, $weights:ty) => {
        combination!(Plain, $backend, $weights, Whole, Off, Off);
        combination!(Chunks, $backend, $weights, Chunked, Off, Off);
        combination!(Prefixes, $backend, $weights, Whole, Hashed, Off);
        combination!(Logprobs, $backend, $weights, Whole, Off, Top);
        combination!(All, $backend, $weights, Chunked, Hashed, Top);
        type ChunksPrefixes = All;
        type ChunksLogprobs = All;
        type PrefixesLogprobs = All;
    };
}

/// The engines of each backend, and all tests of each. Between them the backends compute in every format that weights
/// may have.
macro_rules! backends {
    ($($(#[$only:meta])* $name:ident: $backend:ty, $weights:ty, pairs $pairs:ident;)+) => {$(
        $(#[$only])*
        mod $name {
            use super::*;

            engines!($pairs, $backend, $weights);

            #[test]
            fn chunked_prefill_on_cpu() {
                let proof = proves!(Chunks: chunked-prefill on cpu: here);
                holds::<_, Plain>(proof, Ask::TokensOnly);
            }

            #[test]
            fn prefix_caching_on_cpu() {
                let proof = proves!(Prefixes: prefix-caching on cpu: here);
                holds::<_, Plain>(proof, Ask::TokensOnly);
            }

            #[test]
            fn logprobs_on_cpu() {
                let proof = proves!(Logprobs: logprobs on cpu: here);
                holds::<_, Logprobs>(proof, Ask::Logprobs);
                if device::<$backend>(1).is_none() {
                    return;
                }
                logprobs_take_nothing_from_tokens::<Logprobs, Plain>();
                logprobs_are_those_of_the_logits::<Logprobs>();
            }

            #[test]
            fn prefix_caching_with_chunked_prefill() {
                let proof = proves!(ChunksPrefixes: prefix-caching + chunked-prefill on cpu: here);
                holds::<_, Plain>(proof, Ask::TokensOnly);
            }

            #[test]
            fn logprobs_with_chunked_prefill() {
                let proof = proves!(ChunksLogprobs: logprobs + chunked-prefill on cpu: here);
                holds::<_, Logprobs>(proof, Ask::Logprobs);
            }

            #[test]
            fn logprobs_with_prefix_caching() {
                let proof = proves!(PrefixesLogprobs: logprobs + prefix-caching on cpu: here);
                holds::<_, Logprobs>(proof, Ask::Logprobs);
            }

            #[test]
            fn all_three_together() {
                let proof = proves!(All: chunked-prefill + prefix-caching + logprobs on cpu: here);
                holds::<_, Logprobs>(proof, Ask::Logprobs);
            }
        }
    )+};
}

backends! {
    reference: Reference, Dense<f32>, pairs apart;
    portable: Cpu<Portable>, Dense<F16>, pairs together;
    #[cfg(target_arch = "x86_64")]
    avx2: Cpu<Avx2>, Dense<BF16>, pairs together;
    #[cfg(target_arch = "x86_64")]
    avx512: Cpu<Avx512>, Dense<BF16>, pairs together;
    #[cfg(target_arch = "x86_64")]
    avx512bf16: Cpu<Avx512Bf16>, Dense<BF16>, pairs together;
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

fn random_circumstances() -> impl Strategy<Value = Circumstances> {
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
        let element = R::Cache::bytes(1);
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

/// The same as alone, on the engine `Base`, for every request to the engine `On`: first in the scenario in which
/// everything happens that the engine can do, then in random ones.
fn holds<On: Recipe, Base: Recipe>(_: Proves<On>, ask: Ask) {
    if device::<On::Backend>(1).is_none() {
        return;
    }
    let model = TinyLlama::write(11).expect("the temporary directory can be written");
    let scenario = |traffic: &Traffic, circumstances: &Circumstances| {
        let setup = circumstances.setup::<On>();
        let mut engine = open::<On>(model.dir(), &setup);
        let (outputs, stats) = serve(&mut engine, traffic);
        for ((_, request), outputs) in traffic.iter().zip(outputs) {
            let expected = alone::<Base>(model.dir(), &roomy(), request);
            prop_assert_eq!(bits(outputs), bits(expected), "{:?}", request);
        }
        Ok(what_happened(traffic, &setup, stats))
    };
    let (traffic, circumstances) = eventful(ask);
    let happened = scenario(&traffic, &circumstances).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(happened, possible::<On>(), "what happens by construction");
    run(
        &(random_traffic(ask), random_circumstances()),
        |(traffic, circumstances)| scenario(&traffic, &circumstances).map(drop),
    );
}

fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    if let Err(failure) = TestRunner::new(testbed::properties(16)).run(strategy, test) {
        panic!("{failure}");
    }
}

/// Something that must happen to requests, or a proof would prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// A prompt was cut.
    Cut,
    /// A prefix was found in the cache.
    Hit,
    /// A sequence was preempted.
    Preemption,
}

/// What the parts of a recipe can make happen, in the order of [`Event`].
fn possible<R: Recipe>() -> Vec<Event> {
    let finds_prefixes = TypeId::of::<R::Prefix>() != TypeId::of::<Off>();
    let events = [
        (takes_parts::<R>(), Event::Cut),
        (finds_prefixes, Event::Hit),
        (true, Event::Preemption),
    ];
    chosen(events)
}

fn chosen(events: [(bool, Event); 3]) -> Vec<Event> {
    let chosen = events.into_iter().filter(|(happened, _)| *happened);
    chosen.map(|(_, event)| event).collect()
}

/// In the order of [`Event`].
fn what_happened(traffic: &Traffic, setup: &Setup, stats: Stats) -> Vec<Event> {
    let longest = traffic
        .iter()
        .map(|(_, request)| request.prompt.len())
        .max();
    let cut = longest > Some(setup.limits.max_batched_tokens);
    let events = [
        (cut, Event::Cut),
        (stats.cached_tokens > 0, Event::Hit),
        (stats.preemptions > 0, Event::Preemption),
    ];
    chosen(events)
}

/// The scenario in which everything happens that the recipe can do. A first request leaves its prefix in the cache. A
/// second one brings the same prefix and more tokens than fit a step, and together with a third one it needs more
/// blocks than there are, so that the younger is preempted.
fn eventful(ask: Ask) -> (Traffic, Circumstances) {
    let document: Vec<u32> = (40..64).collect();
    let tail = |first: u32| (first..first + 4).collect::<Vec<u32>>();
    let request = |prompt, seed| Request {
        prompt,
        sampling: SamplingParams {
            seed: Some(seed),
            max_tokens: Some(MAX_OUTPUT),
            ignore_eos: true,
            logprobs: (ask == Ask::Logprobs).then_some(MAX_LOGPROBS),
            ..SamplingParams::default()
        },
        cache_salt: None,
    };
    // By then the first request has ended, even if it was computed token by token.
    let later = MAX_PROMPT + MAX_OUTPUT as usize;
    let traffic = vec![
        (0, request([&document[..], &tail(80)].concat(), 1)),
        (later, request([&document[..], &tail(90)].concat(), 2)),
        (later, request(tail(100), 3)),
    ];
    let circumstances = Circumstances {
        max_seqs: 2,
        room: 6,
        spare_blocks: 0,
        threads: 2,
    };
    (traffic, circumstances)
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
    let model = TinyLlama::write(12).expect("the temporary directory can be written");
    run(&random_traffic(Ask::Logprobs), |traffic| {
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
    let model = TinyLlama::write(13).expect("the temporary directory can be written");
    run(&random_traffic(Ask::Logprobs), |traffic| {
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
