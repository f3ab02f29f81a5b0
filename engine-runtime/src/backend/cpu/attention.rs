//! Attention over the paged cache.
//!
//! A task has the queries of some rows of one sequence that share a kv head. It takes the cache in tiles of [`TILE`]
//! positions at fixed places, widens each once, and adds it to every query's online softmax (Milakov and Gimelshein,
//! arXiv 1805.02867). What a query adds, and in which order, follows from its own position: nothing depends on
//! which rows share its task.

use std::cell::RefCell;
use std::ops::Range;

use super::cache::Cache;
use super::exp::exp;
use super::isa::{Dot, Isa, Kernel, MAX_LANES};
use super::memory::{Disjoint, Scratch};
use super::pool::Pool;
use super::rows::{load, store};
use crate::backend::Heads;
use crate::dtype::Float;

/// Positions of a tile. A multiple of two vectors of every instruction set.
const TILE: usize = 64;
/// Rows of a task: they share the widened tiles.
const ROWS: usize = 32;
/// Heads of one query that are computed together, at most.
const MAX_HEADS: usize = 8;

/// [`AttentionBatch`](crate::backend::AttentionBatch), looked up.
#[derive(Clone, Copy)]
pub(super) struct Queries<'a> {
    pub query_start: &'a [u32],
    pub context_len: &'a [u32],
    pub table_start: &'a [u32],
    pub blocks: &'a [u32],
    pub max_query: usize,
}

/// What all tasks of one call share.
#[derive(Clone, Copy)]
pub(super) struct Attention<'a, D> {
    /// [rows, layout.width()]
    pub qkv: &'a [f32],
    pub cache: &'a Cache<D>,
    pub layer: usize,
    pub queries: Queries<'a>,
    pub heads: Heads,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl<D: Float> Attention<'_, D> {
    /// out [rows, layout.q_width()]
    pub fn launch<I: Dot<D>>(self, isa: I, pool: &mut Pool, out: &mut [f32]) {
        let chunks = self.queries.max_query.div_ceil(ROWS);
        let seqs = self.queries.context_len.len();
        let heads = self.heads.layout.kv_heads;
        let out = Disjoint::new(out);
        pool.run(seqs * chunks * heads, |task| {
            let (seq, chunk, kv_head) = (
                task / heads % seqs,
                // The last rows have the longest context: they go first, so that no thread ends with one.
                chunks - 1 - task / heads / seqs,
                task % heads,
            );
            let start = self.queries.query_start[seq] as usize;
            let end = self.queries.query_start[seq + 1] as usize;
            let rows = start + chunk * ROWS..end.min(start + (chunk + 1) * ROWS);
            if rows.is_empty() {
                return;
            }
            SCRATCH.with_borrow_mut(|scratch| {
                let work = Work {
                    call: self,
                    position: self.queries.context_len[seq] as usize - (end - rows.start),
                    seq,
                    rows,
                    kv_head,
                    out,
                };
                isa.enter(Task { work, scratch });
            });
        });
    }

    /// Query heads of a kv head.
    fn group(&self) -> usize {
        self.heads.layout.q_heads / self.heads.layout.kv_heads
    }
}

/// Some consecutive rows of one sequence and the query heads of one kv head.
struct Work<'a, D> {
    call: Attention<'a, D>,
    seq: usize,
    rows: Range<usize>,
    /// Of the first row.
    position: usize,
    kv_head: usize,
    out: Disjoint<'a, f32>,
}

struct Task<'a, 's, D> {
    work: Work<'a, D>,
    scratch: &'s mut Scratch,
}

/// The arrays of a task, all f32. `width` is head_dim, up to a multiple of two vectors; what is added stays zero.
struct State<'s> {
    width: usize,
    /// [rows, group, head_dim], scaled, but with the heads of a tile of heads interleaved.
    queries: &'s mut [f32],
    /// [rows, group]
    largest: &'s mut [f32],
    /// [rows, group]
    totals: &'s mut [f32],
    /// [rows, group, width]
    sums: &'s mut [f32],
    /// One tile, [head_dim, TILE].
    keys: &'s mut [f32],
    /// One tile, [TILE, width].
    values: &'s mut [f32],
    /// [MAX_HEADS, TILE]
    weights: &'s mut [f32],
}

