//! The sampler over the reference backend, against the plainest implementation there is, in f64.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{Backend, TokenCache};
use engine_runtime::batch::{Batch, Capacity, DeviceBatch};
use engine_runtime::dtype::Dense;
use engine_runtime::models::Llama;
use engine_runtime::parts::{Off, Top, Whole};
use engine_runtime::request::{Request, RequestRules, SamplingParams, ValidatedRequest};
use engine_runtime::sampler::{DeviceSampler, Sampled, SamplingSettings, TableRows, uniform};
use proptest::prelude::*;

const VOCAB: usize = 24;

engine_runtime::recipe! {
    Probe {
        backend: Reference,
        weights: Dense<f32>,
        model: Llama<Self>,
        prefill: Whole,
        prefix: Off,
        logprobs: Top,
        limits: engine_runtime::testing::LIMITS,
        LOGPROBS: LogprobsSettings { max: 24 },
    }
}

fn validated(prompt: &[u32], sampling: SamplingParams) -> ValidatedRequest {
    let rules = RequestRules {
        profile: "probe",
        vocab: VOCAB,
        max_model_len: 1 << 20,
        cache_positions: 1 << 20,
        max_logprobs: Some(24),
        eos: [3].into(),
    };
    let request = Request {
        prompt: prompt.to_vec(),
        sampling,
        cache_salt: None,
    };
    ValidatedRequest::new(request, &rules, 0).unwrap()
}

/// What the sampler makes of `logits` after `prompt` and `output`.
fn sample(logits: &[f32], request: &ValidatedRequest, output: &[u32]) -> Sampled {
    let settings = SamplingSettings::new(request, 0);
    let mut table = TableRows::default();
    let position = request.prompt().len() + output.len();
    settings.write(0, 0, position, &mut table);
    let mut device = Reference::default();
    type Sampler = DeviceSampler<Probe>;
    let mut sampler = Sampler::alloc(&mut device, 1, VOCAB).unwrap();
    let capacity = Capacity {
        rows: 1,
        seqs: 1,
        logits_rows: 1,
        table_rows: 1,
        positions: 1,
        blocks_per_seq: 8,
        edits_per_row: 2 * VOCAB,
    };
    let mut batch = DeviceBatch::alloc(&mut device, capacity).unwrap();
    let (tokens, staged) = seen(&mut device, request.prompt(), output);
    batch.upload(&mut device, &staged, &table).unwrap();
    let mut array = device.alloc("logits", VOCAB).unwrap();
    device.upload(&mut array, logits).unwrap();
    let mut results = device.alloc("results", Sampler::STRIDE).unwrap();
    sampler
        .launch(&mut device, &batch, &tokens, &array, &mut results)
        .unwrap();
    let mut words = vec![0; Sampler::STRIDE];
    device.read(&results, &mut words).unwrap();
    Sampler::report(&table, &words).next().unwrap()
}

/// What a sequence has seen on the device, in blocks of 4 from the last to the first, and its table in a batch.
fn seen(device: &mut Reference, prompt: &[u32], output: &[u32]) -> (TokenCache<Reference>, Batch) {
    let all = [prompt, output].concat();
    let count = all.len().div_ceil(4);
    let blocks: Vec<u32> = (0..count as u32).rev().collect();
    let mut ids = vec![u32::MAX; 4 * count];
    for (tokens, &block) in all.chunks(4).zip(&blocks) {
        ids[4 * block as usize..][..tokens.len()].copy_from_slice(tokens);
    }
    let mut array = device.alloc("tokens", ids.len()).unwrap();
    device.upload(&mut array, &ids).unwrap();
    let mut batch = Batch::default();
    batch.end_sequence(all.len() as u32, &blocks);
    let tokens = TokenCache {
        ids: array,
        block_size: 4,
    };
    (tokens, batch)
}

