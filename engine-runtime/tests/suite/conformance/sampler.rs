//! Processing logits, drawing, logprobs.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{
    BlockCopy, LogitEdit, NO_LOGPROBS, NO_TOKEN, PROCESSED_LOGPROBS, RAW_LOGPROBS, SamplingRow,
    SamplingTable, Seen, TokenCache,
};

use super::answers::Answer;
use super::inputs::Random;
use super::{Staged, Subject, THREADS, assert_close, assert_same_bits, get, put};

/// A batch of logits with the settings of each row.
#[derive(Clone)]
pub(super) struct Case {
    vocab: usize,
    /// [rows, vocab]
    pub(super) logits: Vec<f32>,
    pub(super) rows: Vec<SamplingRow>,
    /// The tokens in front of the choice of each row, a sequence each.
    seen: Vec<Vec<u32>>,
    edits: Vec<LogitEdit>,
}

const NEUTRAL: SamplingRow = SamplingRow {
    temperature: 1.0,
    logprobs: RAW_LOGPROBS,
    ..SamplingRow::GREEDY
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
            // Duplicates among edits add up; a token that is seen again counts in the output alone.
            let edits = case.edits.len();
            let few = vocab.min(1 + random.below(12));
            let seen: Vec<u32> = (0..random.below(20))
                .map(|_| random.below(few) as u32)
                .collect();
            let (len, prompt) = (seen.len(), random.below(seen.len() + 1));
            case.seen.push(seen);
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
                sequence: row as u32,
                seen: len as u32,
                prompt: prompt as u32,
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
        let mut case = self.clone();
        for row in &mut case.rows {
            (row.top_p, row.min_p) = (1.0, 0.0);
        }
        case
    }

    /// `scores` [rows, vocab] as logits that only have to be chosen from.
    fn of_scores(&self, scores: Vec<f32>) -> Self {
        let rows = (0..).zip(&self.rows).map(|(logits_row, row)| SamplingRow {
            logits_row,
            uniform: row.uniform,
            temperature: if row.temperature > 0.0 { 1.0 } else { 0.0 },
            top_logprobs: row.top_logprobs,
            logprobs: row.logprobs,
            ..NEUTRAL
        });
        Self {
            vocab: self.vocab,
            logits: scores,
            rows: rows.collect(),
            seen: vec![],
            edits: vec![],
        }
    }

    /// One result a row, of `top` candidates at most: the token that is drawn, or that of `tokens`, and what is reported.
    fn results<B: Subject>(
        &self,
        device: &mut B,
        tokens: Option<&[u32]>,
        top: usize,
    ) -> Vec<Vec<u32>> {
        let stride = 3 + 2 * top;
        let (rows, vocab) = (self.rows.len(), self.vocab);
        let tables = Tables::put(device, self);
        let logits = put(device, &self.logits);
        let mut results = vec![7; rows * stride];
        for (result, token) in results.chunks_mut(stride).zip(tokens.unwrap_or_default()) {
            result[0] = *token;
        }
        let mut results = put(device, &results);
        let mut scores = device.scores(rows, vocab).expect("room for scores");
        device
            .process_logits(&logits, tables.get(vocab), &mut scores)
            .expect("launches");
        if tokens.is_none() {
            device
                .sample(
                    &logits,
                    &mut scores,
                    tables.get(vocab),
                    &mut results,
                    stride,
                )
                .expect("launches");
        }
        device
            .logprobs(
                &logits,
                &mut scores,
                tables.get(vocab),
                &mut results,
                stride,
            )
            .expect("launches");
        get(device, &results, rows * stride)
            .chunks(stride)
            .map(<[u32]>::to_vec)
            .collect()
    }

    /// The tokens that are drawn, and the logprobs of all tokens [rows, vocab] that they are drawn from.
    fn process<B: Subject>(&self, device: &mut B) -> (Vec<u32>, Vec<f32>) {
        let vocab = self.vocab;
        let mut case = self.clone();
        for row in &mut case.rows {
            (row.logprobs, row.top_logprobs) = (PROCESSED_LOGPROBS, vocab as u32);
        }
        let results = case.results(device, None, vocab);
        let mut logprobs = vec![f32::NAN; results.len() * vocab];
        for (result, logprobs) in results.iter().zip(logprobs.chunks_mut(vocab)) {
            for pair in result[3..].as_chunks::<2>().0 {
                logprobs[pair[0] as usize] = f32::from_bits(pair[1]);
            }
        }
        assert!(logprobs.iter().all(|x| !x.is_nan()), "every token once");
        (results.iter().map(|result| result[0]).collect(), logprobs)
    }
}

