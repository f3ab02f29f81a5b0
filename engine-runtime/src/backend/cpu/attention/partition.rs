//! Partitions of the positions, and where their keys and values lie.

use std::ops::Range;

use crate::backend::cpu::cache::Cache;
use crate::backend::cpu::isa::MAX_LANES;
use crate::dtype::Float;

/// Positions of a partition. It enters sums: another number is another answer.
pub(super) const PARTITION: usize = 256;
/// Positions whose keys lie side by side: the widest vector.
pub(super) const PIECE: usize = MAX_LANES;
const PIECES: usize = PARTITION / PIECE;
/// Bytes between what is computed with and what is asked of memory: they come while as much is computed, and more would
/// push out what is near.
const AHEAD: usize = 12 << 10;

/// The part of `positions` that lies in a partition, from its first position on.
pub(super) fn cut(positions: &Range<usize>, partition: usize) -> Range<usize> {
    let first = partition * PARTITION;
    let place = |position: usize| position.saturating_sub(first).min(PARTITION);
    place(positions.start)..place(positions.end)
}

/// The keys and values that one kv head has of one sequence.
pub(super) struct Source<'a, D> {
    pub cache: &'a Cache<D>,
    pub layer: usize,
    pub kv_head: usize,
    /// Its blocks, and what lies behind them.
    pub table: &'a [u32],
}

/// A partition, piece by piece. A piece of which nothing is seen is another one that is.
pub(super) struct Located<'a, D> {
    /// Each [head_dim, `key_stride`], of which the first [`PIECE`] of a row are the piece's.
    keys: [&'a [D]; PIECES],
    /// Each [PIECE, `value_stride`], which begin with head_dim values, up to a multiple of a vector.
    values: [&'a [D]; PIECES],
    pub key_stride: usize,
    pub value_stride: usize,
    /// The keys that are read after it, which need not be there.
    next: [*const D; PIECES],
    /// Pieces that make [`AHEAD`].
    ahead: usize,
}

impl<'a, D: Float> Source<'a, D> {
    /// The partition, where it lies in the cache, or in `packed` where vectors do not fit its blocks. Positions that are
    /// not `seen` may hold anything; `next` is what is seen of the partition that is read after it.
    pub fn locate(
        &self,
        partition: usize,
        [seen, next]: [&Range<usize>; 2],
        packed: &'a mut [D],
    ) -> Located<'a, D> {
        let (size, dim) = (self.cache.block_size(), self.cache.head_dim());
        let first = partition * PARTITION;
        let pieces = seen.start / PIECE..seen.end.div_ceil(PIECE);
        let (mut keys, mut values) = ([&[][..]; PIECES], [&[][..]; PIECES]);
        let direct = size.is_multiple_of(PIECE) && dim.is_multiple_of(PIECE);
        let (key_stride, value_stride) = match direct {
            true => (size, dim),
            false => (PIECE, dim.next_multiple_of(PIECE)),
        };
        if direct {
            for piece in pieces.clone() {
                let position = first + piece * PIECE;
                let block = self.table[position / size] as usize;
                let head = self.cache.block_head(self.layer, block, self.kv_head);
                let offset = position % size;
                keys[piece] = &head.keys[offset..];
                values[piece] = &head.values[offset * dim..];
            }
        } else {
            self.pack(first, seen, packed);
            let (packed_keys, packed_values) = packed.split_at(PARTITION * dim);
            for piece in pieces.clone() {
                keys[piece] = &packed_keys[piece * PIECE * dim..][..PIECE * dim];
                let start = piece * PIECE * value_stride;
                values[piece] = &packed_values[start..][..PIECE * value_stride];
            }
        }
        for piece in (0..pieces.start).chain(pieces.end..PIECES) {
            keys[piece] = keys[pieces.start];
            values[piece] = values[pieces.start];
        }
        let mut next_keys = [std::ptr::null(); PIECES];
        if direct {
            let pieces = next.start / PIECE..next.end.div_ceil(PIECE);
            for (piece, keys) in pieces.clone().zip(&mut next_keys[pieces]) {
                let position = first + PARTITION + piece * PIECE;
                let block = self.table[position / size] as usize;
                let head = self.cache.block_head(self.layer, block, self.kv_head);
                *keys = &raw const head.keys[position % size];
            }
        }
        Located {
            keys,
            values,
            key_stride,
            value_stride,
            next: next_keys,
            ahead: (AHEAD / (PIECE * dim * size_of::<D>()).max(1)).clamp(1, PIECES),
        }
    }

    /// Copies the positions `seen` to keys [pieces, head_dim, PIECE], then values [positions, head_dim up to a multiple
    /// of PIECE].
    fn pack(&self, first: usize, seen: &Range<usize>, packed: &mut [D]) {
        let (size, dim) = (self.cache.block_size(), self.cache.head_dim());
        let (keys, values) = packed.split_at_mut(PARTITION * dim);
        for place in seen.clone() {
            let position = first + place;
            let block = self.table[position / size] as usize;
            let head = self.cache.block_head(self.layer, block, self.kv_head);
            let offset = position % size;
            let keys = &mut keys[place / PIECE * PIECE * dim + place % PIECE..];
            let from = head.keys[offset..].iter().step_by(size);
            for (to, from) in keys.iter_mut().step_by(PIECE).zip(from).take(dim) {
                *to = *from;
            }
            let width = dim.next_multiple_of(PIECE);
            let (to, rest) = values[place * width..][..width].split_at_mut(dim);
            to.copy_from_slice(&head.values[offset * dim..][..dim]);
            rest.fill(D::default());
        }
    }
}

impl<D> Located<'_, D> {
    /// The piece to ask memory for where the keys of `piece` are read: keys, then values are read, and then the next
    /// keys.
    #[inline(always)]
    pub fn ahead_of_keys(&self, piece: usize) -> *const D {
        match piece + self.ahead {
            piece if piece < PIECES => self.keys[piece].as_ptr(),
            piece => self.values[piece - PIECES].as_ptr(),
        }
    }

    /// The same where the values of `piece` are read.
    #[inline(always)]
    pub fn ahead_of_values(&self, piece: usize) -> *const D {
        match piece + self.ahead {
            piece if piece < PIECES => self.values[piece].as_ptr(),
            piece => self.next[piece - PIECES],
        }
    }

    /// Where the keys of `lanes` positions from each of `N` on begin, `lanes` apart: they are valid for reads of so many
    /// elements at each of `dim` multiples of the stride.
    #[inline(always)]
    pub fn keys<const N: usize>(&self, first: usize, lanes: usize, dim: usize) -> [*const D; N] {
        let mut keys = [std::ptr::null(); N];
        for (i, from) in keys.iter_mut().enumerate() {
            let place = first + i * lanes;
            let piece = &self.keys[place / PIECE][place % PIECE..];
            assert!(dim > 0 && piece.len() >= (dim - 1) * self.key_stride + lanes);
            *from = piece.as_ptr();
        }
        keys
    }

    /// The values of a piece; they are valid for reads of `len` elements from each of the first `rows` multiples of the
    /// stride on.
    #[inline(always)]
    pub fn values(&self, piece: usize, rows: usize, len: usize) -> *const D {
        let values = self.values[piece];
        assert!(rows > 0 && values.len() >= (rows - 1) * self.value_stride + len);
        values.as_ptr()
    }
}