impl<'s> State<'s> {
    fn new<I: Isa>(scratch: &'s mut Scratch, rows: usize, group: usize, dim: usize) -> Self {
        let width = dim.next_multiple_of(2 * I::LANES);
        let lens = [
            rows * group * width,
            dim * TILE,
            TILE * width,
            MAX_HEADS * TILE,
            rows * group * dim,
            rows * group,
            rows * group,
        ];
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
            width,
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

impl<I: Dot<D>, D: Float> Kernel<I> for Task<'_, '_, D> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let work = self.work;
        let (group, dim) = (work.call.group(), work.call.heads.layout.head_dim);
        let mut state = State::new::<I>(self.scratch, work.rows.len(), group, dim);
        let together = I::TILE_ROWS.min(MAX_HEADS);
        work.load_queries(together, &mut state);
        let heads = work.call.heads;
        // What some query of the task sees; each query sees a part of it.
        let seen = heads.first_seen(work.position)..work.position + work.rows.len();
        for first in (seen.start / TILE * TILE..seen.end).step_by(TILE) {
            work.load_tile(isa, first, cut(&seen, first), &mut state);
            for row in 0..work.rows.len() {
                let position = work.position + row;
                let seen = cut(&(heads.first_seen(position)..position + 1), first);
                if seen.is_empty() {
                    continue;
                }
                for head in (0..group).step_by(together) {
                    let at = row * group + head;
                    match together.min(group - head) {
                        1 => add_tile::<I, 1>(isa, &mut state, dim, at, &seen),
                        2 => add_tile::<I, 2>(isa, &mut state, dim, at, &seen),
                        3 => add_tile::<I, 3>(isa, &mut state, dim, at, &seen),
                        4 => add_tile::<I, 4>(isa, &mut state, dim, at, &seen),
                        5 => add_tile::<I, 5>(isa, &mut state, dim, at, &seen),
                        6 => add_tile::<I, 6>(isa, &mut state, dim, at, &seen),
                        7 => add_tile::<I, 7>(isa, &mut state, dim, at, &seen),
                        8 => add_tile::<I, 8>(isa, &mut state, dim, at, &seen),
                        _ => unreachable!("at most MAX_HEADS heads together"),
                    }
                }
            }
        }
        work.finish(isa, &state);
    }
}

/// The part of `positions` that lies in the tile at `first`, relative to it.
fn cut(positions: &Range<usize>, first: usize) -> Range<usize> {
    let place = |position: usize| position.saturating_sub(first).min(TILE);
    place(positions.start)..place(positions.end)
}

impl<D: Float> Work<'_, D> {
    /// Scales the queries. Heads that are computed together are interleaved: [head_dim, heads].
    fn load_queries(&self, together: usize, state: &mut State<'_>) {
        let (group, layout) = (self.call.group(), self.call.heads.layout);
        let dim = layout.head_dim;
        for (i, row) in self.rows.clone().enumerate() {
            let heads = &self.call.qkv[row * layout.width() + self.kv_head * group * dim..];
            let queries = &mut state.queries[i * group * dim..(i + 1) * group * dim];
            let tiles = heads[..group * dim].chunks(together * dim);
            for (heads, queries) in tiles.zip(queries.chunks_mut(together * dim)) {
                let count = heads.len() / dim;
                for (head, values) in heads.chunks_exact(dim).enumerate() {
                    for (to, from) in queries[head..].iter_mut().step_by(count).zip(values) {
                        *to = from * self.call.heads.scale;
                    }
                }
            }
        }
    }

    /// Widens the positions `seen` of the tile at `first`, and none beside them.
    #[inline(always)]
    fn load_tile<I: Dot<D>>(
        &self,
        isa: I,
        first: usize,
        seen: Range<usize>,
        state: &mut State<'_>,
    ) {
        let (size, dim) = (
            self.call.cache.block_size(),
            self.call.heads.layout.head_dim,
        );
        let queries = self.call.queries;
        let table = &queries.blocks[queries.table_start[self.seq] as usize..];
        let mut done = seen.start;
        while done < seen.end {
            let (index, offset) = ((first + done) / size, (first + done) % size);
            let run = (size - offset).min(seen.end - done);
            let block =
                self.call
                    .cache
                    .block_head(self.call.layer, table[index] as usize, self.kv_head);
            let keys = block.keys.chunks_exact(size);
            for (from, to) in keys.zip(state.keys.chunks_exact_mut(TILE)) {
                isa.widen(&from[offset..offset + run], &mut to[done..done + run]);
            }
            let values = block.values[offset * dim..].chunks_exact(dim).take(run);
            let width = state.width;
            for (from, to) in values.zip(state.values[done * width..].chunks_exact_mut(width)) {
                isa.widen(from, &mut to[..dim]);
            }
            done += run;
        }
    }

    /// Divides by the totals and writes the output.
    #[inline(always)]
    fn finish<I: Isa>(&self, isa: I, state: &State<'_>) {
        let (group, layout) = (self.call.group(), self.call.heads.layout);
        let dim = layout.head_dim;
        for (i, row) in self.rows.clone().enumerate() {
            let start = row * layout.q_width() + self.kv_head * group * dim;
            // SAFETY: rows and kv head belong to this task.
            let out = unsafe { self.out.slice(start, group * dim) };
            for (head, out) in out.chunks_exact_mut(dim).enumerate() {
                let at = i * group + head;
                let total = isa.splat(state.totals[at]);
                let sums = &state.sums[at * state.width..][..dim];
                for (out, sums) in out.chunks_mut(I::LANES).zip(sums.chunks(I::LANES)) {
                    store(isa, isa.div(load(isa, sums), total), out);
                }
            }
        }
    }
}

/// Adds the positions `seen` of the tile to `M` heads of one row, `at` the first of them.
#[inline(always)]
fn add_tile<I: Isa, const M: usize>(
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
        let mut sum = isa.splat(0.0);
        for scores in heads[head][seen.clone()].chunks_mut(I::LANES) {
            let weights = exp(isa, isa.sub(load(isa, scores), shift));
            store(isa, weights, scores);
            // A short last vector is read back, without what its padding became.
            sum = isa.add(sum, load(isa, scores));
        }
        *total = *total * factors[head] + isa.sum(sum);
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
