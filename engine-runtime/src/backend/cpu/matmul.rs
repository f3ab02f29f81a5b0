//! Matrix products: every output is one chain of sums in column order, whatever the number of rows.
//!
//! Rows are cut into tiles that fit the registers beside two vectors of weights; a tile's activations are interleaved,
//! so that tile and panel are both read from front to end. One row is a tile of height one: the same chain, and then
//! memory is the limit.

use super::isa::{Dot, Kernel};
use super::matrix::Matrix;
use super::memory::{Parts, Scratch};
use super::pool::Pool;
use crate::dtype::Float;

/// Weights times rows that are worth waking another thread for.
const TASK: usize = 1 << 16;

/// Bytes ahead of a stream that is read once at which memory is asked for.
pub(super) const AHEAD: usize = 2048;

/// out [rows, w.rows] = x [rows, w.cols] * w^T (+ bias [w.rows])
#[allow(clippy::too_many_arguments)]
pub(super) fn matmul<I: Dot<D>, D: Float>(
    isa: I,
    pool: &mut Pool,
    scratch: &mut Scratch,
    x: &[f32],
    w: &Matrix<I, D>,
    bias: Option<&[f32]>,
    rows: usize,
    out: &mut [f32],
) {
    if rows == 0 || w.rows == 0 {
        return;
    }
    let tiles = Tiles::new::<I>(rows);
    let steps = w.steps();
    let packed = scratch.take::<I::Step>(rows * steps);
    interleave(isa, pool, &x[..rows * w.cols], w.cols, tiles, packed);

    let panels = w.panels();
    let work = w.panel_len() * panels * rows;
    let tasks = (work / TASK).clamp(1, panels.min(8 * pool.threads()));
    let out = Parts::new(&mut out[..rows * w.rows]);
    pool.run(tasks, |task| {
        isa.enter(Panels {
            first: task * panels / tasks,
            end: (task + 1) * panels / tasks,
            tiles,
            x: packed,
            w,
            bias,
            out,
        });
    });
}

/// How rows are cut: tiles of `height`, the last one of what is left.
#[derive(Clone, Copy)]
struct Tiles {
    rows: usize,
    height: usize,
}

impl Tiles {
    fn new<I: super::isa::Isa>(rows: usize) -> Self {
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

/// packed [tiles, steps, height] = x [rows, cols]
fn interleave<I: Dot<D>, D: Float>(
    isa: I,
    pool: &mut Pool,
    x: &[f32],
    cols: usize,
    tiles: Tiles,
    packed: &mut [I::Step],
) {
    let steps = packed.len() / tiles.rows;
    let packed = Parts::new(packed);
    pool.run(tiles.count(), |tile| {
        let (first, height) = tiles.tile(tile);
        isa.enter(Interleave::<I, D> {
            x: &x[first * cols..(first + height) * cols],
            cols,
            // SAFETY: each task has its own rows.
            packed: unsafe { packed.part(first * steps, height * steps) },
            format: std::marker::PhantomData,
        });
    });
}

/// One tile: packed [steps, height] = x [height, cols].
struct Interleave<'a, I: Dot<D>, D: Float> {
    x: &'a [f32],
    cols: usize,
    packed: &'a mut [I::Step],
    format: std::marker::PhantomData<D>,
}

impl<I: Dot<D>, D: Float> Kernel<I> for Interleave<'_, I, D> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        /// Steps at a time, of two columns at most.
        const BLOCK: usize = 64;
        let height = self.x.len() / self.cols;
        if height == 1 {
            return isa.steps(self.x, self.packed);
        }
        let mut block = [bytemuck::Zeroable::zeroed(); BLOCK];
        for (row, x) in self.x.chunks_exact(self.cols).enumerate() {
            let blocks = self.packed.chunks_mut(BLOCK * height);
            for (x, packed) in x.chunks(BLOCK * I::GROUP).zip(blocks) {
                let block = &mut block[..packed.len() / height];
                isa.steps(x, block);
                for (step, packed) in block.iter().zip(packed[row..].iter_mut().step_by(height)) {
                    *packed = *step;
                }
            }
        }
    }
}

/// The outputs of some panels, for all rows.
struct Panels<'a, I: Dot<D>, D: Float> {
    first: usize,
    end: usize,
    tiles: Tiles,
    x: &'a [I::Step],
    w: &'a Matrix<I, D>,
    bias: Option<&'a [f32]>,
    out: Parts<'a, f32>,
}

impl<I: Dot<D>, D: Float> Kernel<I> for Panels<'_, I, D> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        for panel in self.first..self.end {
            for tile in 0..self.tiles.count() {
                let (first, height) = self.tiles.tile(tile);
                match height {
                    1 => self.tile::<1>(isa, panel, first),
                    2 => self.tile::<2>(isa, panel, first),
                    3 => self.tile::<3>(isa, panel, first),
                    4 => self.tile::<4>(isa, panel, first),
                    5 => self.tile::<5>(isa, panel, first),
                    6 => self.tile::<6>(isa, panel, first),
                    7 => self.tile::<7>(isa, panel, first),
                    8 => self.tile::<8>(isa, panel, first),
                    9 => self.tile::<9>(isa, panel, first),
                    10 => self.tile::<10>(isa, panel, first),
                    11 => self.tile::<11>(isa, panel, first),
                    12 => self.tile::<12>(isa, panel, first),
                    _ => unreachable!("no instruction set has more than 12 tile rows"),
                }
            }
        }
    }
}

impl<I: Dot<D>, D: Float> Panels<'_, I, D> {
    /// The outputs of one panel for the rows `row..row + M`.
    #[inline(always)]
    fn tile<const M: usize>(&self, isa: I, panel: usize, row: usize) {
        let steps = self.w.steps();
        let weights = &self.w.panel(panel)[..self.w.panel_len()];
        let x = &self.x[row * steps..(row + M) * steps];
        let mut sums = [[isa.splat(0.0); 2]; M];
        for step in 0..steps {
            // SAFETY: both slices hold `steps` steps, of 2 * LANES * GROUP weights and of M activations; prefetching
            // behind the end is no access.
            unsafe {
                let from = weights
                    .as_ptr()
                    .add(step * Matrix::<I, D>::PANEL * I::GROUP);
                if M <= 4 {
                    isa.prefetch(from.cast::<u8>().wrapping_add(AHEAD));
                    isa.prefetch(from.cast::<u8>().wrapping_add(AHEAD + 64));
                }
                let weights = isa.weights(from);
                for (r, sums) in sums.iter_mut().enumerate() {
                    *sums = isa.accumulate(*sums, weights, *x.as_ptr().add(step * M + r));
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
            // SAFETY: no other task has this panel, and no other tile these rows.
            let out = unsafe { self.out.part((row + r) * self.w.rows + start, len) };
            out.copy_from_slice(&values[..len]);
        }
    }
}
