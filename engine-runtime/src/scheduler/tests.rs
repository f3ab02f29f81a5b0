use proptest::prelude::*;

use super::*;
use crate::batch::Batch;
use crate::kv::prefix_cache::PrefixCache;
use crate::recipe::KvMemory;

fn limits(max_seqs: usize, max_batched_tokens: usize) -> Limits {
    Limits {
        max_model_len: 64,
        max_seqs,
        max_batched_tokens,
        block_size: 4,
        kv_memory: KvMemory::Needed,
    }
}

fn id(request: u64) -> SequenceId {
    SequenceId {
        request: RequestId(request),
        index: 0,
    }
}

fn add<I: PrefixIndex>(scheduler: &mut Scheduler<I>, request: u64, prompt: usize) {
    let first = u32::try_from(request).unwrap() * 1000;
    let prompt = (first..).take(prompt).collect();
    scheduler.add(id(request), CacheKeys::default(), prompt);
}

/// How a prompt is taken: in one piece, or in pieces.
type Take = fn(usize, usize) -> usize;
const WHOLE: Take = |remaining, budget| if remaining <= budget { remaining } else { 0 };
const CHUNKS: Take = |remaining, budget| remaining.min(budget);

/// Schedules and commits one step; the turns as (request, rows, samples).
fn step<I: PrefixIndex>(scheduler: &mut Scheduler<I>, take: Take) -> Vec<(u64, usize, bool)> {
    let turns = scheduler.schedule(take);
    for &turn in &turns {
        scheduler.commit(turn, turn.samples.then_some(7));
    }
    scheduler.audit();
    let seen = |turn: &Turn| (turn.id.request.0, turn.rows, turn.samples);
    turns.iter().map(seen).collect()
}

#[test]
fn decodes_come_first_and_prompts_share_what_is_left() {
    let mut scheduler = Scheduler::<()>::new(limits(4, 8), 64);
    add(&mut scheduler, 0, 5);
    add(&mut scheduler, 1, 10);
    add(&mut scheduler, 2, 2);
    assert_eq!(step(&mut scheduler, CHUNKS), [(0, 5, true), (1, 3, false)]);
    assert_eq!(step(&mut scheduler, CHUNKS), [(0, 1, true), (1, 7, true)]);
    assert_eq!(
        step(&mut scheduler, CHUNKS),
        [(0, 1, true), (1, 1, true), (2, 2, true)]
    );
}

#[test]
fn a_whole_prompt_waits_until_it_fits_the_step() {
    let mut scheduler = Scheduler::<()>::new(limits(4, 8), 64);
    add(&mut scheduler, 0, 5);
    add(&mut scheduler, 1, 8);
    add(&mut scheduler, 2, 1);
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 5, true)]);
    // First come, first served: request 2 does not overtake.
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 1, true)]);
    scheduler.remove(|sequence| sequence == id(0));
    assert_eq!(step(&mut scheduler, WHOLE), [(1, 8, true)]);
    assert_eq!(step(&mut scheduler, WHOLE), [(1, 1, true), (2, 1, true)]);
}

#[test]
fn no_more_than_max_seqs_run() {
    let mut scheduler = Scheduler::<()>::new(limits(2, 8), 64);
    (0..3).for_each(|request| add(&mut scheduler, request, 1));
    assert_eq!(step(&mut scheduler, WHOLE).len(), 2);
    assert_eq!(step(&mut scheduler, WHOLE).len(), 2);
}

#[test]
fn when_blocks_run_out_the_youngest_goes_back_to_the_head_of_the_queue() {
    let mut scheduler = Scheduler::<()>::new(limits(4, 16), 3);
    add(&mut scheduler, 0, 4);
    add(&mut scheduler, 1, 3);
    add(&mut scheduler, 2, 1);
    let first = step(&mut scheduler, WHOLE);
    assert_eq!(first, [(0, 4, true), (1, 3, true), (2, 1, true)]);
    // Request 0 needs a second block; request 2 is the youngest.
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 1, true), (1, 1, true)]);
    assert_eq!(scheduler.stats().preemptions, 1);
    // Request 1 needs a second block and is itself the youngest now.
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 1, true)]);
    let waiting: Vec<u64> = scheduler
        .waiting()
        .map(|sequence| sequence.id.request.0)
        .collect();
    assert_eq!(waiting, [1, 2]);
    scheduler.remove(|sequence| sequence == id(0));
    // Computed again, prompt and output together.
    assert_eq!(step(&mut scheduler, WHOLE), [(1, 5, true), (2, 2, true)]);
}

#[test]
fn a_cached_prefix_is_not_computed_again() {
    let mut scheduler = Scheduler::<PrefixCache>::new(limits(4, 16), 16);
    add(&mut scheduler, 0, 10);
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 10, true)]);
    scheduler.add(id(9), CacheKeys::default(), (0..10).collect());
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 1, true), (9, 2, true)]);
    assert_eq!(scheduler.stats().cached_tokens, 8);
}

/// Runs `prompts` with `outputs` tokens each; returns each sequence's number of computed rows per position.
fn run_to_end<I: PrefixIndex>(
    limits: Limits,
    blocks: usize,
    requests: &[(usize, usize)],
    take: Take,
) {
    let mut scheduler = Scheduler::<I>::new(limits, blocks);
    let mut left: Vec<usize> = requests.iter().map(|&(_, output)| output).collect();
    for (request, &(prompt, _)) in requests.iter().enumerate() {
        add(&mut scheduler, request as u64, prompt);
    }
    let mut steps = 0;
    while left.iter().any(|&left| left > 0) {
        let turns = scheduler.schedule(take);
        assert!(!turns.is_empty(), "no progress");
        assert!(turns.len() <= limits.max_seqs);
        let rows: usize = turns.iter().map(|turn| turn.rows).sum();
        assert!(rows <= limits.max_batched_tokens);
        let mut batch = Batch::default();
        build_batch(&turns, scheduler.running(), limits.block_size, &mut batch);
        assert_eq!((batch.rows(), batch.seqs()), (rows, turns.len()));
        let mut slots = batch.slots.clone();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), rows, "no two rows are written to one slot");
        for &turn in &turns {
            scheduler.commit(turn, turn.samples.then_some(7));
            left[turn.id.request.0 as usize] -= usize::from(turn.samples);
        }
        scheduler.remove(|sequence| left[sequence.request.0 as usize] == 0);
        scheduler.audit();
        steps += 1;
        assert!(steps < 10_000, "no end");
    }
    assert!(scheduler.running().is_empty() && scheduler.waiting().next().is_none());
}

proptest! {
    #![proptest_config(testbed::properties(256))]

    #[test]
    fn every_request_ends_whatever_the_limits(
        requests in prop::collection::vec((1_usize..20, 1_usize..12), 1..10),
        max_seqs in 1_usize..5,
        extra_tokens in 0_usize..40,
        blocks in 8_usize..30,
    ) {
        // The longest of these sequences has 32 tokens, 8 blocks.
        run_to_end::<()>(limits(max_seqs, max_seqs + extra_tokens), blocks, &requests, CHUNKS);
        run_to_end::<PrefixCache>(limits(max_seqs, max_seqs + extra_tokens), blocks, &requests, CHUNKS);
        run_to_end::<()>(limits(max_seqs, 32 + extra_tokens), blocks, &requests, WHOLE);
        run_to_end::<PrefixCache>(limits(max_seqs, 32 + extra_tokens), blocks, &requests, WHOLE);
    }
}
