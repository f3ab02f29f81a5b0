//! Several answers to one prompt, and steps that run ahead of their output: neither changes a bit of what a request
//! gives alone.

use engine_runtime::backend::DeviceOptions;
use engine_runtime::engine::{Event, Stats};
use engine_runtime::recipe::{KvMemory, Limits, Recipe};
use engine_runtime::request::{Request, SamplingParams};
use engine_runtime::sampler::split_seed;
use engine_runtime::testing::Solo;
use engine_runtime::testing::serve::{Output, Setup, alone, open, serve};
use engine_runtime::testing::tiny::{KV_ELEMENTS, TinyLlama, VOCAB};
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

/// Log probabilities of the token behind `prompt` and `output`, with all penalties, by their definitions.
fn naive(logits: &[f32], prompt: &[u32], output: &[u32], sampling: &SamplingParams) -> Vec<f64> {
    let penalised = (0..).zip(logits).map(|(id, &logit)| {
        let mut score = f64::from(logit);
        let count = output.iter().filter(|&&seen| seen == id).count();
        if prompt.contains(&id) || count > 0 {
            let penalty = f64::from(sampling.repetition_penalty);
            score *= if score > 0.0 { 1.0 / penalty } else { penalty };
        }
        if count > 0 {
            score -= f64::from(sampling.presence_penalty);
            score -= f64::from(sampling.frequency_penalty) * count as f64;
        }
        score
    });
    let scores: Vec<f64> = penalised.collect();
    let total: f64 = scores.iter().map(|score| score.exp()).sum();
    scores.iter().map(|score| score - total.ln()).collect()
}

/// Of every answer, in sequences that share a prompt, begin together, lose their blocks and run ahead of the host.
#[test]
fn penalties_are_those_of_the_tokens_that_were_written() {
    fn check<R: Recipe>() {
        let model = TinyLlama::write(23).unwrap();
        let penalised = |n, seed, max_tokens| {
            let mut request = request(n);
            let sampling = &mut request.sampling;
            (sampling.seed, sampling.max_tokens) = (Some(seed), Some(max_tokens));
            sampling.repetition_penalty = 1.4;
            sampling.presence_penalty = 0.7;
            sampling.frequency_penalty = -0.9;
            (sampling.logprobs, sampling.processed_logprobs) = (Some(1), true);
            request
        };
        let traffic = [
            (0, penalised(4, 5, 20)),
            (3, penalised(2, 6, 12)),
            (9, penalised(1, 7, 30)),
        ];
        let mut engine = open::<R>(model.dir(), &setup(16, 9));
        let (outputs, stats) = serve(&mut engine, &traffic);
        assert!(
            stats.preemptions > 0 && stats.cached_tokens > 0,
            "{stats:?}"
        );
        let options = DeviceOptions { threads: Some(1) };
        let mut solo = Solo::<Base>::load(model.dir(), &options, &mut |_, _| ()).unwrap();
        let outputs = outputs.iter().zip(&traffic);
        for (output, (_, request)) in
            outputs.flat_map(|(all, asked)| all.iter().map(move |one| (one, asked)))
        {
            let (prompt, tokens) = (&request.prompt, &output.tokens);
            let logits = solo.logits(&[&prompt[..], tokens].concat(), 64).unwrap();
            let rows = logits.chunks(VOCAB).skip(prompt.len() - 1);
            for (i, (logits, reported)) in rows.zip(&output.logprobs).enumerate() {
                let expected = naive(logits, prompt, &tokens[..i], &request.sampling);
                let found = f64::from(reported.as_ref().unwrap().logprob);
                let expected = expected[tokens[i] as usize];
                assert!(
                    (found - expected).abs() < 1e-4,
                    "token {i}: {found}, not {expected}"
                );
            }
            assert_eq!(Some(tokens.len() as u32), request.sampling.max_tokens);
        }
    }
    check::<Both>();
    check::<AheadBoth>();
}

#[test]
fn a_step_is_launched_before_the_tokens_of_the_last_one_are_known() {
    let model = TinyLlama::write(23).unwrap();
    let mut engine = open::<AheadBase>(model.dir(), &setup(64, 64));
    // Also where the choice depends on them.
    let request = engine.validate(request(1), 0).unwrap();
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
