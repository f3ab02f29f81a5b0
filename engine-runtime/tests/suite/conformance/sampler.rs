//! Processing logits, drawing, logprobs.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{
    LogitEdit, NO_LOGPROBS, NO_TOKEN, PROCESSED_LOGPROBS, RAW_LOGPROBS, SamplingRow, SamplingTable,
    SeenToken,
};

use super::answers::Answer;
use super::inputs::Random;
use super::{Staged, Subject, THREADS, assert_close, assert_same_bits, get, put};

/// A batch of logits with the settings of each row.
pub(super) struct Case {
    vocab: usize,
    /// [rows, vocab]
    pub(super) logits: Vec<f32>,
    pub(super) rows: Vec<SamplingRow>,
    seen: Vec<SeenToken>,
    edits: Vec<LogitEdit>,
}

const NEUTRAL: SamplingRow = SamplingRow {
    logits_row: 0,
    temperature: 1.0,
    top_p: 1.0,
    min_p: 0.0,
    top_k: 0,
    uniform: 0.0,
    repetition_penalty: 1.0,
    presence_penalty: 0.0,
    frequency_penalty: 0.0,
    seen_start: 0,
    seen_end: 0,
    edits_start: 0,
    edits_end: 0,
    top_logprobs: 0,
    logprobs: RAW_LOGPROBS,
};

impl Case {
    pub(super) fn random(random: &mut Random, rows: usize, vocab: usize) -> Self {
        let mut case = Self {
            vocab,
            logits: random
                .values(rows * vocab)
                .iter()
                .map(|x| x * 3.0)
                .collect(),
            rows: vec![],
            seen: vec![],
            edits: vec![],
        };
        for row in 0..rows {
            case.spoil(random, row);
            let (seen, edits) = (case.seen.len(), case.edits.len());
            // Duplicates among edits add up; a token is seen once, with its count.
            for token in random.permutation(vocab).into_iter().take(3) {
                let (token, count) = (token as u32, random.below(3) as u32);
                case.seen.push(SeenToken { token, count });
            }
            for _ in 0..random.below(4) {
                let (token, bias) = (random.below(vocab) as u32, random.values(1)[0]);
                let bias = if random.below(3) == 0 {
                    f32::NEG_INFINITY
                } else {
                    bias
                };
                case.edits.push(LogitEdit { token, bias });
            }
            case.rows.push(SamplingRow {
                logits_row: row as u32,
                temperature: [0.0, 0.3, 1.0, 1.7][random.below(4)],
                top_p: [1.0, 0.9, 0.5, 1e-6][random.below(4)],
                min_p: [0.0, 0.05, 1.0][random.below(3)],
                top_k: [0, 1, 7, 5000][random.below(4)],
                uniform: random.uniform(),
                repetition_penalty: [1.0, 1.3][random.below(2)],
                presence_penalty: [0.0, 0.4][random.below(2)],
                frequency_penalty: [0.0, -0.2][random.below(2)],
                seen_start: seen as u32,
                seen_end: case.seen.len() as u32,
                edits_start: edits as u32,
                edits_end: case.edits.len() as u32,
                top_logprobs: random.below(6) as u32,
                logprobs: [NO_LOGPROBS, RAW_LOGPROBS, PROCESSED_LOGPROBS][random.below(3)],
            });
        }
        case
    }

    /// Ties, infinities and what is not a number, in some rows.
    fn spoil(&mut self, random: &mut Random, row: usize) {
        let vocab = self.vocab;
        let logits = &mut self.logits[row * vocab..(row + 1) * vocab];
        match random.below(8) {
            0 => logits.fill(0.5),
            1 => logits.fill(f32::NAN),
            2 => logits[random.below(vocab)] = f32::NAN,
            3 => logits[random.below(vocab)] = f32::NEG_INFINITY,
            4 => logits[random.below(vocab)] = f32::INFINITY,
            5 => logits.iter_mut().step_by(2).for_each(|x| *x = x.round()),
            _ => {}
        }
    }

