//! When a waiting sequence may run.

use super::sequence::Need;
use super::{Scheduler, Sequence, Turn};
use crate::kv::PrefixIndex;

impl<I: PrefixIndex, O> Scheduler<I, O> {
    /// Starts the sequence at the head of the queue, if there is a place for it and room for all that it holds now,
    /// beside all that the running ones are going to compute of what they hold.
    pub(super) fn admit(
        &mut self,
        take: impl Fn(usize, usize) -> usize,
        budget: usize,
    ) -> Option<Turn> {
        let running = self.sequences.running();
        let alone = running.is_empty();
        let seats: usize = running.iter().map(Sequence::seats).sum();
        let promised = running.iter().map(|sequence| {
            let rest = sequence.launched..sequence.len();
            self.kv.missing(&sequence.table, &rest)
        });
        let promised: usize = promised.sum();
        let available = self.kv.available().saturating_sub(promised);
        let sequence = self.sequences.head()?;
        if budget == 0 || seats + sequence.seats() > self.limits.max_seqs {
            return None;
        }
        // A turn from before it was sent back wrote to blocks that are gone, and may bring a token.
        if sequence.turns > 0 {
            return None;
        }
        // Where too little has become free since it was looked at, the prompt need not be hashed again.
        let too_much =
            |need: Need| !alone && need.blocks > available || take(need.rows, budget) == 0;
        if sequence.need.is_some_and(too_much) {
            return None;
        }
        let before = self.kv.available();
        let len = sequence.tokens.len();
        let tokens = sequence.tokens.range(0..len);
        let (mut table, cached) = self.kv.open(&sequence.keys, &tokens);
        let spare = match alone {
            true => 0,
            false => self.headroom + sequence.siblings.len(),
        };
        let need = Need {
            rows: len - cached,
            // Found blocks that nobody held are no longer to be had.
            blocks: self.kv.missing(&table, &(cached..len)) + spare + before - self.kv.available(),
        };
        if too_much(need) {
            sequence.need = Some(need);
            self.kv.close(table);
            return None;
        }
        let rows = take(need.rows, budget);
        // Where nothing runs, copies for sequences that are gone can still be on their way and hold blocks.
        let reserved = self.kv.reserve(&mut table, cached..cached + rows);
        if reserved.is_err() {
            self.kv.close(table);
            return None;
        }
        debug_assert_eq!(reserved, Ok(None), "found blocks are full");
        let mut sequence = self.sequences.pop_head()?;
        sequence.table = table;
        (sequence.computed, sequence.launched) = (cached, cached);
        sequence.need = None;
        if sequence.cached.is_none() {
            sequence.cached = Some(cached);
            self.stats.cached_tokens += cached as u64;
        }
        let turn = sequence.turn(rows);
        self.sequences.run(sequence);
        Some(turn)
    }
}
