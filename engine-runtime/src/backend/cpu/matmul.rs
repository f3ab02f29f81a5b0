//! Matrix products: every output is one chain of sums in column order, whatever the number of rows.
//!
//! Rows are cut into tiles that fit the registers beside two vectors of weights; a tile's activations are interleaved,
//! so that tile and panel are both read from front to end. One row is a tile of height one: the same chain, and then
//! memory is the limit. Experts are as many products, each with the rows that chose it, whose tasks the threads share.
//! What stays in which cache is `product`'s business.

mod product;

use std::marker::PhantomData;

use self::product::{Grid, Product};
use super::isa::{Dot, Isa, Kernel};
use super::matrix::Matrix;
use super::memory::Disjoint;
use super::tiles::Tiles;
use super::{Cpu, experts::Grouping};
use crate::dtype::Float;

/// Bytes ahead of a stream that is read once at which memory is asked for.
pub(super) const AHEAD: usize = 4096;

/// Tasks for each thread: enough that one which is late holds up none.
const TASKS: usize = 8;

impl<I: Isa> Cpu<I> {
    /// out [rows, w.rows] = x [rows, w.cols] * w^T (+ bias [w.rows])
    pub(super) fn multiply<D: Float>(
        &mut self,
        x: &[f32],
        w: &Matrix<I, D>,
        bias: Option<&[f32]>,
        rows: usize,
        out: &mut [f32],
    ) where
        I: Dot<D>,
    {
        if rows == 0 || w.rows == 0 {
            return;
        }
        let (isa, tiles) = (self.isa, Tiles::of::<I>(rows));
        let groups = w.groups();
        let packed = self.scratch.take::<I::Group>(rows * groups);
        let rows_of = Disjoint::new(packed);
        self.pool.run(tiles.count(), |tile| {
            let (first, height) = tiles.tile(tile);
            isa.enter(Interleave::<I, D> {
                x,
                rows: Places::Same(first),
                cols: w.cols,
                // SAFETY: each task has its own rows.
                packed: unsafe { rows_of.slice(first * groups, height * groups) },
                height,
                format: PhantomData,
            });
        });
        let product = Product {
            w,
            bias,
            tiles,
            x: packed,
            places: Places::Same(0),
            out: Disjoint::new(&mut out[..rows * w.rows]),
        };
        let grid = product.grid(TASKS * self.pool.threads());
        self.pool
            .run(grid.tasks(), |task| isa.enter(product.piece(grid, task)));
    }

    /// out [pairs, outputs] = x * w^T: at each pair of a row and an expert, the expert's matrix with row `sources[i]` of
    /// x [_, cols] for the pair `grouping.pairs[i]`.
    pub(super) fn multiply_groups<D: Float>(
        &mut self,
        x: &[f32],
        sources: &[u32],
        w: &[Matrix<I, D>],
        grouping: &Grouping,
        out: &mut [f32],
    ) where
        I: Dot<D>,
    {
        let Some(first) = w.first() else {
            return;
        };
        let (isa, cols, groups) = (self.isa, first.cols, first.groups());
        let packed = self.scratch.take::<I::Group>(sources.len() * groups);
        let chosen: Vec<_> = grouping
            .experts()
            .map(|(expert, pairs)| (expert, pairs.clone(), Tiles::of::<I>(pairs.len())))
            .collect();
        let tiles: Vec<(usize, usize)> = chosen
            .iter()
            .flat_map(|(_, pairs, tiles)| {
                (0..tiles.count()).map(|tile| {
                    let (first, height) = tiles.tile(tile);
                    (pairs.start + first, height)
                })
            })
            .collect();
        let rows_of = Disjoint::new(packed);
        self.pool.run(tiles.len(), |task| {
            let (first, height) = tiles[task];
            isa.enter(Interleave::<I, D> {
                x,
                rows: Places::Listed(&sources[first..first + height]),
                cols,
                // SAFETY: each task has its own pairs.
                packed: unsafe { rows_of.slice(first * groups, height * groups) },
                height,
                format: PhantomData,
            });
        });
        let out = Disjoint::new(out);
        let products: Vec<_> = chosen
            .into_iter()
            .map(|(expert, pairs, tiles)| Product {
                w: &w[expert],
                bias: None,
                tiles,
                x: &packed[pairs.start * groups..pairs.end * groups],
                places: Places::Listed(&grouping.pairs[pairs]),
                out,
            })
            .collect();
        let most = (TASKS * self.pool.threads()).div_ceil(products.len().max(1));
        let tasks: Vec<(usize, Grid, usize)> = products
            .iter()
            .enumerate()
            .flat_map(|(product, of)| {
                let grid = of.grid(most);
                (0..grid.tasks()).map(move |task| (product, grid, task))
            })
            .collect();
        self.pool.run(tasks.len(), |task| {
            let (product, grid, task) = tasks[task];
            isa.enter(products[product].piece(grid, task));
        });
    }
}

/// Where each row of a product lies in an array.
#[derive(Clone, Copy)]
enum Places<'a> {
    /// One behind the other, from this row on.
    Same(usize),
    /// At these rows, no two of them equal where they are written.
    Listed(&'a [u32]),
}

impl Places<'_> {
    #[inline(always)]
    fn of(self, row: usize) -> usize {
        match self {
            Self::Same(first) => first + row,
            Self::Listed(rows) => rows[row] as usize,
        }
    }
}

/// One tile: packed [groups, height] = `height` rows of x [_, cols].
struct Interleave<'a, I: Dot<D>, D: Float> {
    x: &'a [f32],
    rows: Places<'a>,
    height: usize,
    cols: usize,
    packed: &'a mut [I::Group],
    format: PhantomData<D>,
}

impl<I: Dot<D>, D: Float> Interleave<'_, I, D> {
    #[inline(always)]
    fn row(&self, row: usize) -> &[f32] {
        &self.x[self.rows.of(row) * self.cols..][..self.cols]
    }
}

impl<I: Dot<D>, D: Float> Kernel<I> for Interleave<'_, I, D> {
    type Out = ();

    #[inline(always)]
    fn run(mut self, isa: I) {
        /// Groups at a time, of two columns at most.
        const BLOCK: usize = 64;
        let (height, packed) = (self.height, std::mem::take(&mut self.packed));
        if height == 1 {
            return isa.group(self.row(0), packed);
        }
        // Block by block, so that what the rows share of one is still in the first cache when the last of them is written.
        let mut block = [bytemuck::Zeroable::zeroed(); BLOCK];
        for (first, packed) in (0..)
            .step_by(BLOCK * I::GROUP)
            .zip(packed.chunks_mut(BLOCK * height))
        {
            let block = &mut block[..packed.len() / height];
            for row in 0..height {
                let x = &self.row(row)[first..];
                isa.group(&x[..x.len().min(block.len() * I::GROUP)], block);
                for (group, packed) in block.iter().zip(packed.chunks_exact_mut(height)) {
                    packed[row] = *group;
                }
            }
        }
    }
}
