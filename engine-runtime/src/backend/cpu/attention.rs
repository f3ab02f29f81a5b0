//! Attention over the paged cache.
//!
//! Positions are cut into partitions at fixed places. What a query makes of a partition (its largest score, the total of
//! its weights, the sums of weighted values) begins from nothing, and partitions are merged in ascending order with the
//! rule of Milakov and Gimelshein (arXiv 1805.02867). So what a query adds, and in which order, follows from its own
//! position: nothing depends on which rows share its task, nor on whether one task has all of its partitions or each of
//! several has some.

mod partition;
mod plan;
mod state;
mod tile;

use std::ops::Range;

use super::cache::Cache;
use super::isa::{Dot, Isa, Kernel};
use super::lent::Lent;
use super::memory::{Disjoint, Scratch};
use super::pool::Pool;
use super::tiles::{MAX_TILE, Tiles};
use crate::backend::{HeadLayout, Heads};
use crate::dtype::Float;
use partition::{Located, PARTITION, cut};
use plan::{Plan, Share, Split};
use state::{Partial, State};
use tile::{add_values, score, soften};

/// [`AttentionBatch`](crate::backend::AttentionBatch), looked up.
#[derive(Clone, Copy)]
pub(super) struct Queries<'a> {
    pub query_start: &'a [u32],
    pub context_len: &'a [u32],
    pub table_start: &'a [u32],
    pub blocks: &'a [u32],
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
pub(super) fn scratch(rows: usize, heads: HeadLayout) -> usize {
    let rows = rows.min(plan::most_rows(heads));
    let lens = State::<f32>::lens(rows * heads.group(), heads.head_dim);
    Scratch::bytes_for::<f32>(lens.iter().sum())
}

/// Bytes of what tasks leave to each other, in steps of `rows` rows that see `positions` at most.
pub(super) fn shared_scratch(rows: usize, positions: usize, heads: HeadLayout) -> usize {
    let slots = rows.min(plan::SPLIT_ROWS) * positions.div_ceil(PARTITION);
    let partials = slots.saturating_mul(heads.kv_heads);
    Scratch::bytes_for::<f32>(partials.saturating_mul(partial_len(heads)))
}

/// Elements of what the query heads of one kv head make of a partition.
fn partial_len(heads: HeadLayout) -> usize {
    Partial::len(heads.group(), heads.head_dim)
}

impl<D: Float> Attention<'_, D> {
    /// out [rows, layout.q_width()]; what is split lies in `shared` until it is joined.
    pub fn launch<I: Dot<D>>(
        self,
        isa: I,
        pool: &mut Pool,
        (lent, shared): (&Lent, &mut Scratch),
        out: &mut [f32],
    ) {
        let layout = self.heads.layout;
        let plan = Plan::of(&self.queries, self.heads, pool.threads());
        let partials = shared.take::<f32>(plan.slots() * layout.kv_heads * partial_len(layout));
        let (out, partials) = (Disjoint::new(out), Disjoint::new(partials));
        pool.run(plan.shares.len() * layout.kv_heads, |task| {
            let work = Work {
                call: self,
                share: &plan.shares[task / layout.kv_heads],
                kv_head: task % layout.kv_heads,
                out,
                partials,
            };
            lent.with(|kept| {
                let scratch = &mut kept.attention;
                isa.enter(Task { work, scratch });
            });
        });
        pool.run(plan.splits.len() * layout.kv_heads, |task| {
            lent.with(|kept| {
                isa.enter(Join {
                    layout,
                    split: &plan.splits[task / layout.kv_heads],
                    kv_head: task % layout.kv_heads,
                    out,
                    partials,
                    scratch: &mut kept.attention,
                });
            });
        });
    }
}

/// A share of a call, for the query heads of one kv head.
struct Work<'a, D> {
    call: Attention<'a, D>,
    share: &'a Share,
    kv_head: usize,
    out: Disjoint<'a, f32>,
    /// [slots, kv_heads] partials
    partials: Disjoint<'a, f32>,
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
        let (share, layout) = (work.share, work.call.heads.layout);
        let dim = layout.head_dim;
        let tiles = Tiles::of::<I>(share.rows.len() * layout.group());
        let mut state = State::<D>::new(self.scratch, tiles.rows, dim);
        work.load_queries(tiles, state.queries);
        for partition in share.partitions.clone() {
            let located = work.locate(partition, state.packed);
            for tile in 0..tiles.count() {
                let (first, height) = tiles.tile(tile);
                let seen = work.seen(partition, first..first + height);
                let seen = &seen[..height];
                if seen.iter().all(Range::is_empty) {
                    continue;
                }
                let queries = &state.queries[first * dim..(first + height) * dim];
                score(isa, &located, queries, seen, state.weights);
                soften(isa, seen, state.weights, &mut state.here);
                add_values(isa, &located, seen, state.weights, &mut state.here);
                match share.slot {
                    None => state.so_far.merge(isa, first, &state.here, seen),
                    Some(slot) => {
                        let slot = slot + partition - share.partitions.start;
                        let (all, kv_head) = (&work.partials, work.kv_head);
                        // SAFETY: each slot is one share's, and each kv head one task's.
                        let mut partial = unsafe { partial(all, layout, slot, kv_head) };
                        partial.copy(first, &state.here, height);
                    }
                }
            }
        }
        if share.slot.is_none() {
            for (i, row) in share.rows.clone().enumerate() {
                let queries = i * layout.group()..(i + 1) * layout.group();
                // SAFETY: rows and kv head belong to this task.
                let out = unsafe { heads_of_row(&work.out, layout, row, work.kv_head) };
                state.so_far.finish(isa, queries, out);
            }
        }
    }
}

