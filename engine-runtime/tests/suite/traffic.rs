//! Random requests with what matters to these features: shared prefixes, settings of every kind, arrival times.

use engine_runtime::request::{Request, SamplingParams};
use engine_runtime::testing::tiny::VOCAB;
use proptest::prelude::*;

pub const MAX_PROMPT: usize = 28;
pub const MAX_OUTPUT: u32 = 12;
pub const MAX_LOGPROBS: u32 = 5;

/// Whether requests ask for logprobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Logprobs,
    TokensOnly,
}

/// Requests and the steps before which they arrive.
pub type Traffic = Vec<(usize, Request)>;

pub fn random_traffic(ask: Ask) -> impl Strategy<Value = Traffic> {
    let document = || prop::collection::vec(token(), 24);
    (document(), document()).prop_flat_map(move |(a, b)| {
        let request = request([a, b], ask);
        prop::collection::vec((0_usize..12, request), 1..8)
    })
}

fn token() -> impl Strategy<Value = u32> {
    0..VOCAB as u32
}

fn request(documents: [Vec<u32>; 2], ask: Ask) -> impl Strategy<Value = Request> {
    let salt = prop::option::weighted(0.1, Just("tenant".to_owned()));
    let tail = prop::collection::vec(token(), 1..=MAX_PROMPT - 24);
    (0..2_usize, 0..=24_usize, tail, sampling(ask), salt).prop_map(
        move |(document, prefix, tail, sampling, cache_salt)| Request {
            prompt: [&documents[document][..prefix], &tail].concat(),
            sampling,
            cache_salt,
        },
    )
}

fn sampling(ask: Ask) -> impl Strategy<Value = SamplingParams> {
    let neutral_or =
        |neutral: f32, range: std::ops::Range<f32>| prop_oneof![3 => Just(neutral), 1 => range];
    let distribution = (
        prop_oneof![1 => Just(0.0_f32), 2 => 0.3_f32..3.0],
        prop_oneof![2 => Just(0_u32), 1 => 1_u32..40],
        neutral_or(1.0, 0.3..1.0),
        neutral_or(0.0, 0.0..0.3),
    );
    let penalties = (
        neutral_or(1.0, 0.8..1.5),
        neutral_or(0.0, -1.0..1.0),
        neutral_or(0.0, -1.0..1.0),
        prop::collection::btree_map(token(), -5.0_f32..5.0, 0..3),
    );
    let ends = (
        1..=MAX_OUTPUT,
        0..6_u32,
        prop::collection::vec(token(), 0..4),
        prop::collection::vec("[ -~]{1,2}", 0..3),
        any::<bool>(),
    );
    let rest = (
        1..=2_u32,
        any::<u64>(),
        prop::option::of(0..=MAX_LOGPROBS),
        any::<bool>(),
    );
    (distribution, penalties, ends, rest).prop_map(
        move |(distribution, penalties, ends, (n, seed, logprobs, processed))| {
            let logprobs = logprobs.filter(|_| ask == Ask::Logprobs);
            SamplingParams {
                n,
                temperature: distribution.0,
                top_k: distribution.1,
                top_p: distribution.2,
                min_p: distribution.3,
                repetition_penalty: penalties.0,
                presence_penalty: penalties.1,
                frequency_penalty: penalties.2,
                logit_bias: penalties.3,
                max_tokens: Some(ends.0),
                min_tokens: ends.1.min(ends.0),
                stop_token_ids: ends.2,
                stop: ends.3,
                include_stop_str_in_output: ends.4,
                seed: Some(seed),
                logprobs,
                processed_logprobs: processed && logprobs.is_some(),
                ..SamplingParams::default()
            }
        },
    )
}
