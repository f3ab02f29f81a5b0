//! The scheduler against a device that remembers what was written where, whatever the limits and whatever fails.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// What a request asks for.
#[derive(Debug, Clone)]
struct Ask {
    prompt: usize,
    output: usize,
    siblings: u32,
    /// Prompts of one topic begin alike.
    topic: u32,
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    FailsAtLaunch,
    FailsAtCollection,
    /// A request is cancelled while it is on its way.
    Cancels(u64),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Well),
        3 => Just(Fate::FailsAtLaunch),
        3 => Just(Fate::FailsAtCollection),
        1 => (0_u64..10).prop_map(Fate::Cancels),
    ]
}

/// A device that knows no numbers: each slot of its cache remembers all the tokens that led there.
struct World<I: PrefixIndex> {
    scheduler: Scheduler<I, ()>,
    limits: Limits,
    slots: Vec<Vec<u32>>,
    /// What the last launch chose, in the order of its results.
    results: Vec<u32>,
    prompts: Vec<Vec<u32>>,
    /// Tokens that each sequence has still to bring.
    left: BTreeMap<SequenceId, usize>,
}

impl<I: PrefixIndex> World<I> {
    fn new(limits: Limits, blocks: usize, asks: &[Ask]) -> Self {
        let mut world = Self {
            scheduler: Scheduler::new(limits, blocks),
            limits,
            slots: vec![Vec::new(); blocks * limits.block_size],
            results: Vec::new(),
            prompts: Vec::new(),
            left: BTreeMap::new(),
        };
        for (request, ask) in (0..).zip(asks) {
            let siblings = ask.siblings.min(limits.max_seqs as u32 - 1);
            let prompt: Vec<u32> = (ask.topic * 1000..).take(ask.prompt).collect();
            let mut arrival = arrival(request, prompt.clone(), siblings);
            arrival.max_tokens = ask.output;
            world.scheduler.add(arrival);
            world.prompts.push(prompt);
            for index in 0..=siblings {
                let id = SequenceId {
                    index,
                    ..id(request)
                };
                world.left.insert(id, ask.output);
            }
        }
        world
    }

    /// The token of a sequence at a position of its output.
    fn token(id: SequenceId, position: usize) -> u32 {
        10_000 + id.request.0 as u32 * 100 + id.index * 1000 + position as u32
    }

    /// The first `len` tokens of a sequence.
    fn path(&self, id: SequenceId, len: usize) -> Vec<u32> {
        let prompt = &self.prompts[id.request.0 as usize];
        let output = (prompt.len()..).map(|position| Self::token(id, position));
        prompt.iter().copied().chain(output).take(len).collect()
    }

    /// Copies, writes, and reads what attention would read.
    fn launch(&mut self, turns: &[Turn]) {
        let size = self.limits.block_size;
        let mut batch = Batch::default();
        for turn in turns {
            let sequence = self.scheduler.running(turn.id).unwrap();
            turn.build(sequence, size, &mut batch);
        }
        for copy in &batch.copies {
            for offset in 0..size {
                let from = self.slots[copy.from as usize * size + offset].clone();
                self.slots[copy.to as usize * size + offset] = from;
            }
        }
        let mut written = batch.slots.clone();
        written.sort_unstable();
        written.dedup();
        assert_eq!(written.len(), batch.rows(), "no two rows share a slot");
        let mut row = 0;
        for turn in turns {
            let blocks = self.scheduler.running(turn.id).unwrap().table.blocks();
            let blocks = blocks.to_vec();
            let slot = |position: usize| blocks[position / size] as usize * size + position % size;
            for position in turn.rows.clone() {
                let path = self.path(turn.id, position + 1);
                let token = match batch.sources[row] {
                    NO_TOKEN => batch.ids[row],
                    source => self.results[source as usize],
                };
                assert_eq!(token, path[position], "what {:?} goes on with", turn.id);
                self.slots[slot(position)] = path;
                row += 1;
            }
            for position in 0..turn.rows.end {
                let path = self.path(turn.id, position + 1);
                assert_eq!(self.slots[slot(position)], path, "what {:?} reads", turn.id);
            }
        }
        if !turns.is_empty() {
            self.results = turns.iter().flat_map(Self::choices).collect();
        }
    }

    /// The tokens that a turn chooses, for its sequence and then for its siblings.
    fn choices(turn: &Turn) -> impl Iterator<Item = u32> {
        let own = turn.chosen.clone().map(|_| turn.id.index);
        let indices = own.chain(turn.siblings.clone());
        indices.map(|index| Self::token(SequenceId { index, ..turn.id }, turn.rows.end))
    }

