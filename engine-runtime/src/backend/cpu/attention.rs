//! Attention over the paged cache.
//!
//! A task has the queries of some rows of one sequence that share a kv head. It takes the cache in tiles of [`TILE`]
//! positions at fixed places, widens each once, and adds it to every query's online softmax (Milakov and Gimelshein,
//! arXiv 1805.02867). What a query adds, and in which order, follows from its own position: nothing depends on
//! which rows share its task.

mod tile;

use std::ops::Range;

use super::cache::Cache;
use super::isa::{Dot, Isa, Kernel};
use super::lent::Lent;
use super::memory::{Disjoint, Scratch};
use super::pool::Pool;
use super::rows::{load, store};
use crate::backend::{HeadLayout, Heads};
use crate::dtype::Float;
use tile::{MAX_HEADS, State, TILE, add_tile};

/// Rows of a task: they share the widened tiles.
const ROWS: usize = 32;

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

/// Bytes of a task's arrays, in steps of `rows` rows.
pub(super) fn scratch<I: Isa>(rows: usize, heads: HeadLayout) -> usize {
    let group = heads.q_heads.checked_div(heads.kv_heads).unwrap_or(0);
    let lens = State::lens::<I>(rows.min(ROWS), group, heads.head_dim);
    Scratch::bytes_for::<f32>(lens.iter().sum())
}

impl<D: Float> Attention<'_, D> {
    /// out [rows, layout.q_width()]
    pub fn launch<I: Dot<D>>(self, isa: I, pool: &mut Pool, lent: &Lent, out: &mut [f32]) {
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
            lent.with(|kept| {
                let work = Work {
                    call: self,
                    position: self.queries.context_len[seq] as usize - (end - rows.start),
                    seq,
                    rows,
                    kv_head,
                    out,
                };
                let scratch = &mut kept.attention;
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
