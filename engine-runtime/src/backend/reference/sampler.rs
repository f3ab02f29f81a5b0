//! From logits to a token and its logprobs, one row at a time.
//!
//! A score that is not a number counts as minus infinity everywhere.

use std::collections::BTreeMap;

use crate::backend::{LogitEdit, NO_TOKEN, SamplingRow};

/// Turns logits into scores in place: edits, penalties, temperature, top-k, top-p, min-p. `seen` are the tokens in front
/// of the choice, if penalties look at them.
pub(super) fn process(row: &SamplingRow, seen: &[u32], edits: &[LogitEdit], scores: &mut [f32]) {
    for edit in &edits[row.edits_start as usize..row.edits_end as usize] {
        scores[edit.token as usize] += edit.bias;
    }
    // How often each token was seen in the output.
    let mut counts = BTreeMap::new();
    for (position, token) in (0..).zip(seen) {
        *counts.entry(token).or_insert(0) += u32::from(position >= row.prompt);
    }
    for (token, count) in counts {
        let score = &mut scores[*token as usize];
        if *score > 0.0 {
            *score /= row.repetition_penalty;
        } else {
            *score *= row.repetition_penalty;
        }
        if count > 0 {
            *score -= row.presence_penalty;
            *score -= row.frequency_penalty * count as f32;
        }
    }
    for score in scores.iter_mut().filter(|score| score.is_nan()) {
        *score = f32::NEG_INFINITY;
    }
    if row.temperature > 0.0 {
        for score in scores.iter_mut() {
            *score /= row.temperature;
        }
        truncate(row, scores);
    }
}

/// Drops what top-k, then top-p, then min-p do not keep.
fn truncate(row: &SamplingRow, scores: &mut [f32]) {
    let order = descending(scores);
    let largest = scores[order[0]];
    if row.top_k > 0 {
        drop_from(scores, &order, row.top_k as usize);
    }
    if row.top_p < 1.0 {
        let total: f64 = scores.iter().map(|score| weight(*score, largest)).sum();
        let mut sum = 0.0;
        let reached = order.iter().position(|&token| {
            sum += weight(scores[token], largest);
            sum >= f64::from(row.top_p) * total
        });
        drop_from(scores, &order, reached.map_or(order.len(), |last| last + 1));
    }
    if row.min_p > 0.0 {
        for score in scores {
            if weight(*score, largest) < f64::from(row.min_p) {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}

fn drop_from(scores: &mut [f32], order: &[usize], keep: usize) {
    for &token in order.iter().skip(keep) {
        scores[token] = f32::NEG_INFINITY;
    }
}

pub(super) fn sample(row: &SamplingRow, scores: &[f32]) -> u32 {
    let best = descending(scores)[0];
    let largest = scores[best];
    if largest == f32::NEG_INFINITY || largest.is_nan() {
        return NO_TOKEN;
    }
    if row.temperature == 0.0 {
        return best as u32;
    }
    let total: f64 = scores.iter().map(|score| weight(*score, largest)).sum();
    let mut sum = 0.0;
    let drawn = scores.iter().position(|score| {
        sum += weight(*score, largest);
        sum > f64::from(row.uniform) * total
    });
    // Rounding can keep the last sum at the threshold: the largest is always a token that could be drawn.
    drawn.unwrap_or(best) as u32
}

/// Fills in a result behind its token: logprob, rank, and `top` pairs.
pub(super) fn logprobs(scores: &[f32], top: usize, result: &mut [u32]) {
    let order = descending(scores);
    let largest = number(scores[order[0]]);
    let total: f64 = scores.iter().map(|score| weight(*score, largest)).sum();
    let logprob = |token: usize| {
        let score = number(scores[token]);
        let distance = match score {
            f32::NEG_INFINITY => f64::NEG_INFINITY,
            score if score == largest => 0.0,
            score => f64::from(score) - f64::from(largest),
        };
        // The total is 0 only where every score is minus infinity.
        let total = total.max(f64::MIN_POSITIVE);
        ((distance - total.ln()) as f32).to_bits()
    };
    let (logprob_of_token, rank) = match scores.get(result[0] as usize) {
        Some(&score) => (
            logprob(result[0] as usize),
            1 + scores
                .iter()
                .filter(|other| **other > number(score))
                .count(),
        ),
        None => (f32::NAN.to_bits(), 0),
    };
    result[1] = logprob_of_token;
    result[2] = rank as u32;
    for (i, pair) in result[3..].chunks_exact_mut(2).take(top).enumerate() {
        match order.get(i) {
            Some(&token) => pair.copy_from_slice(&[token as u32, logprob(token)]),
            None => pair.copy_from_slice(&[NO_TOKEN, f32::NEG_INFINITY.to_bits()]),
        }
    }
}

/// Token ids from the largest score down, lowest id first among equals.
fn descending(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| number(scores[b]).total_cmp(&number(scores[a])));
    order
}

/// exp(score - largest), also where both are infinite.
fn weight(score: f32, largest: f32) -> f64 {
    let score = number(score);
    if score == f32::NEG_INFINITY {
        return 0.0;
    }
    if score == largest {
        return 1.0;
    }
    (f64::from(score) - f64::from(largest)).exp()
}

/// A score to compare by: without NaN, and with one zero.
fn number(score: f32) -> f32 {
    if score.is_nan() {
        f32::NEG_INFINITY
    } else {
        score + 0.0
    }
}
