//! What a step does with one running sequence, and the rows that this adds to a batch.

use std::ops::Range;

use super::{Sequence, SequenceId};
use crate::batch::{Batch, BlockCopy};

/// A sequence's share of a step. Ranges are of positions: the token that is chosen from the logits at one position is
/// that of the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub id: SequenceId,
    /// Positions to compute.
    pub rows: Range<usize>,
    /// Those of them whose logits are wanted.
    pub logits: Range<usize>,
    /// Those of them from which a token is chosen for the sequence.
    pub chosen: Range<usize>,
    /// Sequences that begin here: each has a token chosen for it from the last of `chosen`.
    pub siblings: Range<u32>,
    /// Tokens at the end of `rows` that are not the sequence's yet.
    pub drafted: Vec<u32>,
    /// The row of the last step's results that holds the first token, where the host does not know it.
    pub source: u32,
    /// What must be copied before a row is written.
    pub copy: Option<BlockCopy>,
}

impl Turn {
    /// Tokens that are chosen for the sequence and its siblings.
    pub fn choices(&self) -> usize {
        self.chosen.len() + self.siblings.len()
    }

    /// Adds the turn to a batch. `sequence` is the one that it names.
    pub fn build<L, O>(&self, sequence: &Sequence<L, O>, block_size: usize, batch: &mut Batch) {
        let blocks = sequence.table.blocks();
        let first = batch.rows();
        for position in self.rows.clone() {
            let offset = narrow(position % block_size);
            let slot = blocks[position / block_size] * narrow(block_size) + offset;
            match self.token(sequence, position) {
                Some(token) => batch.push(token, narrow(position), slot),
                None => batch.push_from(0, self.source, narrow(position), slot),
            }
        }
        batch.end_sequence(narrow(self.rows.end), blocks);
        let row = |position: usize| narrow(first + position - self.rows.start);
        batch.logits_rows.extend(self.logits.clone().map(row));
        batch.copies.extend(self.copy);
    }

    /// The token at a position, if the host knows it.
    fn token<L, O>(&self, sequence: &Sequence<L, O>, position: usize) -> Option<u32> {
        let own = self.rows.end - self.drafted.len();
        match position.checked_sub(own) {
            Some(place) => Some(self.drafted[place]),
            None => sequence.tokens.at(position),
        }
    }
}

pub(super) fn narrow(value: usize) -> u32 {
    u32::try_from(value).expect("rows, positions and cache slots fit 32 bits when the engine opens")
}