    fn commit(&mut self, turn: &Turn) {
        let next = turn.rows.end;
        let own = turn.chosen.clone().map(|_| Self::token(turn.id, next));
        self.scheduler.commit(turn, &own.collect::<Vec<_>>());
        let mut chosen = vec![turn.id];
        for index in turn.siblings.clone() {
            let id = SequenceId { index, ..turn.id };
            self.scheduler
                .fork(turn, index, &[Self::token(id, next)], ());
            chosen.push(id);
        }
        if turn.chosen.is_empty() {
            return;
        }
        for id in chosen {
            let over = self.left.get_mut(&id).is_some_and(|left| {
                *left -= 1;
                *left == 0
            });
            if over {
                self.left.remove(&id);
                self.scheduler.remove(id);
            }
        }
    }

    /// Serves all requests, with up to `ahead` steps on their way and a fate for each of the first ones.
    fn run(mut self, take: Take, ahead: usize, fates: &[Fate]) {
        let mut flights = VecDeque::new();
        let mut fates = fates.iter().copied();
        let mut steps = 0;
        while !self.left.is_empty() {
            let turns = self.scheduler.schedule(take);
            assert!(!turns.is_empty() || !flights.is_empty(), "no progress");
            let rows: usize = turns.iter().map(|turn| turn.rows.len()).sum();
            assert!(rows <= self.limits.max_batched_tokens);
            let choices: usize = turns.iter().map(Turn::choices).sum();
            assert!(choices <= self.limits.max_seqs);
            let fate = fates.next().unwrap_or(Fate::Well);
            let idle = turns.is_empty();
            if fate != Fate::FailsAtLaunch {
                self.launch(&turns);
            }
            flights.push_back(turns);
            flights.retain(|turns| !turns.is_empty());
            self.scheduler.audit(flights.iter().flatten());
            if let Fate::Cancels(request) = fate {
                self.cancel(RequestId(request));
                self.scheduler.audit(flights.iter().flatten());
            }
            if matches!(fate, Fate::FailsAtLaunch | Fate::FailsAtCollection) {
                self.recover(std::mem::take(&mut flights));
            } else if flights.len() > ahead || idle {
                let turns = flights.pop_front().unwrap_or_default();
                turns.iter().for_each(|turn| self.commit(turn));
            }
            self.scheduler.audit(flights.iter().flatten());
            steps += 1;
            assert!(steps < 10_000, "no end");
        }
        for turns in flights {
            turns.iter().for_each(|turn| self.commit(turn));
        }
        self.scheduler.audit([].iter());
        assert!(self.scheduler.all_running().is_empty() && self.scheduler.queued() == 0);
    }

    fn cancel(&mut self, request: RequestId) {
        for id in self.scheduler.of_request(request) {
            self.scheduler.remove(id);
        }
        self.left.retain(|id, _| id.request != request);
    }

    /// As the engine does: the oldest step again, in two parts, and the later ones taken back.
    fn recover(&mut self, mut flights: VecDeque<Vec<Turn>>) {
        let oldest = flights.pop_front().unwrap_or_default();
        for turn in flights.iter().rev().flatten() {
            self.scheduler.retract(turn);
        }
        let current = |turn: &Turn| self.scheduler.is_current(turn);
        let (turns, stale): (Vec<_>, Vec<_>) = oldest.into_iter().partition(current);
        stale.iter().for_each(|turn| self.scheduler.retract(turn));
        let (front, back) = turns.split_at(turns.len() / 2);
        self.launch(front);
        self.launch(back);
        turns.iter().for_each(|turn| self.commit(turn));
    }
}

proptest! {
    #![proptest_config(testbed::properties(1024))]

    #[test]
    fn every_request_ends_and_reads_what_it_has_written(
        asks in prop::collection::vec(
            (1_usize..20, 1_usize..12, 0_u32..5, 0_u32..3).prop_map(
                |(prompt, output, siblings, topic)| Ask { prompt, output, siblings, topic },
            ),
            1..10,
        ),
        max_seqs in 1_usize..8,
        extra_tokens in 0_usize..40,
        blocks in 8_usize..24,
        // More than an engine ever has.
        ahead in 0_usize..4,
        fates in prop::collection::vec(fate(), 0..60),
    ) {
        // The longest of these sequences has 32 tokens, 8 blocks.
        let chunks = limits(max_seqs, max_seqs + extra_tokens);
        World::<()>::new(chunks, blocks, &asks).run(CHUNKS, ahead, &fates);
        World::<PrefixCache>::new(chunks, blocks, &asks).run(CHUNKS, ahead, &fates);
        let whole = limits(max_seqs, 32 + extra_tokens);
        World::<()>::new(whole, blocks, &asks).run(WHOLE, ahead, &fates);
        World::<PrefixCache>::new(whole, blocks, &asks).run(WHOLE, ahead, &fates);
    }
}