/// Probabilities by the definitions of the settings, one after the other, with all penalties and biases in f64.
fn naive(logits: &[f32], prompt: &[u32], output: &[u32], sampling: &SamplingParams) -> Vec<f64> {
    let mut scores: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
    for (id, score) in (0..).zip(&mut scores) {
        *score += f64::from(*sampling.logit_bias.get(&id).unwrap_or(&0.0));
        let early = output.len() < sampling.min_tokens as usize;
        if early && (id == 3 || sampling.stop_token_ids.contains(&id)) {
            *score = f64::NEG_INFINITY;
        }
        let count = output.iter().filter(|&&seen| seen == id).count();
        if prompt.contains(&id) || count > 0 {
            let penalty = f64::from(sampling.repetition_penalty);
            *score *= if *score > 0.0 { 1.0 / penalty } else { penalty };
        }
        if count > 0 {
            *score -= f64::from(sampling.presence_penalty);
            *score -= f64::from(sampling.frequency_penalty) * count as f64;
        }
        *score /= f64::from(sampling.temperature);
    }
    let mut order: Vec<usize> = (0..VOCAB).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let largest = scores[order[0]];
    let mut weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    if sampling.top_k > 0 {
        order
            .iter()
            .skip(sampling.top_k as usize)
            .for_each(|&token| weights[token] = 0.0);
    }
    let total: f64 = weights.iter().sum();
    let mut before = 0.0;
    for &token in &order {
        let weight = weights[token];
        if before >= f64::from(sampling.top_p) * total {
            weights[token] = 0.0;
        }
        before += weight;
    }
    for weight in &mut weights {
        if *weight < f64::from(sampling.min_p) {
            *weight = 0.0;
        }
    }
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

/// The distribution that the sampler drew from, by its processed logprobs.
fn reported(sampled: &Sampled) -> Vec<f64> {
    let mut probabilities = vec![f64::NAN; VOCAB];
    for &(token, logprob) in &sampled.logprobs.as_ref().unwrap().top {
        probabilities[token as usize] = f64::from(logprob).exp();
    }
    probabilities
}

fn check(logits: &[f32], prompt: &[u32], output: &[u32], sampling: SamplingParams) {
    let seed = sampling.seed.unwrap();
    let expected = naive(logits, prompt, output, &sampling);
    let request = validated(prompt, sampling);
    let sampled = sample(logits, &request, output);
    for (token, (found, expected)) in reported(&sampled).iter().zip(&expected).enumerate() {
        assert!(
            (found - expected).abs() < 1e-5,
            "token {token}: {found}, not {expected}"
        );
    }
    // The token is where the cumulative distribution passes the request's own random number.
    let drawn = f64::from(uniform(seed, prompt.len() + output.len()));
    let token = sampled.token.unwrap() as usize;
    let below: f64 = expected[..token].iter().sum();
    let within = below - 1e-5..below + expected[token] + 1e-5;
    assert!(within.contains(&drawn), "token {token} for {drawn}");
    let logprobs = sampled.logprobs.unwrap();
    assert!((f64::from(logprobs.logprob).exp() - expected[token]).abs() < 1e-5);
    let larger = expected
        .iter()
        .filter(|&&p| p > expected[token] + 1e-6)
        .count();
    let not_smaller = expected
        .iter()
        .filter(|&&p| p >= expected[token] - 1e-6)
        .count();
    assert!((larger + 1..=not_smaller).contains(&(logprobs.rank as usize)));
}

fn base(seed: u64) -> SamplingParams {
    SamplingParams {
        seed: Some(seed),
        logprobs: Some(24),
        processed_logprobs: true,
        ..SamplingParams::default()
    }
}

/// Logits far enough apart that rounding cannot move a token across a threshold.
fn logits() -> impl Strategy<Value = Vec<f32>> {
    let order = Just((0..VOCAB).collect::<Vec<_>>()).prop_shuffle();
    order.prop_map(|order| {
        order
            .iter()
            .map(|&place| 0.37 * place as f32 - 4.1)
            .collect()
    })
}

fn tokens(len: usize) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..VOCAB as u32, 1..len)
}

proptest! {
    #![proptest_config(testbed::properties(256))]

    #[test]
    fn temperature(logits in logits(), seed: u64, temperature in 0.05_f32..5.0) {
        check(&logits, &[1], &[], SamplingParams { temperature, ..base(seed) });
    }

    #[test]
    fn top_k(logits in logits(), seed: u64, top_k in 0_u32..30) {
        check(&logits, &[1], &[], SamplingParams { top_k, ..base(seed) });
    }

    #[test]
    fn top_p(logits in logits(), seed: u64, top_p in 0.01_f32..1.0) {
        check(&logits, &[1], &[], SamplingParams { top_p, ..base(seed) });
    }

    #[test]
    fn min_p(logits in logits(), seed: u64, min_p in 0.0_f32..1.0) {
        check(&logits, &[1], &[], SamplingParams { min_p, ..base(seed) });
    }

    #[test]
    fn penalties(
        logits in logits(),
        seed: u64,
        prompt in tokens(6),
        output in tokens(12),
        repetition_penalty in 0.5_f32..2.0,
        presence_penalty in -2.0_f32..2.0,
        frequency_penalty in -2.0_f32..2.0,
    ) {
        let sampling = SamplingParams {
            repetition_penalty,
            presence_penalty,
            frequency_penalty,
            ..base(seed)
        };
        check(&logits, &prompt, &output, sampling);
    }

    #[test]
    fn bias_and_early_stops(
        logits in logits(),
        seed: u64,
        output in tokens(6),
        logit_bias in prop::collection::btree_map(0..VOCAB as u32, -100.0_f32..100.0, 0..5),
        stop_token_ids in tokens(4),
        min_tokens in 0_u32..8,
    ) {
        check(&logits, &[1], &output, SamplingParams { logit_bias, stop_token_ids, min_tokens, ..base(seed) });
    }

    #[test]
    fn all_at_once(
        logits in logits(),
        seed: u64,
        output in tokens(6),
        temperature in 0.5_f32..2.0,
        top_k in 0_u32..30,
        repetition_penalty in 0.5_f32..2.0,
        frequency_penalty in -2.0_f32..2.0,
    ) {
        let sampling = SamplingParams {
            temperature,
            top_k,
            repetition_penalty,
            frequency_penalty,
            ..base(seed)
        };
        check(&logits, &[1, 2], &output, sampling);
    }

    #[test]
    fn greedy_takes_the_largest_and_reports_the_models_own_logprobs(logits in logits(), seed: u64) {
        let sampling = SamplingParams {
            temperature: 0.0,
            processed_logprobs: false,
            // Without meaning for a greedy choice.
            top_p: 0.1,
            ..base(seed)
        };
        let sampled = sample(&logits, &validated(&[1], sampling), &[]);
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        let token = sampled.token.unwrap() as usize;
        prop_assert_eq!(logits[token], largest);
        prop_assert_eq!(sampled.logprobs.as_ref().unwrap().rank, 1);
        let raw = naive(&logits, &[], &[], &base(seed));
        for (found, expected) in reported(&sampled).iter().zip(&raw) {
            prop_assert!((found - expected).abs() < 1e-6);
        }
    }
}

#[test]
fn a_row_without_numbers_has_no_token() {
    let request = validated(&[1], base(1));
    assert_eq!(sample(&[f32::NAN; VOCAB], &request, &[]).token, None);
    assert_eq!(
        sample(&[f32::NEG_INFINITY; VOCAB], &request, &[]).token,
        None
    );
}
