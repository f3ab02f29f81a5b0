//! A tile of queries and a partition of positions: the inner loops of attention.
//!
//! Keys and values are widened in registers, straight from the cache: what a tile reads once costs less to widen than
//! to write and read again.

use std::ops::Range;

use super::partition::{Located, PARTITION, PIECE};
use super::state::Partial;
use crate::backend::cpu::exp::exp;
use crate::backend::cpu::isa::{Dot, Isa, Sums};
use crate::backend::cpu::rows::{load, store};
use crate::dtype::Float;

/// From the weights of one query to those of the next: not a power of two, which few lines of a cache would share.
pub(super) const STRIDE: usize = PARTITION + PIECE;

/// Bytes of a cache line on most machines.
const LINE: usize = 64;

/// Calls `$function` with the number of queries as a constant.
macro_rules! by_height {
    ($height:expr, $function:ident($($argument:expr),+)) => {
        match $height {
            1 => $function::<I, D, 1>($($argument),+),
            2 => $function::<I, D, 2>($($argument),+),
            3 => $function::<I, D, 3>($($argument),+),
            4 => $function::<I, D, 4>($($argument),+),
            5 => $function::<I, D, 5>($($argument),+),
            6 => $function::<I, D, 6>($($argument),+),
            7 => $function::<I, D, 7>($($argument),+),
            8 => $function::<I, D, 8>($($argument),+),
            9 => $function::<I, D, 9>($($argument),+),
            10 => $function::<I, D, 10>($($argument),+),
            11 => $function::<I, D, 11>($($argument),+),
            12 => $function::<I, D, 12>($($argument),+),
            _ => unreachable!("at most MAX_TILE queries together"),
        }
    };
}

/// The scores of a tile of queries [head_dim, queries], to their rows of `weights`: at least those that some query has
/// `seen`.
#[inline(always)]
pub(super) fn score<I: Dot<D>, D: Float>(
    isa: I,
    located: &Located<'_, D>,
    queries: &[f32],
    seen: &[Range<usize>],
    weights: &mut [f32],
) {
    let (mut start, mut end) = (PARTITION, 0);
    for seen in seen.iter().filter(|seen| !seen.is_empty()) {
        (start, end) = (start.min(seen.start), end.max(seen.end));
    }
    by_height!(
        seen.len(),
        score_tile(isa, located, queries, start..end, weights)
    );
}

/// Few queries take more columns at once, so that there are as many sums to add to while others wait.
#[inline(always)]
fn score_tile<I: Dot<D>, D: Float, const M: usize>(
    isa: I,
    located: &Located<'_, D>,
    queries: &[f32],
    seen: Range<usize>,
    weights: &mut [f32],
) {
    if M > I::TILE_ROWS {
        // Said here, so that nothing of it is compiled.
        unreachable!("tiles have at most TILE_ROWS queries");
    }
    if 2 * M <= I::TILE_ROWS {
        score_columns::<I, D, M, 4>(isa, located, queries, seen, weights);
    } else {
        score_columns::<I, D, M, 2>(isa, located, queries, seen, weights);
    }
}

#[inline(always)]
fn score_columns<I: Dot<D>, D: Float, const M: usize, const N: usize>(
    isa: I,
    located: &Located<'_, D>,
    queries: &[f32],
    seen: Range<usize>,
    weights: &mut [f32],
) {
    let columns = N * I::LANES;
    let (queries, dim) = (queries.as_ptr(), queries.len() / M);
    // Lanes hold fixed places of the partition, whatever is seen of it.
    for first in (seen.start / columns * columns..seen.end).step_by(columns) {
        let keys = located.keys::<N>(first, I::LANES, dim);
        let mut ahead = [std::ptr::null(); N];
        for (n, ahead) in ahead.iter_mut().enumerate() {
            *ahead = located.ahead_of_keys((first + n * I::LANES) / PIECE);
        }
        let mut sums = [[isa.splat(0.0); N]; M];
        for i in 0..dim {
            let offset = i * located.key_stride;
            let mut columns = [isa.splat(0.0); N];
            for (n, columns) in columns.iter_mut().enumerate() {
                // Once for each line of a piece, which most blocks hold row after row.
                let begins = (n * I::LANES).is_multiple_of(PIECE);
                if begins && (offset * size_of::<D>()).is_multiple_of(LINE) {
                    isa.prefetch(ahead[n].wrapping_add(offset).cast());
                }
                // SAFETY: `keys` are valid for `dim` rows.
                *columns = unsafe { isa.load_wide(keys[n].add(offset)) };
            }
            for (m, sums) in sums.iter_mut().enumerate() {
                // SAFETY: queries are [dim, M].
                let query = isa.splat(unsafe { *queries.add(i * M + m) });
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = isa.mul_add(column, query, *sum);
                }
            }
        }
        for (sums, weights) in sums.iter().zip(weights.chunks_exact_mut(STRIDE)) {
            let weights = weights[first..].chunks_exact_mut(I::LANES);
            for (sum, weights) in sums.iter().zip(weights) {
                store(isa, *sum, weights);
            }
        }
    }
}

