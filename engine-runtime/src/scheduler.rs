//! Which sequences run in a step, and how many of their tokens.
//!
//! Running sequences first, in order of arrival: each decodes one token or computes the next part of its prompt. Then
//! prompts from the queue, first come, first served. When blocks run out the youngest running sequence goes back to
//! the head of the queue and is computed again later. Several answers to one prompt are one sequence until the prompt
//! is computed; then the others begin with its blocks. The scheduler knows no tensors and no recipe; what a profile
//! decides comes in as a function and the type of the prefix index.
//!
//! Steps may be scheduled before the ones in front of them are committed. Each turn is ended exactly once, in order:
//! by [`Scheduler::commit`], or by [`Scheduler::retract`] if it came to nothing.

mod admission;
mod queue;
mod sequence;
mod tokens;
mod turn;

pub use sequence::{Arrival, RequestId, Sequence, SequenceId};
pub use tokens::Tokens;
pub use turn::Turn;

use crate::kv::{BlockId, KvBlocks, NoRoom, PrefixIndex};
use crate::recipe::Limits;
use queue::Queue;

/// Counts that only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchedulerStats {
    /// Prompt tokens found in the prefix cache when their sequence was first admitted.
    pub cached_tokens: u64,
    pub preemptions: u64,
}

/// The queue, the running sequences, and their blocks. `O` is what the caller keeps beside each sequence.
#[derive(Debug)]
pub struct Scheduler<I: PrefixIndex, O> {
    limits: Limits,
    kv: KvBlocks<I>,
    /// Blocks that stay free when a sequence is admitted beside others, so that it is not sent back at once.
    headroom: usize,
    sequences: Queue<I::Link, O>,
    stats: SchedulerStats,
}

impl<I: PrefixIndex, O> Scheduler<I, O> {
    pub fn new(limits: Limits, blocks: usize) -> Self {
        Self {
            limits,
            kv: KvBlocks::new(blocks, limits.block_size),
            headroom: blocks / 100,
            sequences: Queue::default(),
            stats: SchedulerStats::default(),
        }
    }

    /// Queues a sequence. With its siblings it has no more sequences than may run at once.
    pub fn add(&mut self, arrival: Arrival<O>) {
        debug_assert!(!arrival.prompt.is_empty());
        debug_assert!(arrival.siblings.len() < self.limits.max_seqs);
        self.sequences.wait(Sequence::new(arrival));
    }

    /// Chooses the turns of the next step and reserves their blocks. `take` says how many rows of a prompt with so many
    /// left a step takes when it has room for so many; see [`Prefill::take`](crate::parts::Prefill::take).
    pub fn schedule(&mut self, take: impl Fn(usize, usize) -> usize) -> Vec<Turn> {
        let mut budget = self.limits.max_batched_tokens;
        let mut turns = Vec::with_capacity(self.sequences.running().len() + 1);
        let preemptions = self.stats.preemptions;
        let mut place = 0;
        while place < self.sequences.running().len() {
            let remaining = self.sequences.running()[place].remaining();
            let rows = take(remaining, budget);
            if rows > 0
                && let Some(turn) = self.give_turn(place, rows)
            {
                budget -= rows;
                turns.push(turn);
            }
            place += 1;
        }
        if self.stats.preemptions == preemptions {
            while let Some(turn) = self.admit(&take, budget) {
                budget -= turn.rows.len();
                turns.push(turn);
            }
        }
        self.launch(&turns);
        turns
    }

    /// Lets a turn that chooses a token verify `drafted` ones as well, or as many as there is room for.
    pub fn draft(&mut self, turn: &mut Turn, drafted: &[u32]) {
        let Some(sequence) = self.sequences.running_mut(turn.id) else {
            return;
        };
        let room = sequence.max_len.saturating_sub(turn.rows.end + 1);
        for &token in drafted.iter().take(room) {
            let next = turn.rows.end..turn.rows.end + 1;
            if self.kv.reserve(&mut sequence.table, next.clone()).is_err() {
                break;
            }
            turn.drafted.push(token);
            let ends = [&mut turn.rows, &mut turn.logits, &mut turn.chosen];
            ends.into_iter().for_each(|range| range.end = next.end);
        }
        sequence.coming += turn.drafted.len();
        sequence.launched = turn.rows.end;
    }

    /// Takes note that a turn was computed, and of the tokens chosen for its sequence: one for each position of
    /// `turn.chosen`, or fewer where a drafted token was not what was chosen in its place.
    pub fn commit(&mut self, turn: &Turn, tokens: &[u32]) {
        turn.copy.into_iter().for_each(|copy| self.kv.copied(copy));
        let Some((sequence, running)) = self.sequences.find(turn.id) else {
            return;
        };
        sequence.turns -= 1;
        sequence.coming -= turn.chosen.len();
        sequence.tokens.extend(tokens);
        if running {
            let computed = turn.rows.end.min(sequence.tokens.len() - 1);
            if computed < turn.rows.end {
                sequence.launched = computed;
                self.kv.truncate(&mut sequence.table, computed);
            }
            sequence.computed = computed;
            let read = |positions| sequence.tokens.range(positions);
            self.kv
                .commit(&mut sequence.table, &sequence.keys, computed, read);
        }
    }

    /// Takes a turn back whose step came to nothing; those of later steps go first.
    pub fn retract(&mut self, turn: &Turn) {
        let found = self.sequences.find(turn.id);
        let table = found.and_then(|(sequence, running)| {
            sequence.turns -= 1;
            sequence.coming -= turn.chosen.len();
            running.then(|| {
                sequence.launched = turn.rows.start;
                &mut sequence.table
            })
        });
        match (turn.copy, table) {
            (None, _) => {}
            (Some(copy), Some(table)) => self.kv.undo(table, copy),
            // The table is gone, and its block with it.
            (Some(copy), None) => self.kv.copied(copy),
        }
    }

