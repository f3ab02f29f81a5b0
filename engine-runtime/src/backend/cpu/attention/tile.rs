//! One tile of cached positions, added to the queries of some heads: the inner loops of attention.

use std::ops::Range;

use crate::backend::cpu::exp::exp;
use crate::backend::cpu::isa::{Isa, MAX_LANES, Sums};
use crate::backend::cpu::memory::Scratch;
use crate::backend::cpu::rows::{load, store};

/// Positions of a tile. A multiple of two vectors of every instruction set.
pub(super) const TILE: usize = 64;
/// Heads of one query that are computed together, at most.
pub(super) const MAX_HEADS: usize = 8;

/// The arrays of a task, all f32. `width` is head_dim, up to a multiple of two vectors; what is added stays zero.
pub(super) struct State<'s> {
    pub(super) width: usize,
    /// [rows, group, head_dim], scaled, but with the heads of a tile of heads interleaved.
    pub(super) queries: &'s mut [f32],
    /// [rows, group]
    pub(super) largest: &'s mut [f32],
    /// [rows, group]
    pub(super) totals: &'s mut [f32],
    /// [rows, group, width]
    pub(super) sums: &'s mut [f32],
    /// One tile, [head_dim, TILE].
    pub(super) keys: &'s mut [f32],
    /// One tile, [TILE, width].
    pub(super) values: &'s mut [f32],
    /// [MAX_HEADS, TILE]
    pub(super) weights: &'s mut [f32],
}

fn width<I: Isa>(dim: usize) -> usize {
    dim.next_multiple_of(2 * I::LANES)
}

impl<'s> State<'s> {
    /// Elements of `sums`, `keys`, `values`, `weights`, `queries`, `largest` and `totals`.
    pub(super) fn lens<I: Isa>(rows: usize, group: usize, dim: usize) -> [usize; 7] {
        let width = width::<I>(dim);
        [
            rows * group * width,
            dim * TILE,
            TILE * width,
            MAX_HEADS * TILE,
            rows * group * dim,
            rows * group,
            rows * group,
        ]
    }

    pub(super) fn new<I: Isa>(
        scratch: &'s mut Scratch,
        rows: usize,
        group: usize,
        dim: usize,
    ) -> Self {
        let lens = Self::lens::<I>(rows, group, dim);
        let mut rest = scratch.take::<f32>(lens.iter().sum());
        let [sums, keys, values, weights, queries, largest, totals] = lens.map(|len| {
            let (part, behind) = std::mem::take(&mut rest).split_at_mut(len);
            rest = behind;
            part
        });
        sums.fill(0.0);
        values.fill(0.0);
        largest.fill(f32::NEG_INFINITY);
        totals.fill(0.0);
        Self {
            width: width::<I>(dim),
            queries,
            largest,
            totals,
            sums,
            keys,
            values,
            weights,
        }
    }
}

/// Adds the positions `seen` of the tile to `M` heads of one row, `at` the first of them.
#[inline(always)]
pub(super) fn add_tile<I: Isa, const M: usize>(
    isa: I,
    state: &mut State<'_>,
    dim: usize,
    at: usize,
    seen: &Range<usize>,
) {
    let queries = &state.queries[at * dim..(at + M) * dim];
    // Lanes hold fixed places of the tile, whatever is seen of it: what lies before gets no weight.
    let start = seen.start / (2 * I::LANES) * (2 * I::LANES);
    for columns in (start..seen.end).step_by(2 * I::LANES) {
        let mut scores = [[isa.splat(0.0); 2]; M];
        for (keys, queries) in state.keys.chunks_exact(TILE).zip(queries.chunks_exact(M)) {
            let keys = pair(isa, &keys[columns..]);
            multiply(isa, &mut scores, keys, |head| queries[head]);
        }
        for (head, scores) in scores.iter().enumerate() {
            put(isa, *scores, &mut state.weights[head * TILE + columns..]);
        }
    }
    // A block of sums begins at the same places on every instruction set.
    let start = seen.start / Sums::<I>::BLOCK * Sums::<I>::BLOCK;
    for weights in state.weights.as_chunks_mut::<TILE>().0.iter_mut().take(M) {
        weights[start..seen.start].fill(f32::NEG_INFINITY);
    }
    let factors = soften::<I, M>(isa, state, at, start..seen.end);
    let width = state.width;
    let weights: &[[f32; TILE]; M] = state
        .weights
        .as_chunks()
        .0
        .first_chunk()
        .expect("weights of MAX_HEADS heads");
    for columns in (0..width).step_by(2 * I::LANES) {
        let mut sums = [[isa.splat(0.0); 2]; M];
        for (head, sums) in sums.iter_mut().enumerate() {
            let factor = isa.splat(factors[head]);
            let before = pair(isa, &state.sums[(at + head) * width + columns..]);
            *sums = [isa.mul(before[0], factor), isa.mul(before[1], factor)];
        }
        let values = state.values[seen.start * width..].chunks_exact(width);
        for (position, values) in (seen.start..seen.end.min(TILE)).zip(values) {
            let values = pair(isa, &values[columns..]);
            multiply(isa, &mut sums, values, |head| weights[head][position]);
        }
        for (head, sums) in sums.iter().enumerate() {
            put(isa, *sums, &mut state.sums[(at + head) * width + columns..]);
        }
    }
}

