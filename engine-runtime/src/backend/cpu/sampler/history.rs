//! The tokens that stand in front of a choice.

use crate::backend::SamplingRow;

/// What all sequences of a step have seen, in the blocks of a [`TokenCache`](crate::backend::TokenCache).
#[derive(Clone, Copy)]
pub(in super::super) struct History<'a> {
    pub ids: &'a [u32],
    pub block_size: usize,
    pub table_start: &'a [u32],
    pub blocks: &'a [u32],
}

impl<'a> History<'a> {
    /// The tokens of a row, by block and in order.
    pub fn of(self, row: &SamplingRow) -> impl Iterator<Item = &'a [u32]> + Clone + use<'a> {
        let seen = row.seen as usize;
        let blocks = match seen {
            0 => &[],
            _ => &self.blocks[self.table_start[row.sequence as usize] as usize..],
        };
        let starts = (0..seen).step_by(self.block_size);
        starts.zip(blocks).map(move |(start, &block)| {
            let len = self.block_size.min(seen - start);
            &self.ids[block as usize * self.block_size..][..len]
        })
    }
}