    /// Whether a turn that is not ended can be computed again: its sequence still has the blocks that it had. One that
    /// has lost them does not run before all its turns are ended.
    pub fn is_current(&self, turn: &Turn) -> bool {
        self.running(turn.id).is_some()
    }

    /// Begins sequence `index` where the prompt of the one that `turn` names has just been committed, with `tokens` of
    /// its own behind it.
    pub fn fork(&mut self, turn: &Turn, index: u32, tokens: &[u32], output: O) {
        let Some((first, running)) = self.sequences.find(turn.id) else {
            return;
        };
        first.siblings.start = index + 1;
        let mut sequence = Sequence::new(Arrival {
            id: SequenceId { index, ..turn.id },
            keys: first.keys.clone(),
            prompt: first.tokens.share_prompt(),
            siblings: 0..0,
            max_tokens: first.max_len - first.tokens.prompt_len(),
            output,
        });
        sequence.tokens.extend(tokens);
        sequence.cached = first.cached;
        if !running {
            // The first one has lost its blocks again while its step was on its way.
            return self.sequences.wait(sequence);
        }
        let computed = turn.rows.end;
        sequence.table = self.kv.fork(&first.table, computed);
        (sequence.computed, sequence.launched) = (computed, computed);
        self.sequences.run(sequence);
    }

    /// Drops a sequence and frees its blocks.
    pub fn remove(&mut self, id: SequenceId) -> Option<Sequence<I::Link, O>> {
        let mut sequence = self.sequences.remove(id)?;
        self.kv.close(std::mem::take(&mut sequence.table));
        Some(sequence)
    }

    /// Number of waiting sequences, siblings that have not begun not counted.
    pub fn queued(&self) -> usize {
        self.sequences.queued()
    }

    /// The sequences of a request that are not over; siblings that have not begun are not among them.
    pub fn of_request(&self, id: RequestId) -> Vec<SequenceId> {
        self.sequences.of_request(id)
    }

    /// A running sequence.
    pub fn running(&self, id: SequenceId) -> Option<&Sequence<I::Link, O>> {
        self.sequences.get_running(id)
    }

    /// A sequence that is not over.
    pub fn find(&mut self, id: SequenceId) -> Option<&mut Sequence<I::Link, O>> {
        self.sequences.find(id).map(|(sequence, _)| sequence)
    }

    /// All running sequences, in order of arrival.
    pub fn all_running(&self) -> &[Sequence<I::Link, O>] {
        self.sequences.running()
    }

    /// All waiting sequences, the next one first.
    pub fn waiting(&self) -> impl Iterator<Item = &Sequence<I::Link, O>> {
        self.sequences.waiting()
    }

    /// Blocks that sequences hold, and all there are.
    pub fn blocks(&self) -> (usize, usize) {
        let all = self.kv.blocks();
        (all - self.kv.available(), all)
    }

    pub fn block_size(&self) -> usize {
        self.limits.block_size
    }

    pub fn stats(&self) -> SchedulerStats {
        self.stats
    }

    /// Panics unless every block is accounted for. `on_their_way` are the turns that are not ended.
    pub fn audit<'a>(&self, on_their_way: impl Iterator<Item = &'a Turn> + Clone) {
        for sequence in self.waiting() {
            assert!(
                sequence.table.blocks().is_empty(),
                "a waiting sequence holds no block"
            );
        }
        let running = self.all_running().iter();
        let tables = running.clone().map(|sequence| &sequence.table);
        let copies = on_their_way.clone().filter_map(|turn| turn.copy);
        self.kv
            .audit(tables, copies.map(|copy| copy.from as BlockId));
        for sequence in running.chain(self.waiting()) {
            let turns = on_their_way.clone().filter(|turn| turn.id == sequence.id);
            let coming: usize = turns.clone().map(|turn| turn.chosen.len()).sum();
            assert_eq!(coming, sequence.coming, "tokens on their way");
            assert_eq!(turns.count(), sequence.turns, "turns on their way");
        }
        let seats: usize = self.all_running().iter().map(Sequence::seats).sum();
        assert!(seats <= self.limits.max_seqs, "sequences that run or will");
    }

    /// Takes note that turns are on their way.
    fn launch(&mut self, turns: &[Turn]) {
        let mut row = 0;
        for turn in turns {
            if let Some(sequence) = self.sequences.running_mut(turn.id) {
                sequence.launched = turn.rows.end;
                sequence.turns += 1;
                sequence.coming += turn.chosen.len();
                sequence.source = row;
            }
            row += turn::narrow(turn.choices());
        }
    }

    /// Reserves the blocks for the next `rows` tokens of the sequence at `place`, if need be at the cost of the
    /// youngest. `None` if that was itself the youngest, and is now waiting.
    fn give_turn(&mut self, place: usize, rows: usize) -> Option<Turn> {
        loop {
            let sequence = self.sequences.at_mut(place)?;
            let mut turn = sequence.turn(rows);
            match self.kv.reserve(&mut sequence.table, turn.rows.clone()) {
                Ok(copy) => {
                    turn.copy = copy;
                    return Some(turn);
                }
                Err(NoRoom) => self.preempt_youngest(),
            }
        }
    }

    /// Sends the youngest running sequence back to the head of the queue; it keeps its tokens.
    fn preempt_youngest(&mut self) {
        let youngest = self.sequences.youngest();
        let mut sequence = youngest.expect("the caller's sequence is running");
        self.kv.close(std::mem::take(&mut sequence.table));
        (sequence.computed, sequence.launched) = (0, 0);
        self.sequences.wait(sequence);
        self.stats.preemptions += 1;
    }
}

#[cfg(test)]
mod tests;