/// Turns the scores that each query has `seen` into weights relative to the largest of them.
#[inline(always)]
pub(super) fn soften<I: Isa>(
    isa: I,
    seen: &[Range<usize>],
    weights: &mut [f32],
    here: &mut Partial<'_>,
) {
    let rows = || seen.iter().zip(0..).filter(|(seen, _)| !seen.is_empty());
    here.largest.fill(f32::NEG_INFINITY);
    // All queries' largest first: what each of them waits for then passes while others go on.
    for (seen, query) in rows() {
        let scores = &mut weights[query * STRIDE..][..PARTITION];
        let blocks = seen.start / PIECE * PIECE..seen.end.next_multiple_of(PIECE);
        scores[blocks.start..seen.start].fill(f32::NEG_INFINITY);
        scores[seen.end..blocks.end].fill(f32::NEG_INFINITY);
        let mut largest = isa.splat(f32::NEG_INFINITY);
        for scores in scores[blocks].chunks_exact(I::LANES) {
            largest = isa.max(load(isa, scores), largest);
        }
        here.largest[query] = isa.largest(largest);
    }
    for (seen, query) in rows() {
        let scores = &mut weights[query * STRIDE..][..PARTITION];
        let blocks = seen.start / PIECE * PIECE..seen.end.next_multiple_of(PIECE);
        // Where no score is a number above minus infinity, weights are 0 and not unknown.
        let shift = isa.splat(here.largest[query].max(f32::MIN));
        let mut sums = Sums::new(isa);
        for block in scores[blocks].as_chunks_mut::<PIECE>().0 {
            for scores in block.chunks_exact_mut(I::LANES) {
                store(isa, exp(isa, isa.sub(load(isa, scores), shift)), scores);
            }
            sums.add(isa, block);
        }
        here.totals[query] = sums.total(isa);
    }
}

/// Sums of the values that each query has `seen`, by their weights and in order.
#[inline(always)]
pub(super) fn add_values<I: Dot<D>, D: Float>(
    isa: I,
    located: &Located<'_, D>,
    seen: &[Range<usize>],
    weights: &[f32],
    here: &mut Partial<'_>,
) {
    let (count, width) = (seen.len(), here.width());
    here.sums[..count * width].fill(0.0);
    // What all queries see is added for all at once, what lies before and behind for each.
    let (mut start, mut end) = (0, PARTITION);
    for seen in seen {
        (start, end) = (start.max(seen.start), end.min(seen.end));
    }
    let common = if start < end {
        start..end
    } else {
        PARTITION..PARTITION
    };
    for part in 0..2 * count + 1 {
        let (query, queries, positions) = match part {
            part if part < count => (part, 1, seen[part].start..seen[part].end.min(common.start)),
            part if part == count => (0, count, common.clone()),
            part => {
                let query = part - count - 1;
                let seen = &seen[query];
                (query, 1, seen.start.max(common.end)..seen.end)
            }
        };
        if positions.is_empty() {
            continue;
        }
        let weights = &weights[query * STRIDE..];
        let sums = &mut here.sums[query * width..];
        by_height!(
            queries,
            add_tile(isa, located, positions, weights, (sums, width))
        );
    }
}

#[inline(always)]
fn add_tile<I: Dot<D>, D: Float, const M: usize>(
    isa: I,
    located: &Located<'_, D>,
    positions: Range<usize>,
    weights: &[f32],
    (sums, width): (&mut [f32], usize),
) {
    if M > I::TILE_ROWS {
        unreachable!("tiles have at most TILE_ROWS queries");
    }
    let mut done = 0;
    if 2 * M <= I::TILE_ROWS {
        while done + 4 * I::LANES <= width {
            add_columns::<I, D, M, 4>(isa, located, &positions, weights, (sums, width, done));
            done += 4 * I::LANES;
        }
    }
    while done + 2 * I::LANES <= width {
        add_columns::<I, D, M, 2>(isa, located, &positions, weights, (sums, width, done));
        done += 2 * I::LANES;
    }
    if done < width {
        add_columns::<I, D, M, 1>(isa, located, &positions, weights, (sums, width, done));
    }
}

/// sums [M, width], from the column `first` on, += weights [M, STRIDE] * values of `positions`
#[inline(always)]
fn add_columns<I: Dot<D>, D: Float, const M: usize, const N: usize>(
    isa: I,
    located: &Located<'_, D>,
    positions: &Range<usize>,
    weights: &[f32],
    (all_sums, width, first): (&mut [f32], usize, usize),
) {
    let columns = N * I::LANES;
    let mut sums = [[isa.splat(0.0); N]; M];
    for (m, sums) in sums.iter_mut().enumerate() {
        let from = all_sums[m * width + first..][..columns].chunks_exact(I::LANES);
        for (sum, from) in sums.iter_mut().zip(from) {
            *sum = load(isa, from);
        }
    }
    assert!(weights.len() >= (M - 1) * STRIDE + PARTITION && positions.end <= PARTITION);
    for piece in positions.start / PIECE..positions.end.div_ceil(PIECE) {
        let rows = positions.start.max(piece * PIECE)..positions.end.min((piece + 1) * PIECE);
        let values = located.values(piece, rows.end - piece * PIECE, first + columns);
        let ahead = located.ahead_of_values(piece);
        for position in rows {
            let offset = position % PIECE * located.value_stride + first;
            let mut columns = [isa.splat(0.0); N];
            for (n, columns) in columns.iter_mut().enumerate() {
                let offset = offset + n * I::LANES;
                if (n * I::LANES * size_of::<D>()).is_multiple_of(LINE) {
                    isa.prefetch(ahead.wrapping_add(offset).cast());
                }
                // SAFETY: `values` are valid for so many rows and columns.
                *columns = unsafe { isa.load_wide(values.add(offset)) };
            }
            for (m, sums) in sums.iter_mut().enumerate() {
                // SAFETY: as many weights are there, by the assertion.
                let weight = isa.splat(unsafe { *weights.as_ptr().add(m * STRIDE + position) });
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = isa.mul_add(column, weight, *sum);
                }
            }
        }
    }
    for (m, sums) in sums.iter().enumerate() {
        let to = all_sums[m * width + first..][..columns].chunks_exact_mut(I::LANES);
        for (sum, to) in sums.iter().zip(to) {
            store(isa, *sum, to);
        }
    }
}
