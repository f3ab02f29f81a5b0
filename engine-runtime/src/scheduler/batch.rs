//! From turns to the arrays that a model launches on.

use super::{Sequence, Turn};
use crate::batch::Batch;

/// The batch of `turns`, each of which names its sequence in `running`.
pub fn build_batch<C>(turns: &[Turn], running: &[Sequence<C>], block_size: usize) -> Batch {
    let sequence = |turn: &Turn| &running[turn.place];
    let tables = turns.iter().map(|turn| sequence(turn).table.blocks().len());
    let mut batch = Batch {
        query_start: vec![0],
        blocks_per_seq: tables.max().unwrap_or(0),
        ..Batch::default()
    };
    for turn in turns {
        let sequence = sequence(turn);
        let end = sequence.computed + turn.rows;
        let blocks = sequence.table.blocks();
        batch
            .ids
            .extend_from_slice(&sequence.tokens[sequence.computed..end]);
        for position in sequence.computed..end {
            let offset = narrow(position % block_size);
            batch.positions.push(narrow(position));
            batch
                .slots
                .push(blocks[position / block_size] * narrow(block_size) + offset);
        }
        batch.query_start.push(narrow(batch.ids.len()));
        batch.context_len.push(narrow(end));
        batch.block_tables.extend_from_slice(blocks);
        batch
            .block_tables
            .resize(batch.seqs() * batch.blocks_per_seq, 0);
        if turn.samples {
            batch.logits_rows.push(narrow(batch.ids.len() - 1));
        }
    }
    batch
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).expect("positions and cache slots fit 32 bits when the engine opens")
}