/// # Safety
/// As of [`Disjoint::slice`], for the slot and the kv head.
unsafe fn partial<'a>(
    partials: &'a Disjoint<'_, f32>,
    layout: HeadLayout,
    slot: usize,
    kv_head: usize,
) -> Partial<'a> {
    let len = partial_len(layout);
    let start = (slot * layout.kv_heads + kv_head) * len;
    // SAFETY: the caller's word.
    let slice = unsafe { partials.slice(start, len) };
    Partial::new(slice, layout.group(), layout.head_dim)
}

/// The output of the query heads of one kv head.
///
/// # Safety
/// As of [`Disjoint::slice`], for the row and the kv head.
#[allow(clippy::mut_from_ref)]
unsafe fn heads_of_row<'a>(
    out: &'a Disjoint<'_, f32>,
    layout: HeadLayout,
    row: usize,
    kv_head: usize,
) -> &'a mut [f32] {
    let len = layout.group() * layout.head_dim;
    // SAFETY: the caller's word.
    unsafe { out.slice(row * layout.q_width() + kv_head * len, len) }
}

impl<D: Float> Work<'_, D> {
    /// Scales the queries. Those that are computed together are interleaved: [tiles][head_dim, queries of the tile].
    fn load_queries(&self, tiles: Tiles, queries: &mut [f32]) {
        let Heads { layout, scale, .. } = self.call.heads;
        let (group, dim) = (layout.group(), layout.head_dim);
        for tile in 0..tiles.count() {
            let (first, height) = tiles.tile(tile);
            let queries = &mut queries[first * dim..(first + height) * dim];
            for i in 0..height {
                let (row, head) = ((first + i) / group, (first + i) % group);
                let start = (self.share.rows.start + row) * layout.width();
                let head = self.kv_head * group + head;
                let values = &self.call.qkv[start + head * dim..][..dim];
                for (to, from) in queries[i..].iter_mut().step_by(height).zip(values) {
                    *to = from * scale;
                }
            }
        }
    }

    /// What each of some queries sees of a partition.
    fn seen(&self, partition: usize, queries: Range<usize>) -> [Range<usize>; MAX_TILE] {
        let heads = self.call.heads;
        let mut seen = [const { 0..0 }; MAX_TILE];
        for (seen, query) in seen.iter_mut().zip(queries) {
            let position = self.share.position + query / heads.layout.group();
            *seen = cut(&(heads.first_seen(position)..position + 1), partition);
        }
        seen
    }

    fn locate<'p>(&'p self, partition: usize, packed: &'p mut [D]) -> Located<'p, D> {
        let (call, share) = (&self.call, self.share);
        let last = share.position + share.rows.len();
        let seen = call.heads.first_seen(share.position)..last;
        let source = partition::Source {
            cache: call.cache,
            layer: call.layer,
            kv_head: self.kv_head,
            table: &call.queries.blocks[call.queries.table_start[share.seq] as usize..],
        };
        let next = match share.partitions.contains(&(partition + 1)) {
            true => cut(&seen, partition + 1),
            false => 0..0,
        };
        source.locate(partition, [&cut(&seen, partition), &next], packed)
    }
}

/// Merges what the tasks of a split row have left, for the query heads of one kv head.
struct Join<'a, 's> {
    layout: HeadLayout,
    split: &'a Split,
    kv_head: usize,
    out: Disjoint<'a, f32>,
    partials: Disjoint<'a, f32>,
    scratch: &'s mut Scratch,
}

impl<I: Isa> Kernel<I> for Join<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let (layout, group) = (self.layout, self.layout.group());
        let scratch = self.scratch.take::<f32>(partial_len(layout));
        let mut so_far = Partial::new(scratch, group, layout.head_dim);
        so_far.clear();
        let seen = [const { 0..PARTITION }; MAX_TILE];
        for slot in self.split.slots.clone() {
            // SAFETY: each slot is one split's, and each kv head one task's.
            let mut partial = unsafe { partial(&self.partials, layout, slot, self.kv_head) };
            for first in (0..group).step_by(MAX_TILE) {
                let queries = first..group.min(first + MAX_TILE);
                let seen = &seen[..queries.len()];
                so_far.merge(isa, first, &partial.part(queries), seen);
            }
        }
        // SAFETY: row and kv head belong to this task.
        let out = unsafe { heads_of_row(&self.out, layout, self.split.row, self.kv_head) };
        so_far.finish(isa, 0..group, out);
    }
}
