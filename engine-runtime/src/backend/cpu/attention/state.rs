//! What queries have made of the positions so far, and the arrays of a task.

use std::ops::Range;

use super::partition::{PARTITION, PIECE};
use super::tile::STRIDE;
use crate::backend::cpu::exp::exp;
use crate::backend::cpu::isa::{Isa, MAX_LANES};
use crate::backend::cpu::memory::Scratch;
use crate::backend::cpu::rows::{load, store};
use crate::backend::cpu::tiles::MAX_TILE;
use crate::dtype::Element;

/// The results of some queries over some positions. `width` is head_dim, up to a multiple of every vector; what is added
/// stays zero.
pub(super) struct Partial<'a> {
    width: usize,
    /// `[queries]`, the largest score.
    pub largest: &'a mut [f32],
    /// `[queries]`, of the weights exp(score - largest).
    pub totals: &'a mut [f32],
    /// [queries, width], of the values by their weights.
    pub sums: &'a mut [f32],
}

fn width(dim: usize) -> usize {
    dim.next_multiple_of(MAX_LANES)
}

impl<'a> Partial<'a> {
    /// Elements.
    pub fn len(queries: usize, dim: usize) -> usize {
        queries * (width(dim) + 2)
    }

    /// `slice` is [`Partial::len`] long and holds anything.
    pub fn new(slice: &'a mut [f32], queries: usize, dim: usize) -> Self {
        let width = width(dim);
        let (sums, rest) = slice.split_at_mut(queries * width);
        let (largest, totals) = rest.split_at_mut(queries);
        Self {
            width,
            largest,
            totals,
            sums,
        }
    }

    /// Of no position.
    pub fn clear(&mut self) {
        self.largest.fill(f32::NEG_INFINITY);
        self.totals.fill(0.0);
        self.sums.fill(0.0);
    }

    /// Of some of the queries.
    pub fn part(&mut self, queries: Range<usize>) -> Partial<'_> {
        Partial {
            width: self.width,
            sums: &mut self.sums[queries.start * self.width..queries.end * self.width],
            largest: &mut self.largest[queries.clone()],
            totals: &mut self.totals[queries],
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// The first `count` queries of `from`, to the queries from `at` on.
    pub fn copy(&mut self, at: usize, from: &Partial<'_>, count: usize) {
        let to = self.part(at..at + count);
        to.largest.copy_from_slice(&from.largest[..count]);
        to.totals.copy_from_slice(&from.totals[..count]);
        to.sums.copy_from_slice(&from.sums[..count * from.width]);
    }

    /// Adds to the queries from `at` on what those of `from` have made of further positions, of which each has `seen`
    /// some or none.
    #[inline(always)]
    pub fn merge<I: Isa>(&mut self, isa: I, at: usize, from: &Partial<'_>, seen: &[Range<usize>]) {
        let (count, width) = (seen.len(), self.width);
        let to = self.part(at..at + count);
        let lowest = isa.splat(f32::MIN);
        let (mut before, mut after) = ([0.0; MAX_LANES], [0.0; MAX_LANES]);
        for first in (0..count).step_by(I::LANES) {
            let end = count.min(first + I::LANES);
            let old = load(isa, &to.largest[first..end]);
            let new = load(isa, &from.largest[first..end]);
            let largest = isa.max(old, new);
            // Where no score is a number above minus infinity, weights are 0 and not unknown.
            let shift = isa.max(largest, lowest);
            store(isa, exp(isa, isa.sub(old, shift)), &mut before[first..end]);
            store(isa, exp(isa, isa.sub(new, shift)), &mut after[first..end]);
            store(isa, largest, &mut to.largest[first..end]);
        }
        let sums = to.sums.chunks_exact_mut(width);
        let sums = sums.zip(from.sums.chunks_exact(width));
        for (query, (sums, new)) in sums.enumerate() {
            if seen[query].is_empty() {
                continue;
            }
            let (before, after) = (before[query], after[query]);
            to.totals[query] = to.totals[query] * before + from.totals[query] * after;
            let (before, after) = (isa.splat(before), isa.splat(after));
            for (sums, new) in sums
                .chunks_exact_mut(I::LANES)
                .zip(new.chunks_exact(I::LANES))
            {
                let new = isa.mul(load(isa, new), after);
                store(isa, isa.mul_add(load(isa, sums), before, new), sums);
            }
        }
    }

    /// out [queries, head_dim] = the sums by the totals
    #[inline(always)]
    pub fn finish<I: Isa>(&self, isa: I, queries: Range<usize>, out: &mut [f32]) {
        let dim = out.len() / queries.len();
        for (query, out) in queries.zip(out.chunks_exact_mut(dim)) {
            let total = isa.splat(self.totals[query]);
            let sums = &self.sums[query * self.width..][..dim];
            for (out, sums) in out.chunks_mut(I::LANES).zip(sums.chunks(I::LANES)) {
                store(isa, isa.div(load(isa, sums), total), out);
            }
        }
    }
}

/// The arrays of a task, cut from one thread's scratch.
pub(super) struct State<'s, D> {
    /// [tiles][head_dim, queries of the tile], scaled.
    pub queries: &'s mut [f32],
    /// Of all queries.
    pub so_far: Partial<'s>,
    /// Of a tile of queries, in one partition.
    pub here: Partial<'s>,
    /// [MAX_TILE, STRIDE]: scores, then weights, of a tile of queries in one partition.
    pub weights: &'s mut [f32],
    /// Keys and values of a partition whose blocks a vector does not fit.
    pub packed: &'s mut [D],
}

impl<'s, D: Element> State<'s, D> {
    /// f32 elements of the arrays, in their order.
    pub fn lens(queries: usize, dim: usize) -> [usize; 5] {
        let packed = PARTITION.next_multiple_of(PIECE) * (dim + width(dim));
        [
            queries * dim,
            Partial::len(queries, dim),
            Partial::len(MAX_TILE, dim),
            MAX_TILE * STRIDE,
            (packed * size_of::<D>()).div_ceil(size_of::<f32>()),
        ]
    }

    pub fn new(scratch: &'s mut Scratch, queries: usize, dim: usize) -> Self {
        let lens = Self::lens(queries, dim);
        let mut rest = scratch.take::<f32>(lens.iter().sum());
        let [queries_array, so_far, here, weights, packed] = lens.map(|len| {
            let (part, behind) = std::mem::take(&mut rest).split_at_mut(len);
            rest = behind;
            part
        });
        let mut so_far = Partial::new(so_far, queries, dim);
        so_far.clear();
        Self {
            queries: queries_array,
            so_far,
            here: Partial::new(here, MAX_TILE, dim),
            weights,
            packed: bytemuck::cast_slice_mut(packed),
        }
    }
}