/// Settings in device memory.
struct Tables<B: engine_runtime::backend::Backend> {
    rows: Staged<B, SamplingRow>,
    edits: Staged<B, LogitEdit>,
    tokens: TokenCache<B>,
    table_start: Staged<B, u32>,
    blocks: Staged<B, u32>,
}

/// Positions of a block.
const BLOCK: usize = 4;

impl<B: engine_runtime::backend::Backend> Tables<B> {
    fn put(device: &mut B, case: &Case) -> Self {
        let blocks: usize = case
            .seen
            .iter()
            .map(|seen| seen.len().div_ceil(BLOCK))
            .sum();
        // No block follows the one before it, and what is not a sequence's is no token.
        let table: Vec<u32> = (0..blocks as u32).rev().collect();
        let mut ids = vec![u32::MAX; blocks * BLOCK];
        let mut starts = Vec::new();
        let mut next = 0;
        for seen in &case.seen {
            starts.push(next as u32);
            for tokens in seen.chunks(BLOCK) {
                ids[table[next] as usize * BLOCK..][..tokens.len()].copy_from_slice(tokens);
                next += 1;
            }
        }
        Self {
            rows: Staged::put(device, &case.rows),
            edits: Staged::put(device, &case.edits),
            tokens: TokenCache {
                ids: put(device, &ids),
                block_size: BLOCK,
            },
            table_start: Staged::put(device, &starts),
            blocks: Staged::put(device, &table),
        }
    }

