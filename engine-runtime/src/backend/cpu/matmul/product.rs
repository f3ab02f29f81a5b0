//! One matrix times some rows: which task computes what, and in which order it goes through the caches.
//!
//! Where there are more rows than registers take, columns are cut into slices. A panel's slice stays in the second cache
//! while tile after tile of rows goes over it; the same slice of a block of rows, which all threads read, stays in the third
//! one while panel after panel goes over it (after Goto and van de Geijn, "Anatomy of High-Performance Matrix
//! Multiplication"). From slice to slice sums are kept in the output, as they are: each is still one chain in column order.

use std::ops::Range;

use super::{AHEAD, Places};
use crate::backend::cpu::isa::{Ahead, Dot, Kernel};
use crate::backend::cpu::matrix::Matrix;
use crate::backend::cpu::memory::Disjoint;
use crate::backend::cpu::rows::{load, store};
use crate::backend::cpu::tiles::Tiles;
use crate::dtype::Float;

/// Weights times rows that are worth waking another thread for.
const TASK: usize = 1 << 16;

/// Bytes of a panel's slice: less than the second cache, and so many that the way of the sums to the output is short
/// beside it.
const SLICE: usize = 256 << 10;

/// Bytes of a block of activations: less than the third cache.
const BLOCK: usize = 4 << 20;

/// One matrix and the rows that it is applied to.
#[derive(Clone, Copy)]
pub(super) struct Product<'a, I: Dot<D>, D: Float> {
    pub w: &'a Matrix<I, D>,
    pub bias: Option<&'a [f32]>,
    pub tiles: Tiles,
    /// [tiles, groups, height]
    pub x: &'a [I::Group],
    /// Of the rows in `out`.
    pub places: Places<'a>,
    pub out: Disjoint<'a, f32>,
}

/// How a product is cut into tasks: by outputs, and by rows where there are few outputs.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// Vectors of outputs that are not cut: a panel's two, or one.
    unit: usize,
    pieces: usize,
    row_parts: usize,
}

impl Grid {
    pub fn tasks(self) -> usize {
        self.pieces * self.row_parts
    }
}

impl<'a, I: Dot<D>, D: Float> Product<'a, I, D> {
    /// As many tasks as the work is worth, `most` at most.
    pub fn grid(&self, most: usize) -> Grid {
        let panels = self.w.panels();
        let work = self.w.panel_len() * panels * self.tiles.rows;
        let wanted = (work / TASK).clamp(1, most.max(1));
        let (unit, units) = match self.tiles.rows <= ROWS_OF_ONE_VECTOR && panels < wanted {
            true => (1, 2 * panels),
            false => (2, panels),
        };
        Grid {
            unit,
            pieces: units.min(wanted),
            row_parts: wanted.div_ceil(units).min(self.tiles.count()),
        }
    }

    pub fn piece(&self, grid: Grid, task: usize) -> Piece<'a, I, D> {
        let (piece, part) = (task / grid.row_parts, task % grid.row_parts);
        let units = self.w.panels() * 2 / grid.unit;
        Piece {
            vectors: share(units, piece, grid.pieces, grid.unit),
            tiles: share(self.tiles.count(), part, grid.row_parts, 1),
            product: *self,
        }
    }
}

/// Part `part` of `parts` of what consists of `units` of this size.
fn share(units: usize, part: usize, parts: usize, unit: usize) -> Range<usize> {
    part * units / parts * unit..(part + 1) * units / parts * unit
}

/// Some outputs of some rows of a product.
pub(super) struct Piece<'a, I: Dot<D>, D: Float> {
    /// Of outputs, two to a panel.
    vectors: Range<usize>,
    tiles: Range<usize>,
    product: Product<'a, I, D>,
}

/// What one call of a register tile computes, its rows aside.
struct Place {
    /// The first of its vectors of outputs.
    vector: usize,
    groups: Range<usize>,
    soon: Soon,
}

/// What a call asks for while it computes.
#[derive(Clone, Copy)]
enum Soon {
    /// What comes behind its own weights, which are read once.
    Ahead,
    /// Its part, of so many, of the slice behind its own: the other tiles that read the same weights ask for the rest.
    Part(usize, usize),
}

impl<I: Dot<D>, D: Float> Kernel<I> for Piece<'_, I, D> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let product = &self.product;
        let all = product.w.groups();
        let group_bytes = Matrix::<I, D>::PANEL * I::GROUP * size_of::<D>();
        // Slices of one size: each of them, however short, costs its sums a way to the output and back.
        let slices = match self.tiles.len() {
            1 => 1,
            _ => (all * group_bytes).div_ceil(SLICE),
        };
        let slice = all.div_ceil(slices.max(1));
        let tile_bytes = slice * product.tiles.height * size_of::<I::Group>();
        let block = (BLOCK / tile_bytes.max(1)).max(1);
        for first_tile in self.tiles.clone().step_by(block) {
            let tiles = first_tile..self.tiles.end.min(first_tile + block);
            for first in (0..all).step_by(slice.max(1)) {
                let groups = first..all.min(first + slice);
                let mut vector = self.vectors.start;
                while vector < self.vectors.end {
                    let width = product.width(vector..self.vectors.end);
                    for tile in tiles.clone() {
                        let soon = match tiles.len() {
                            1 => Soon::Ahead,
                            parts => Soon::Part(tile - tiles.start, parts),
                        };
                        let groups = groups.clone();
                        product.tile_of(
                            isa,
                            tile,
                            width,
                            Place {
                                vector,
                                groups,
                                soon,
                            },
                        );
                    }
                    vector += width;
                }
            }
        }
    }
}

