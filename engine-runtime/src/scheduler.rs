//! Which sequences run in a step, and how many of their tokens.
//!
//! Running sequences first, in order of arrival: each decodes one token, and at most the youngest still has prompt
//! left. Then prompts from the queue, first come, first served. When blocks run out the youngest running sequence goes
//! back to the head of the queue and is computed again later. The scheduler knows no tensors and no recipe; what a
//! profile decides comes in as a function, [`Prefill::take`](crate::parts::Prefill::take), and the type of the prefix index.

mod batch;
mod sequence;

pub use batch::build_batch;
pub use sequence::{RequestId, Sequence, SequenceId};

use std::collections::VecDeque;

use crate::kv::{CacheKeys, KvBlocks, PrefixIndex};
use crate::recipe::Limits;

/// What a step does with one running sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub id: SequenceId,
    /// Place among the running sequences.
    pub place: usize,
    /// Tokens to compute.
    pub rows: usize,
    /// Whether they are the last that are known, so that the next one is chosen.
    pub samples: bool,
}

/// Counts that only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchedulerStats {
    /// Prompt tokens found in the prefix cache when their sequence was first admitted.
    pub cached_tokens: u64,
    pub preemptions: u64,
}

/// The queue, the running sequences, and their blocks.
#[derive(Debug)]
pub struct Scheduler<I: PrefixIndex> {
    limits: Limits,
    kv: KvBlocks<I>,
    waiting: VecDeque<Sequence<I::Chain>>,
    /// In order of arrival.
    running: Vec<Sequence<I::Chain>>,
    stats: SchedulerStats,
}

impl<I: PrefixIndex> Scheduler<I> {
    pub fn new(limits: Limits, blocks: usize) -> Self {
        Self {
            limits,
            kv: KvBlocks::new(blocks, limits.block_size),
            waiting: VecDeque::new(),
            running: Vec::new(),
            stats: SchedulerStats::default(),
        }
    }

    /// Queues a sequence of `prompt`, which has at least one token.
    pub fn add(&mut self, id: SequenceId, keys: CacheKeys, prompt: Vec<u32>) {
        debug_assert!(!prompt.is_empty());
        self.waiting.push_back(Sequence::new(id, keys, prompt));
    }

    /// Chooses the turns of the next step and reserves their blocks. `take` says how many of a prompt's remaining rows
    /// a step with so much room computes.
    pub fn schedule(&mut self, take: impl Fn(usize, usize) -> usize) -> Vec<Turn> {
        let mut budget = self.limits.max_batched_tokens;
        let mut turns = Vec::new();
        let preemptions = self.stats.preemptions;
        let mut place = 0;
        while place < self.running.len() {
            let rows = take(self.running[place].remaining(), budget);
            if rows > 0 && self.make_room(place, rows) {
                turns.push(self.running[place].turn(place, rows));
                budget -= rows;
            }
            place += 1;
        }
        if self.stats.preemptions == preemptions {
            while let Some(turn) = self.admit(budget, &take) {
                budget -= turn.rows;
                turns.push(turn);
            }
        }
        turns
    }

    /// Takes note that a turn was computed, and of the token chosen at its end.
    pub fn commit(&mut self, turn: Turn, token: Option<u32>) {
        let Some(sequence) = self.running.get_mut(turn.place) else {
            return;
        };
        debug_assert_eq!(sequence.id, turn.id);
        sequence.computed += turn.rows;
        let computed = &sequence.tokens[..sequence.computed];
        self.kv
            .commit(&mut sequence.table, &sequence.keys, computed);
        sequence.tokens.extend(token);
    }

    /// Drops the sequences that `over` names, and frees their blocks.
    pub fn remove(&mut self, over: impl Fn(SequenceId) -> bool) {
        for sequence in self.running.extract_if(.., |sequence| over(sequence.id)) {
            self.kv.close(sequence.table);
        }
        self.waiting.retain(|sequence| !over(sequence.id));
    }

    pub fn running(&self) -> &[Sequence<I::Chain>] {
        &self.running
    }

    pub fn waiting(&self) -> impl Iterator<Item = &Sequence<I::Chain>> {
        self.waiting.iter()
    }

    pub fn block_size(&self) -> usize {
        self.limits.block_size
    }

    pub fn stats(&self) -> SchedulerStats {
        self.stats
    }

    /// Panics unless every block is accounted for.
    pub fn audit(&self) {
        let queued = self.waiting.iter();
        assert!(
            queued
                .clone()
                .all(|sequence| sequence.table.blocks().is_empty()),
            "a waiting sequence holds no block"
        );
        let tables = self.running.iter().chain(queued);
        self.kv.audit(tables.map(|sequence| &sequence.table));
    }

    /// Reserves the blocks for `rows` more tokens of the sequence at `place`, if need be at the cost of the youngest.
    /// `false` if that was itself the youngest, and is now waiting.
    fn make_room(&mut self, place: usize, rows: usize) -> bool {
        loop {
            let sequence = &mut self.running[place];
            let positions = sequence.computed + rows;
            if self.kv.reserve(&mut sequence.table, positions) {
                return true;
            }
            self.preempt_youngest();
            if place == self.running.len() {
                return false;
            }
        }
    }

    /// Sends the youngest running sequence back to the head of the queue; it keeps its tokens.
    fn preempt_youngest(&mut self) {
        let mut sequence = self
            .running
            .pop()
            .expect("the caller's sequence is running");
        self.kv.close(std::mem::take(&mut sequence.table));
        sequence.computed = 0;
        self.waiting.push_front(sequence);
        self.stats.preemptions += 1;
    }

    /// Starts the sequence at the head of the queue, if there is a place for it and room for all that it holds now.
    fn admit(&mut self, budget: usize, take: impl Fn(usize, usize) -> usize) -> Option<Turn> {
        if self.running.len() == self.limits.max_seqs {
            return None;
        }
        let sequence = self.waiting.front_mut()?;
        let (mut table, cached) = self.kv.open(&sequence.keys, &sequence.tokens);
        let len = sequence.tokens.len();
        let rows = take(len - cached, budget);
        let admitted =
            rows > 0 && self.kv.can_hold(&table, len) && self.kv.reserve(&mut table, cached + rows);
        if !admitted {
            self.kv.close(table);
            return None;
        }
        let mut sequence = self.waiting.pop_front()?;
        sequence.table = table;
        sequence.computed = cached;
        if !sequence.admitted {
            sequence.admitted = true;
            self.stats.cached_tokens += cached as u64;
        }
        let turn = sequence.turn(self.running.len(), rows);
        self.running.push(sequence);
        Some(turn)
    }
}

#[cfg(test)]
mod tests;