    /// Rows `start..end` as a batch of their own.
    fn part(&self, start: usize, end: usize) -> Self {
        Self {
            vocab: self.vocab,
            logits: self.logits[start * self.vocab..end * self.vocab].to_vec(),
            rows: (0..)
                .zip(&self.rows[start..end])
                .map(|(logits_row, row)| SamplingRow { logits_row, ..*row })
                .collect(),
            seen: self.seen.clone(),
            edits: self.edits.clone(),
        }
    }

    /// Without top-p and min-p.
    fn untruncated(&self) -> Self {
        let mut case = self.part(0, self.rows.len());
        for row in &mut case.rows {
            (row.top_p, row.min_p) = (1.0, 0.0);
        }
        case
    }

    /// The scores that the device makes of the logits.
    fn process<B: Subject>(&self, device: &mut B) -> Vec<f32> {
        let tables = Tables::put(device, self);
        let logits = put(device, &self.logits);
        let rows = self.rows.len();
        let mut scores = put(device, &vec![f32::NAN; rows * self.vocab]);
        device
            .process_logits(&logits, tables.get(self.vocab), &mut scores)
            .expect("launches");
        get(device, &scores, rows * self.vocab)
    }

    /// One result a row from given scores: the drawn token, and what `logprobs` writes behind `token` if it is given.
    fn results<B: Subject>(
        &self,
        device: &mut B,
        scores: &[f32],
        tokens: Option<&[u32]>,
    ) -> Vec<Vec<u32>> {
        const STRIDE: usize = 3 + 2 * 5;
        let (rows, vocab) = (self.rows.len(), self.vocab);
        let tables = Tables::put(device, self);
        let [logits, scores] = [&self.logits, scores].map(|data| put(device, data));
        let mut results = vec![7; rows * STRIDE];
        for (result, token) in results.chunks_mut(STRIDE).zip(tokens.unwrap_or_default()) {
            result[0] = *token;
        }
        let mut results = put(device, &results);
        if tokens.is_none() {
            device
                .sample(&scores, tables.get(vocab), &mut results, STRIDE)
                .expect("launches");
        }
        device
            .logprobs(&logits, &scores, tables.get(vocab), &mut results, STRIDE)
            .expect("launches");
        get(device, &results, rows * STRIDE)
            .chunks(STRIDE)
            .map(<[u32]>::to_vec)
            .collect()
    }
}

/// Settings in device memory.
struct Tables<B: engine_runtime::backend::Backend> {
    rows: Staged<B, SamplingRow>,
    seen: Staged<B, SeenToken>,
    edits: Staged<B, LogitEdit>,
}

impl<B: engine_runtime::backend::Backend> Tables<B> {
    fn put(device: &mut B, case: &Case) -> Self {
        Self {
            rows: Staged::put(device, &case.rows),
            seen: Staged::put(device, &case.seen),
            edits: Staged::put(device, &case.edits),
        }
    }

    fn get(&self, vocab: usize) -> SamplingTable<'_, B> {
        SamplingTable {
            vocab,
            rows: self.rows.get(),
            seen: self.seen.get(),
            edits: self.edits.get(),
        }
    }
}

const VOCABS: [usize; 6] = [1, 3, 31, 33, 500, 2001];

pub fn process_agrees<B: Subject>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(12);
    for vocab in VOCABS {
        for _ in 0..8 {
            let case = Case::random(&mut random, 20, vocab);
            compare_processed(&mut device, &case);
        }
    }
}

/// The scores of every row, against those of the reference backend.
pub(super) fn compare_processed<B: Subject>(device: &mut B, case: &Case) {
    let vocab = case.vocab;
    let got = case.process(device);
    let expected = case.process(&mut Reference::default());
    let whole = case.untruncated().process(&mut Reference::default());
    let rows = got.chunks(vocab).zip(expected.chunks(vocab));
    for (i, (got, expected)) in rows.enumerate() {
        let whole = &whole[i * vocab..(i + 1) * vocab];
        compare_scores(got, expected, whole, &case.rows[i]);
    }
}