/// Turns the scores `seen` of `M` heads into weights relative to the largest so far, and adds them to the totals.
/// Returns what the sums so far must be multiplied by.
#[inline(always)]
fn soften<I: Isa, const M: usize>(
    isa: I,
    state: &mut State<'_>,
    at: usize,
    seen: Range<usize>,
) -> [f32; MAX_LANES] {
    let heads = state.weights.as_chunks_mut::<TILE>().0;
    let (largest, totals) = (
        &mut state.largest[at..at + M],
        &mut state.totals[at..at + M],
    );
    let mut factors = [0.0; MAX_LANES];
    for (head, largest) in largest.iter_mut().enumerate() {
        let scores = &heads[head][seen.clone()];
        let (vectors, rest) = scores.split_at(scores.len() / I::LANES * I::LANES);
        let mut vector = isa.splat(*largest);
        for scores in vectors.chunks_exact(I::LANES) {
            vector = isa.max(load(isa, scores), vector);
        }
        let before = *largest;
        *largest = rest.iter().copied().fold(isa.largest(vector), f32::max);
        factors[head] = before - *largest;
    }
    for factors in factors[..M].chunks_mut(I::LANES) {
        store(isa, exp(isa, load(isa, factors)), factors);
    }
    for (head, total) in totals.iter_mut().enumerate() {
        let shift = isa.splat(largest[head]);
        let mut sums = Sums::new(isa);
        for scores in heads[head][seen.clone()].chunks_mut(I::LANES) {
            let weights = exp(isa, isa.sub(load(isa, scores), shift));
            store(isa, weights, scores);
        }
        for block in heads[head][seen.clone()].chunks(Sums::<I>::BLOCK) {
            sums.add(isa, block);
        }
        *total = *total * factors[head] + sums.total(isa);
    }
    factors
}

/// sums [M, 2 vectors] += factors [M] * columns [2 vectors]
#[inline(always)]
fn multiply<I: Isa, const M: usize>(
    isa: I,
    sums: &mut [[I::Vector; 2]; M],
    columns: [I::Vector; 2],
    factor: impl Fn(usize) -> f32,
) {
    for (head, sums) in sums.iter_mut().enumerate() {
        let factor = isa.splat(factor(head));
        *sums = [
            isa.mul_add(columns[0], factor, sums[0]),
            isa.mul_add(columns[1], factor, sums[1]),
        ];
    }
}

#[inline(always)]
fn pair<I: Isa>(isa: I, from: &[f32]) -> [I::Vector; 2] {
    let from = &from[..2 * I::LANES];
    // SAFETY: the slice holds two vectors.
    unsafe {
        [
            isa.load(from.as_ptr()),
            isa.load(from.as_ptr().add(I::LANES)),
        ]
    }
}

#[inline(always)]
fn put<I: Isa>(isa: I, pair: [I::Vector; 2], to: &mut [f32]) {
    let to = &mut to[..2 * I::LANES];
    // SAFETY: the slice holds two vectors.
    unsafe {
        isa.store(pair[0], to.as_mut_ptr());
        isa.store(pair[1], to.as_mut_ptr().add(I::LANES));
    }
}
