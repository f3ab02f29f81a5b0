//! How rows are cut for the registers, in matrix products and in attention.

use super::isa::Isa;

/// Rows that are computed together, at most, on every instruction set.
pub(super) const MAX_TILE: usize = 12;

/// Tiles of `height` rows, which the registers hold beside two vectors, the last one of what is left.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    pub rows: usize,
    pub height: usize,
}

impl Tiles {
    pub fn of<I: Isa>(rows: usize) -> Self {
        const { assert!(I::TILE_ROWS <= MAX_TILE) };
        let tiles = rows.div_ceil(I::TILE_ROWS).max(1);
        Self {
            rows,
            height: rows.div_ceil(tiles).max(1),
        }
    }

    pub fn count(self) -> usize {
        self.rows.div_ceil(self.height)
    }

    /// First row and height of a tile.
    pub fn tile(self, tile: usize) -> (usize, usize) {
        let first = tile * self.height;
        (first, self.height.min(self.rows - first))
    }
}