    fn get(&self, vocab: usize) -> SamplingTable<'_, B> {
        SamplingTable {
            vocab,
            rows: self.rows.get(),
            edits: self.edits.get(),
            seen: Seen {
                tokens: &self.tokens,
                table_start: self.table_start.get(),
                blocks: self.blocks.get(),
            },
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

/// The distribution of every row, against that of the reference backend.
pub(super) fn compare_processed<B: Subject>(device: &mut B, case: &Case) {
    let vocab = case.vocab;
    let (_, got) = case.process(device);
    let (_, expected) = case.process(&mut Reference::default());
    let (_, whole) = case.untruncated().process(&mut Reference::default());
    let rows = got.chunks(vocab).zip(expected.chunks(vocab));
    for (i, (got, expected)) in rows.enumerate() {
        let whole = &whole[i * vocab..(i + 1) * vocab];
        compare_scores(got, expected, whole, &case.rows[i]);
    }
}

/// Alike in all that is kept; but a token at the very edge of top-p or min-p may be kept by one and dropped by the
/// other: its weight, and that of those before it, are known within 1e-5. `whole` is before top-p and min-p.
fn compare_scores(got: &[f32], expected: &[f32], whole: &[f32], row: &SamplingRow) {
    let largest = |scores: &[f32]| scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let [of_got, of_expected, of_whole] = [got, expected, whole].map(largest);
    let weight = |i: usize| f64::from(whole[i] - of_whole).exp();
    let total: f64 = (0..whole.len()).map(weight).sum();
    for i in 0..got.len() {
        let kept = [got[i], expected[i]].map(|score| score > f32::NEG_INFINITY);
        if kept == [true; 2] {
            // To the largest: what is kept at the edge moves all logprobs.
            let (got, expected) = (got[i] - of_got, expected[i] - of_expected);
            let bound = 4e-6 + 1e-6 * expected.abs();
            let close = (got - expected).abs() <= bound;
            assert!(close, "{row:?}: score {i} is {got}, expected {expected}");
        }
        if kept[0] == kept[1] {
            continue;
        }
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

/// The token that is drawn in every row: the one that the reference backend draws from the same scores, or right
/// beside it.
pub(super) fn compare_drawn<B: Subject>(device: &mut B, case: &Case) -> Vec<u32> {
    let vocab = case.vocab;
    let (drawn, scores) = case.process(device);
    let (greedy, _) = case.process(&mut Reference::default());
    let (expected, _) = case
        .of_scores(scores.clone())
        .process(&mut Reference::default());
    for (i, row) in case.rows.iter().enumerate() {
        let scores = &scores[i * vocab..(i + 1) * vocab];
        if row.temperature == 0.0 {
            assert_eq!(drawn[i], greedy[i], "{row:?}");
            continue;
        }
        let (got, expected) = (drawn[i], expected[i]);
        let at_the_edge = || edge(scores, got) && edge(scores, expected);
        let near = got == expected
            || got != NO_TOKEN
                && expected != NO_TOKEN
                && at_the_edge()
                && between(scores, got, expected) < 4e-6;
        assert!(near, "{row:?}: drew {got}, expected {expected}");
    }
    drawn
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
    let (drawn, _) = case.process(device);
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
    for result in case.results(device, Some(&[0, 1, 3]), 0) {
        assert!((f32::from_bits(result[1]) - 0.25_f32.ln()).abs() < 1e-6);
        assert_eq!(result[2], 1, "the rank among equals");
    }
    let (drawn, logprobs) = case.process(device);
    assert_eq!(drawn, [0, 1, 3]);
    assert!(logprobs.iter().all(|x| (x - 0.25_f32.ln()).abs() < 1e-6));
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

/// Whether a token may be kept by one and dropped by another, see [`compare_scores`].
fn has_edges(row: &SamplingRow) -> bool {
    row.temperature > 0.0 && (row.top_p < 1.0 || row.min_p > 0.0)
}

/// Candidates that a case asks for at most.
const TOP: usize = 5;

/// Logprobs, ranks and candidates of a random token in every row, and of none. Of truncated scores they are
/// compared with what the reference backend reports of the same scores.
pub(super) fn compare_logprobs<B: Subject>(device: &mut B, case: &Case, random: &mut Random) {
    let tokens: Vec<u32> = case
        .rows
        .iter()
        .map(|_| match random.below(10) {
            0 => NO_TOKEN,
            _ => random.below(case.vocab) as u32,
        })
        .collect();
    let got = case.results(device, Some(&tokens), TOP);
    let (_, scores) = case.process(device);
    let mut reference = Reference::default();
    let whole = case.results(&mut reference, Some(&tokens), TOP);
    let scores = case.of_scores(scores);
    let processed = scores.results(&mut reference, Some(&tokens), TOP);
    for (i, (got, row)) in got.iter().zip(&case.rows).enumerate() {
        let expected = match row.logprobs {
            NO_LOGPROBS => {
                assert!(got[1..].iter().all(|word| *word == 7), "left as it was");
                continue;
            }
            PROCESSED_LOGPROBS if has_edges(row) => &processed[i],
            _ => &whole[i],
        };
        let has_edges = row.logprobs == PROCESSED_LOGPROBS && has_edges(row);
        // The logarithm of a sum known within 1e-6 of itself.
        let bound = |x: f32| 4e-6 + 4e-7 * x.abs();
        let pairs = 3 + 2 * row.top_logprobs as usize;
        let logprobs = |result: &[u32]| -> Vec<f32> {
            let bits = result[3..pairs].chunks(2).map(|pair| pair[1]);
            let bits = [result[1]].into_iter().chain(bits);
            bits.map(f32::from_bits).collect()
        };
        let (found, wanted) = (logprobs(got), logprobs(expected));
        assert_close("logprob", &found, &wanted, |i| bound(wanted[i]));
        assert_eq!(got[0], expected[0], "{row:?}");
        // Processed scores have come here as logprobs, in which what was hardly different may be equal.
        let scores = &scores.logits[i * case.vocab..(i + 1) * case.vocab];
        let equal = |id: u32, other: u32| {
            let [one, two] = [id, other].map(|id| scores[id as usize]);
            has_edges && (one == two || (one - two).abs() <= bound(one))
        };
        let near = match scores.get(got[0] as usize) {
            Some(score) if has_edges && score.is_finite() => {
                let above = |floor: f32| scores.iter().filter(|x| **x > floor).count() as u32;
                1 + above(score + bound(*score))..=1 + above(score - bound(*score))
            }
            _ => expected[2]..=expected[2],
        };
        assert!(
            near.contains(&got[2]),
            "{row:?}: rank {}, expected {near:?}",
            got[2]
        );
        for (got, expected) in got[3..pairs].chunks(2).zip(expected[3..pairs].chunks(2)) {
            let (got, expected) = (got[0], expected[0]);
            assert!(
                got == expected || equal(got, expected),
                "{row:?}: {got}, expected {expected}"
            );
        }
        assert_eq!(got[pairs..], vec![7; got.len() - pairs], "left as it was");
    }
}

/// Tokens are written where their keys and values are, behind the copies of a step.
pub fn keeps_tokens<B: Subject>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut tokens = TokenCache {
        ids: put(
            &mut device,
            &[10, 11, 12, 13, 20, 21, 22, 23, 0, 0, 0, 0, 1, 1, 1, 1],
        ),
        block_size: 4,
    };
    let copies = [BlockCopy { from: 0, to: 2 }, BlockCopy { from: 1, to: 3 }];
    let ids = Staged::put(&mut device, &[7_u32, 8, 9]);
    let slots = Staged::put(&mut device, &[10_u32, 5, 15]);
    let copies = Staged::put(&mut device, &copies);
    device
        .keep_tokens(ids.get(), slots.get(), copies.get(), &mut tokens)
        .expect("launches");
    let found = get(&mut device, &tokens.ids, 16);
    assert_eq!(
        found,
        [10, 11, 12, 13, 20, 8, 22, 23, 10, 11, 7, 13, 20, 21, 22, 9]
    );
}

pub fn is_batch_invariant<B: Subject>() {
    let mut random = Random(15);
    // One row that is a task, and one that is several.
    for (rows, vocab, lens) in [(40, 777, &[1, 2, 7, 40][..]), (6, 40_003, &[1, 4, 6])] {
        let case = Case::random(&mut random, rows, vocab);
        let Some(mut device) = B::start(1) else {
            return;
        };
        let (drawn, scores) = case.process(&mut device);
        let reported = case.results(&mut device, None, TOP);
        for threads in THREADS.into_iter().chain([64]) {
            let Some(mut device) = B::start(threads) else {
                return;
            };
            for &len in lens {
                for start in (0..rows).step_by(len).filter(|start| start + len <= rows) {
                    let part = case.part(start, start + len);
                    let (got, got_scores) = part.process(&mut device);
                    assert_eq!(
                        got,
                        drawn[start..start + len],
                        "{len} rows, {threads} threads"
                    );
                    let expected = &scores[start * vocab..(start + len) * vocab];
                    assert_same_bits("logprobs", &got_scores, expected);
                    let got = part.results(&mut device, None, TOP);
                    assert_eq!(
                        got,
                        reported[start..start + len],
                        "{len} rows, {threads} threads"
                    );
                }
            }
        }
    }
}

/// What the sampler answers.
pub fn answer<B: Subject>() -> Option<Answer> {
    let mut device = B::start(3)?;
    let mut random = Random(45);
    let mut answer = Answer::default();
    for vocab in VOCABS.into_iter().chain([20_011]) {
        for _ in 0..4 {
            let case = Case::random(&mut random, 20, vocab);
            let (drawn, logprobs) = case.process(&mut device);
            answer.words(&drawn);
            answer.numbers(&logprobs);
            for result in case.results(&mut device, None, TOP) {
                answer.words(&result);
            }
        }
    }
    Some(answer)
}
