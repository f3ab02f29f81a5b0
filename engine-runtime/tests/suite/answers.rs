//! Several answers to one prompt, and steps that run ahead of their output: neither changes a bit of what a request
//! gives alone.

use engine_runtime::engine::{Event, Stats};
use engine_runtime::recipe::{KvMemory, Limits, Recipe};
use engine_runtime::request::{Request, SamplingParams};
use engine_runtime::sampler::split_seed;
use engine_runtime::testing::serve::{Output, Setup, alone, open, serve};
use engine_runtime::testing::tiny::{KV_ELEMENTS, TinyLlama};
use proptest::prelude::*;

use crate::recipes::{BLOCK, LIMITS};
use crate::traffic::{Ask, MAX_OUTPUT, MAX_PROMPT, Traffic, random_traffic};

/// All of these report logprobs.
type Base = crate::recipes::Logprobs;
type Cutting = crate::recipes::ChunksLogprobs;
type Keeping = crate::recipes::PrefixesLogprobs;
type Both = crate::recipes::All;
type AheadBase = crate::recipes::LogprobsAhead;
type AheadBoth = crate::recipes::AllAhead;

/// Room for `blocks` blocks, and steps of `tokens` tokens.
fn setup(blocks: usize, tokens: usize) -> Setup {
    let bytes = blocks * BLOCK * KV_ELEMENTS * size_of::<f32>();
    Setup {
        limits: Limits {
            max_seqs: 4,
            max_batched_tokens: tokens,
            kv_memory: KvMemory::Bytes(bytes as u64),
            ..LIMITS
        },
        threads: 1,
        eos: vec![3],
    }
}

/// Sequence `index` of `request` as a request of its own.
fn single(request: &Request, index: u32) -> Request {
    let mut single = request.clone();
    single.sampling.n = 1;
    let seed = request.sampling.seed.expect("a test's requests have seeds");
    single.sampling.seed = Some(split_seed(seed, index));
    single
}

fn served<R: Recipe>(model: &TinyLlama, setup: &Setup, traffic: &Traffic) -> Vec<Vec<Output>> {
    serve(&mut open::<R>(model.dir(), setup), traffic).0
}

proptest! {
    #![proptest_config(testbed::properties(12))]

    #[test]
    fn every_answer_is_that_of_a_request_of_its_own(
        mut traffic in prop_oneof![random_traffic(Ask::Logprobs), random_traffic(Ask::TokensOnly)],
        answers in prop::collection::vec(1_u32..7, 8),
        spare_blocks in 0_usize..12,
        tokens in 4_usize..40,
    ) {
        for ((_, request), n) in traffic.iter_mut().zip(answers) {
            request.sampling.n = n;
        }
        let model = TinyLlama::write(23).expect("the temporary directory can be written");
        let ample = setup(64, 64);
        let least = (MAX_PROMPT + MAX_OUTPUT as usize).div_ceil(BLOCK);
        let (whole, cut) = (setup(least + spare_blocks, 64), setup(least + spare_blocks, tokens));
        let all = [
            served::<Base>(&model, &whole, &traffic),
            served::<Cutting>(&model, &cut, &traffic),
            served::<Keeping>(&model, &whole, &traffic),
            served::<Both>(&model, &cut, &traffic),
            served::<AheadBase>(&model, &whole, &traffic),
            served::<AheadBoth>(&model, &cut, &traffic),
        ];
        for (place, (_, request)) in traffic.iter().enumerate() {
            for index in 0..request.sampling.n {
                let expected = alone::<Base>(model.dir(), &ample, &single(request, index)).remove(0);
                for outputs in &all {
                    prop_assert_eq!(&outputs[place][index as usize], &expected);
                }
            }
        }
    }
}

/// A request for `n` answers of 9 tokens to a prompt of 22.
fn request(n: u32) -> Request {
    Request {
        prompt: (30..52).collect(),
        sampling: SamplingParams {
            n,
            seed: Some(5),
            max_tokens: Some(9),
            ignore_eos: true,
            repetition_penalty: 1.2,
            ..SamplingParams::default()
        },
        cache_salt: None,
    }
}

fn stats<R: Recipe>(setup: &Setup, n: u32) -> Stats {
    let model = TinyLlama::write(23).unwrap();
    let mut engine = open::<R>(model.dir(), setup);
    serve(&mut engine, &[(0, request(n))]).1
}

#[test]
fn answers_to_one_prompt_cost_one_prefill() {
    for n in [1, 2, 4] {
        // Each answer computes all of its tokens but the last.
        let expected = 22 + u64::from(n) * 8;
        for stats in [
            stats::<Base>(&setup(64, 64), n),
            stats::<Cutting>(&setup(64, 7), n),
            stats::<Both>(&setup(64, 7), n),
        ] {
            assert_eq!(stats.computed_tokens, expected);
            assert_eq!((stats.prompt_tokens, stats.cached_tokens), (22, 0));
        }
    }
    // Of more answers than sequences can run, those that begin together share a prefill.
    assert_eq!(
        stats::<Base>(&setup(64, 64), 7).computed_tokens,
        2 * 22 + 7 * 8
    );
    assert_eq!(stats::<Keeping>(&setup(64, 64), 7).cached_tokens, 20);
}

#[test]
fn answers_to_one_prompt_share_its_blocks() {
    // Six blocks of prompt, and for each answer one in the place of the last and two more: with a copy of the prompt
    // for each, 32 blocks would be needed at once.
    let least = 5 + 4 * 3 + 1;
    assert_eq!(stats::<Base>(&setup(least, 64), 4).preemptions, 0);
    assert!(stats::<Base>(&setup(least - 4, 64), 4).preemptions > 0);
}

#[test]
fn a_step_is_launched_before_the_tokens_of_the_last_one_are_known() {
    let model = TinyLlama::write(23).unwrap();
    let mut engine = open::<AheadBase>(model.dir(), &setup(64, 64));
    let mut request = request(1);
    request.sampling.repetition_penalty = 1.0;
    let request = engine.validate(request, 0).unwrap();
    engine.submit(request).unwrap();
    let tokens: Vec<usize> = std::iter::from_fn(|| {
        let events = (!engine.is_idle()).then(|| engine.step().unwrap())?;
        let is_token = |event: &&Event| matches!(event, Event::Token { .. });
        Some(events.iter().filter(is_token).count())
    })
    .collect();
    // The first step tells nothing, and the last launches nothing.
    assert_eq!(tokens, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_sequence_that_ends_early_leaves_nothing_behind_of_the_step_ahead() {
    let model = TinyLlama::write(23).unwrap();
    let free = alone::<Base>(model.dir(), &setup(64, 64), &single(&request(1), 0)).remove(0);
    let mut stopped = request(1);
    stopped.sampling.repetition_penalty = 1.0;
    let free_of_penalty = alone::<Base>(model.dir(), &setup(64, 64), &stopped).remove(0);
    let end = free_of_penalty.tokens[3];
    stopped.sampling.stop_token_ids = vec![end];
    let expected = alone::<Base>(model.dir(), &setup(64, 64), &stopped);
    let mut engine = open::<AheadBoth>(model.dir(), &setup(64, 64));
    let traffic = [
        (0, stopped.clone()),
        (0, single(&request(1), 0)),
        (2, stopped),
    ];
    let (outputs, stats) = serve(&mut engine, &traffic);
    assert_eq!([&outputs[0], &outputs[2]], [&expected, &expected]);
    assert_eq!(outputs[1], [free]);
    assert_eq!(stats.completed, 3);
}
