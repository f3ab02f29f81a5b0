//! Matrix products: every output is one chain of sums in column order, whatever the number of rows.
//!
//! Rows are cut into tiles that fit the registers beside two vectors of weights; a tile's activations are interleaved,
//! so that tile and panel are both read from front to end. One row is a tile of height one: the same chain, and then
//! memory is the limit. Experts are as many products, each with the rows that chose it, whose tasks the threads share.

use std::marker::PhantomData;

use super::isa::{Dot, Isa, Kernel};
use super::matrix::Matrix;
use super::memory::Disjoint;
use super::{Cpu, experts::Grouping};
use crate::dtype::Float;

/// Weights times rows that are worth waking another thread for.
const TASK: usize = 1 << 16;

/// Bytes ahead of a stream that is read once at which memory is asked for.
pub(super) const AHEAD: usize = 2048;

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
        let (isa, tiles) = (self.isa, Tiles::new::<I>(rows));
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
        let tasks = product.pieces(8 * self.pool.threads());
        self.pool
            .run(tasks, |task| isa.enter(product.piece(task, tasks)));
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
            .map(|(expert, pairs)| (expert, pairs.clone(), Tiles::new::<I>(pairs.len())))
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
        let most = (8 * self.pool.threads()).div_ceil(products.len().max(1));
        let tasks: Vec<(usize, usize, usize)> = products
            .iter()
            .enumerate()
            .flat_map(|(product, of)| {
                let pieces = of.pieces(most);
                (0..pieces).map(move |piece| (product, piece, pieces))
            })
            .collect();
        self.pool.run(tasks.len(), |task| {
            let (product, piece, pieces) = tasks[task];
            isa.enter(products[product].piece(piece, pieces));
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

/// How rows are cut: tiles of `height`, the last one of what is left.
#[derive(Clone, Copy)]
struct Tiles {
    rows: usize,
    height: usize,
}

impl Tiles {
    fn new<I: Isa>(rows: usize) -> Self {
        let tiles = rows.div_ceil(I::TILE_ROWS);
        Self {
            rows,
            height: rows.div_ceil(tiles),
        }
    }

    fn count(self) -> usize {
        self.rows.div_ceil(self.height)
    }

    /// First row and height of a tile.
    fn tile(self, tile: usize) -> (usize, usize) {
        let first = tile * self.height;
        (first, self.height.min(self.rows - first))
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
        let mut block = [bytemuck::Zeroable::zeroed(); BLOCK];
        for row in 0..height {
            let blocks = packed.chunks_mut(BLOCK * height);
            for (x, packed) in self.row(row).chunks(BLOCK * I::GROUP).zip(blocks) {
                let block = &mut block[..packed.len() / height];
                isa.group(x, block);
                for (group, packed) in block.iter().zip(packed[row..].iter_mut().step_by(height)) {
                    *packed = *group;
                }
            }
        }
    }
}

/// One matrix and the rows that it is applied to.
#[derive(Clone, Copy)]
struct Product<'a, I: Dot<D>, D: Float> {
    w: &'a Matrix<I, D>,
    bias: Option<&'a [f32]>,
    tiles: Tiles,
    /// [tiles, groups, height]
    x: &'a [I::Group],
    /// Of the rows in `out`.
    places: Places<'a>,
    out: Disjoint<'a, f32>,
}

impl<'a, I: Dot<D>, D: Float> Product<'a, I, D> {
    /// Tasks that its panels are worth, `most` at most.
    fn pieces(&self, most: usize) -> usize {
        let panels = self.w.panels();
        let work = self.w.panel_len() * panels * self.tiles.rows;
        (work / TASK).clamp(1, panels.min(most).max(1))
    }

    fn piece(&self, piece: usize, pieces: usize) -> Panels<'a, I, D> {
        let panels = self.w.panels();
        Panels {
            first: piece * panels / pieces,
            end: (piece + 1) * panels / pieces,
            product: *self,
        }
    }
}

/// The outputs of some panels, for all rows of a product.
struct Panels<'a, I: Dot<D>, D: Float> {
    first: usize,
    end: usize,
    product: Product<'a, I, D>,
}

impl<I: Dot<D>, D: Float> Kernel<I> for Panels<'_, I, D> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        for panel in self.first..self.end {
            for tile in 0..self.product.tiles.count() {
                let (first, height) = self.product.tiles.tile(tile);
                match height {
                    1 => self.product.tile::<1>(isa, panel, first),
                    2 => self.product.tile::<2>(isa, panel, first),
                    3 => self.product.tile::<3>(isa, panel, first),
                    4 => self.product.tile::<4>(isa, panel, first),
                    5 => self.product.tile::<5>(isa, panel, first),
                    6 => self.product.tile::<6>(isa, panel, first),
                    7 => self.product.tile::<7>(isa, panel, first),
                    8 => self.product.tile::<8>(isa, panel, first),
                    9 => self.product.tile::<9>(isa, panel, first),
                    10 => self.product.tile::<10>(isa, panel, first),
                    11 => self.product.tile::<11>(isa, panel, first),
                    12 => self.product.tile::<12>(isa, panel, first),
                    _ => unreachable!("no instruction set has more than 12 tile rows"),
                }
            }
        }
    }
}

impl<I: Dot<D>, D: Float> Product<'_, I, D> {
    /// The outputs of one panel for the rows `row..row + M`.
    #[inline(always)]
    fn tile<const M: usize>(&self, isa: I, panel: usize, row: usize) {
        let groups = self.w.groups();
        let weights = &self.w.panel(panel)[..self.w.panel_len()];
        let x = &self.x[row * groups..(row + M) * groups];
        let mut sums = [[isa.splat(0.0); 2]; M];
        for k in 0..groups {
            // SAFETY: both slices hold `groups` groups, of 2 * LANES * GROUP weights and of M activations; prefetching
            // behind the end is no access.
            unsafe {
                let from = weights.as_ptr().add(k * Matrix::<I, D>::PANEL * I::GROUP);
                if M <= 4 {
                    isa.prefetch(from.cast::<u8>().wrapping_add(AHEAD));
                    isa.prefetch(from.cast::<u8>().wrapping_add(AHEAD + 64));
                }
                let weights = isa.weights(from);
                for (r, sums) in sums.iter_mut().enumerate() {
                    *sums = isa.accumulate(*sums, weights, *x.as_ptr().add(k * M + r));
                }
            }
        }
        self.put(isa, panel, row, &sums);
    }

    /// Adds the bias, and writes the outputs that the matrix has.
    #[inline(always)]
    fn put(&self, isa: I, panel: usize, row: usize, sums: &[[I::Vector; 2]]) {
        let start = panel * Matrix::<I, D>::PANEL;
        let len = Matrix::<I, D>::PANEL.min(self.w.rows - start);
        for (r, sums) in sums.iter().enumerate() {
            let mut values = [0.0; 2 * super::isa::MAX_LANES];
            // SAFETY: two vectors of at most MAX_LANES.
            unsafe {
                isa.store(sums[0], values.as_mut_ptr());
                isa.store(sums[1], values.as_mut_ptr().add(I::LANES));
            }
            if let Some(bias) = self.bias {
                for (value, bias) in values.iter_mut().zip(&bias[start..start + len]) {
                    *value += bias;
                }
            }
            let place = self.places.of(row + r);
            // SAFETY: no other task has this panel of this matrix, no other tile these rows, and no two rows a place.
            let out = unsafe { self.out.slice(place * self.w.rows + start, len) };
            out.copy_from_slice(&values[..len]);
        }
    }
}