/// Equal, but that a token at the very edge of top-p or min-p may be kept by one and dropped by the other: its weight,
/// and that of those before it, are known within 1e-5. `whole` is before top-p and min-p.
fn compare_scores(got: &[f32], expected: &[f32], whole: &[f32], row: &SamplingRow) {
    let largest = whole.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |i: usize| f64::from(whole[i] - largest).exp();
    let total: f64 = (0..whole.len()).map(weight).sum();
    for i in (0..got.len()).filter(|&i| got[i].to_bits() != expected[i].to_bits()) {
        let kept = [got[i], expected[i]].map(|score| score > f32::NEG_INFINITY);
        assert_ne!(kept[0], kept[1], "{row:?}: score {i} differs");
        let before: f64 = (0..whole.len())
            .filter(|&j| whole[j] > whole[i] || whole[j] == whole[i] && j < i)
            .map(weight)
            .sum();
        let top_p = (before - f64::from(row.top_p) * total).abs() < 1e-5 * total;
        let min_p = (weight(i) - f64::from(row.min_p)).abs() < 1e-5 * f64::from(row.min_p);
        assert!(top_p || min_p, "{row:?}: token {i} is not at the edge");
    }
}

pub fn sample_agrees<B: Subject>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(13);
    let mut drawn = std::collections::BTreeSet::new();
    for vocab in VOCABS {
        for _ in 0..8 {
            let case = Case::random(&mut random, 20, vocab);
            drawn.extend(compare_drawn(&mut device, &case));
        }
    }
    draws_behind_the_uniform(&mut device);
    rows_share_logits(&mut device);
    assert!(
        drawn.contains(&NO_TOKEN) && drawn.len() > 100,
        "too little was drawn"
    );
}

/// The token that is drawn in every row, which is the reference backend's or lies right beside it.
pub(super) fn compare_drawn<B: Subject>(device: &mut B, case: &Case) -> Vec<u32> {
    let vocab = case.vocab;
    let scores = case.process(&mut Reference::default());
    let got = case.results(device, &scores, None);
    let expected = case.results(&mut Reference::default(), &scores, None);
    let drawn = (0..).zip(&case.rows).map(|(i, row)| {
        let scores = &scores[i * vocab..(i + 1) * vocab];
        let (got, expected) = (got[i][0], expected[i][0]);
        let at_the_edge = || edge(scores, got) && edge(scores, expected);
        let near = got == expected
            || row.temperature > 0.0
                && got != NO_TOKEN
                && expected != NO_TOKEN
                && at_the_edge()
                && between(scores, got, expected) < 2e-6;
        assert!(near, "{row:?}: drew {got}, expected {expected}");
        got
    });
    drawn.collect()
}

/// Four equal tokens, and numbers at which the cumulative probability is exact: it must exceed the number.
fn draws_behind_the_uniform<B: Subject>(device: &mut B) {
    let rows: Vec<SamplingRow> = [0.0, 0.25, 0.5, 0.75]
        .into_iter()
        .zip(0..)
        .map(|(uniform, logits_row)| SamplingRow {
            uniform,
            logits_row,
            ..NEUTRAL
        })
        .collect();
    let case = Case {
        vocab: 6,
        logits: [f32::NEG_INFINITY, 1.0, 1.0, f32::NEG_INFINITY, 1.0, 1.0].repeat(4),
        rows,
        seen: vec![],
        edits: vec![],
    };
    let results = case.results(device, &case.logits, None);
    let drawn: Vec<u32> = results.iter().map(|result| result[0]).collect();
    assert_eq!(drawn, [1, 2, 4, 5]);
}

/// Three rows with numbers of their own choose from the second of two rows of logits, and report of it.
fn rows_share_logits<B: Subject>(device: &mut B) {
    let row = |uniform| SamplingRow {
        uniform,
        logits_row: 1,
        ..NEUTRAL
    };
    let case = Case {
        vocab: 4,
        logits: vec![0.0, 9.0, 9.0, 0.0, 1.0, 1.0, 1.0, 1.0],
        rows: [0.1, 0.4, 0.8].map(row).to_vec(),
        seen: vec![],
        edits: vec![],
    };
    let scores = case.process(device);
    assert_eq!(scores, [1.0; 12]);
    for result in case.results(device, &scores, Some(&[0, 1, 3])) {
        assert!((f32::from_bits(result[1]) - 0.25_f32.ln()).abs() < 1e-6);
        assert_eq!(result[2], 1, "the rank among equals");
    }
    let drawn = case.results(device, &scores, None);
    let drawn: Vec<u32> = drawn.iter().map(|result| result[0]).collect();
    assert_eq!(drawn, [0, 1, 3]);
}