/// Rows up to which a tile can be one vector wide.
const ROWS_OF_ONE_VECTOR: usize = 4;

/// Rows up to which a tile is two panels wide, so that more chains of sums are under way.
const ROWS_OF_TWO_PANELS: usize = 2;

impl<I: Dot<D>, D: Float> Product<'_, I, D> {
    /// Vectors of outputs that are computed together, from the first of these on.
    #[inline(always)]
    fn width(&self, vectors: Range<usize>) -> usize {
        match vectors.len() {
            _ if !vectors.start.is_multiple_of(2) => 1,
            0 | 1 => 1,
            4.. if self.tiles.rows <= ROWS_OF_TWO_PANELS => 4,
            _ => 2,
        }
    }

    #[inline(always)]
    fn tile_of(&self, isa: I, tile: usize, width: usize, at: Place) {
        let (row, height) = self.tiles.tile(tile);
        let at = (row, at);
        match (height, width) {
            (1, 1) => self.tile::<1, 1>(isa, at),
            (2, 1) => self.tile::<2, 1>(isa, at),
            (3, 1) => self.tile::<3, 1>(isa, at),
            (4, 1) => self.tile::<4, 1>(isa, at),
            (1, 4) => self.tile::<1, 4>(isa, at),
            (2, 4) => self.tile::<2, 4>(isa, at),
            (1, _) => self.tile::<1, 2>(isa, at),
            (2, _) => self.tile::<2, 2>(isa, at),
            (3, _) => self.tile::<3, 2>(isa, at),
            (4, _) => self.tile::<4, 2>(isa, at),
            (5, _) => self.tile::<5, 2>(isa, at),
            (6, _) => self.tile::<6, 2>(isa, at),
            (7, _) => self.tile::<7, 2>(isa, at),
            (8, _) => self.tile::<8, 2>(isa, at),
            (9, _) => self.tile::<9, 2>(isa, at),
            (10, _) => self.tile::<10, 2>(isa, at),
            (11, _) => self.tile::<11, 2>(isa, at),
            (12, _) => self.tile::<12, 2>(isa, at),
            _ => unreachable!("at most MAX_TILE rows together"),
        }
    }

    /// Some groups of `V` vectors of outputs for the rows `row..row + M`.
    #[inline(always)]
    fn tile<const M: usize, const V: usize>(&self, isa: I, (first_row, at): (usize, Place)) {
        if M > I::TILE_ROWS {
            unreachable!("tiles have at most TILE_ROWS rows");
        }
        let all = self.w.groups();
        let mut sums = [[isa.splat(0.0); V]; M];
        if at.groups.start > 0 {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = load(isa, self.out(at.vector + vector, first_row + row));
                }
            }
        }
        let weights = self.w.vectors::<V>(at.vector, at.groups.clone());
        let panel = Matrix::<I, D>::PANEL * I::GROUP;
        let (behind, parts) = match at.soon {
            Soon::Ahead => (AHEAD / size_of::<D>(), 1),
            Soon::Part(part, parts) => {
                let next = V.div_ceil(2) * self.w.panel_len();
                (next + part * at.groups.len() * panel / parts, parts)
            }
        };
        let soon = Ahead {
            at: weights.map(|weights| weights.wrapping_add(behind)),
            pace: panel / parts,
        };
        let x = &self.x[first_row * all..][at.groups.start * M..at.groups.end * M];
        // SAFETY: the matrix holds its groups of these vectors; x, as many of M activations.
        let sums = unsafe { isa.tile::<M, V>(weights, soon, x.as_ptr(), at.groups.len(), sums) };
        for (row, sums) in sums.iter().enumerate() {
            for (vector, sum) in sums.iter().enumerate() {
                let out = self.out(at.vector + vector, first_row + row);
                let mut sum = *sum;
                if at.groups.end == all {
                    // Without a bias this makes a minus zero plus zero, which a pair of columns with nothing in its
                    // second place has made already.
                    let bias = match self.bias {
                        Some(bias) => load(isa, &bias[self.outputs(at.vector + vector)]),
                        None => isa.splat(0.0),
                    };
                    sum = isa.add(sum, bias);
                }
                store(isa, sum, out);
            }
        }
    }

    /// The outputs of one vector in one row, as many as the matrix has.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    fn out(&self, vector: usize, row: usize) -> &mut [f32] {
        let outputs = self.outputs(vector);
        let start = self.places.of(row) * self.w.rows + outputs.start;
        // SAFETY: no other task has these outputs of these rows, no two rows a place, and a task holds one slice at a
        // time.
        unsafe { self.out.slice(start, outputs.len()) }
    }

    /// Those of a vector that the matrix has.
    #[inline(always)]
    fn outputs(&self, vector: usize) -> Range<usize> {
        let place = |vector: usize| (vector * I::LANES).min(self.w.rows);
        place(vector)..place(vector + 1)
    }
}
