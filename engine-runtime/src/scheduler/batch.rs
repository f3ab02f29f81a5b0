//! From turns to the arrays that a model launches on.

use super::{Sequence, Turn};
use crate::batch::Batch;

/// Adds `turns`, each of which names its sequence in `running`, to `batch`.
pub fn build_batch<C>(
    turns: &[Turn],
    running: &[Sequence<C>],
    block_size: usize,
    batch: &mut Batch,
) {
    for turn in turns {
        let sequence = &running[turn.place];
        let end = sequence.computed + turn.rows;
        let blocks = sequence.table.blocks();
        for position in sequence.computed..end {
            let offset = narrow(position % block_size);
            let slot = blocks[position / block_size] * narrow(block_size) + offset;
            batch.push(sequence.tokens[position], narrow(position), slot);
        }
        batch.end_sequence(narrow(end), blocks);
        if turn.samples {
            batch.logits_rows.push(narrow(batch.rows() - 1));
        }
    }
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).expect("positions and cache slots fit 32 bits when the engine opens")
}