/// Whether the token can be drawn at all.
fn edge(scores: &[f32], token: u32) -> bool {
    scores[token as usize] > f32::NEG_INFINITY
}

/// The probability that lies strictly between two tokens, by id.
fn between(scores: &[f32], a: u32, b: u32) -> f64 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = scores
        .iter()
        .map(|x| f64::from(x - largest).exp())
        .collect();
    let (a, b) = (a.min(b) as usize, a.max(b) as usize);
    weights[a + 1..b].iter().sum::<f64>() / weights.iter().sum::<f64>()
}

pub fn logprobs_agree<B: Subject>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(14);
    for vocab in VOCABS {
        for _ in 0..8 {
            let case = Case::random(&mut random, 20, vocab);
            compare_logprobs(&mut device, &case, &mut random);
        }
    }
}

/// Logprobs, ranks and candidates of a random token in every row, and of none.
pub(super) fn compare_logprobs<B: Subject>(device: &mut B, case: &Case, random: &mut Random) {
    let scores = case.process(&mut Reference::default());
    let tokens: Vec<u32> = case
        .rows
        .iter()
        .map(|_| match random.below(10) {
            0 => NO_TOKEN,
            _ => random.below(case.vocab) as u32,
        })
        .collect();
    let got = case.results(device, &scores, Some(&tokens));
    let expected = case.results(&mut Reference::default(), &scores, Some(&tokens));
    for ((got, expected), row) in got.iter().zip(&expected).zip(&case.rows) {
        let ids = |result: &[u32]| -> Vec<u32> {
            let pairs = result[3..].chunks(2).map(|pair| pair[0]);
            [result[0], result[2]].into_iter().chain(pairs).collect()
        };
        if row.logprobs == NO_LOGPROBS {
            assert!(got[1..].iter().all(|word| *word == 7), "left as it was");
        }
        assert_eq!(ids(got), ids(expected), "{row:?}");
        let logprobs = |result: &[u32]| -> Vec<f32> {
            let pairs = 3 + 2 * row.top_logprobs as usize;
            let bits = result[3..pairs].chunks(2).map(|pair| pair[1]);
            [result[1]]
                .into_iter()
                .chain(bits)
                .map(f32::from_bits)
                .collect()
        };
        let (got, expected) = (logprobs(got), logprobs(expected));
        // The logarithm of a sum known within 1e-6 of itself.
        assert_close("logprob", &got, &expected, |i| {
            2e-6 + 2e-7 * expected[i].abs()
        });
    }
}

pub fn is_batch_invariant<B: Subject>() {
    let mut random = Random(15);
    let (rows, vocab) = (40, 777);
    let case = Case::random(&mut random, rows, vocab);
    let Some(mut device) = B::start(1) else {
        return;
    };
    let scores = case.process(&mut device);
    let results = case.results(&mut device, &scores, None);
    for threads in THREADS {
        let Some(mut device) = B::start(threads) else {
            return;
        };
        for len in [1, 2, 7, 40] {
            for start in (0..rows).step_by(len).filter(|start| start + len <= rows) {
                let part = case.part(start, start + len);
                let got = part.process(&mut device);
                let expected = &scores[start * vocab..(start + len) * vocab];
                assert_same_bits("scores", &got, expected);
                let got = part.results(&mut device, expected, None);
                assert_eq!(
                    got,
                    results[start..start + len],
                    "{len} rows, {threads} threads"
                );
            }
        }
    }
}

/// What the sampler answers.
pub fn answer<B: Subject>() -> Option<Answer> {
    let mut device = B::start(3)?;
    let mut random = Random(45);
    let mut answer = Answer::default();
    for vocab in VOCABS {
        for _ in 0..4 {
            let case = Case::random(&mut random, 20, vocab);
            let scores = case.process(&mut device);
            answer.numbers(&scores);
            for result in case.results(&mut device, &scores, None) {
                answer.words(&result);
            }
        }
    }
    Some(answer)
}
