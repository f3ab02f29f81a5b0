//! The choice of one token from a vocabulary of 152k: what of a step is not the model. The logits are read once at least;
//! those of one row lie in caches when their turn comes.

use engine_runtime::backend::cpu::{Cpu, Dot};
use engine_runtime::backend::{
    Backend, Input, LogitEdit, NO_LOGPROBS, RAW_LOGPROBS, Sampling, SamplingRow, SamplingTable,
    Seen, TokenCache,
};
use engine_runtime::dtype::{BF16, F32};

use crate::figures::{Bench, Work};

const VOCAB: usize = 151_936;
/// Tokens that a sequence has seen, all of them different.
const SEEN: usize = 1000;
const EDITS: usize = 10;
const TOP: usize = 20;
const STRIDE: usize = 3 + 2 * TOP;

const GREEDY: SamplingRow = SamplingRow {
    uniform: 0.7,
    ..SamplingRow::GREEDY
};

/// Name, how far logits are apart, and settings.
fn cases() -> [(&'static str, f32, SamplingRow); 8] {
    let drawn = SamplingRow {
        temperature: 0.7,
        ..GREEDY
    };
    let all = SamplingRow {
        top_k: 20,
        top_p: 0.8,
        min_p: 0.01,
        repetition_penalty: 1.05,
        presence_penalty: 0.1,
        frequency_penalty: 0.1,
        seen: SEEN as u32,
        prompt: SEEN as u32 / 2,
        edits_end: EDITS as u32,
        ..drawn
    };
    let logprobs = SamplingRow {
        logprobs: RAW_LOGPROBS,
        top_logprobs: TOP as u32,
        ..GREEDY
    };
    [
        ("greedy", 3.0, GREEDY),
        ("temperature", 3.0, drawn),
        ("all settings", 3.0, all),
        (
            "all settings, top-k off",
            3.0,
            SamplingRow { top_k: 0, ..all },
        ),
        (
            "top-p",
            3.0,
            SamplingRow {
                top_p: 0.9,
                ..drawn
            },
        ),
        (
            "top-p of flat logits",
            0.1,
            SamplingRow {
                top_p: 0.9,
                temperature: 1.0,
                ..drawn
            },
        ),
        ("greedy, 20 logprobs", 3.0, logprobs),
        (
            "all settings, 20 logprobs",
            3.0,
            SamplingRow {
                logprobs: RAW_LOGPROBS,
                top_logprobs: TOP as u32,
                ..all
            },
        ),
    ]
}

pub fn names() -> Vec<String> {
    cases().map(|(name, ..)| self::name(name)).to_vec()
}

fn name(case: &str) -> String {
    format!("sampling of {VOCAB}, {case}")
}

pub fn all<I: Dot<BF16> + Dot<F32>>(bench: &mut Bench<'_, I>) {
    for (case, spread, row) in cases() {
        if !bench.wanted(&name(case)) {
            continue;
        }
        let edits = (0..EDITS as u32).map(|i| LogitEdit {
            token: i * 1009,
            bias: 0.5,
        });
        let mut words: Vec<u32> = bytemuck::cast_slice(&edits.collect::<Vec<_>>()).to_vec();
        let start = words.len();
        words.extend_from_slice(bytemuck::cast_slice(&[row]));
        words.push(0);
        let device = &mut bench.device;
        let mut buffer = device.alloc("a table", words.len()).expect("memory");
        device.upload(&mut buffer, &words).expect("upload");
        // One block, whose number is the last word.
        let mut tokens = TokenCache {
            ids: device.alloc("tokens", SEEN).expect("memory"),
            block_size: SEEN,
        };
        let ids: Vec<u32> = (0..SEEN as u32).map(|i| i * 97).collect();
        device.upload(&mut tokens.ids, &ids).expect("upload");
        let mut logits = device.alloc("logits", VOCAB).expect("memory");
        device.upload(&mut logits, &bell(spread)).expect("upload");
        let mut scores = device.scores(1, VOCAB).expect("memory");
        let mut results = device.alloc("results", STRIDE).expect("memory");
        let work = Work {
            bytes: (VOCAB * size_of::<f32>()) as f64,
            flops: 0.0,
            peak: bench.limits.fma_peak,
        };
        bench.case(&name(case), work, |device| {
            let table = || SamplingTable::<Cpu<I>> {
                vocab: VOCAB,
                rows: Input::new(&buffer, start, 1),
                edits: Input::new(&buffer, 0, EDITS),
                seen: Seen {
                    tokens: &tokens,
                    table_start: Input::new(&buffer, words.len() - 1, 1),
                    blocks: Input::new(&buffer, words.len() - 1, 1),
                },
            };
            device
                .process_logits(&logits, table(), &mut scores)
                .expect("launch");
            device
                .sample(&logits, &mut scores, table(), &mut results, STRIDE)
                .expect("launch");
            if row.logprobs != NO_LOGPROBS {
                device
                    .logprobs(&logits, &mut scores, table(), &mut results, STRIDE)
                    .expect("launch");
            }
        });
    }
}

/// Logits of a random model: sums of several numbers of a linear congruential generator (Knuth's constants), `spread`
/// times as far apart as a normal distribution's.
fn bell(spread: f32) -> Vec<f32> {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..VOCAB)
        .map(|_| (0..12).map(|_| uniform()).sum::<f32>() * spread)
        .collect()
}
