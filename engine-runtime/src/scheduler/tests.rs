mod world;

use super::*;
use crate::backend::NO_TOKEN;
use crate::batch::Batch;
use crate::kv::CacheKeys;
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

fn arrival(request: u64, prompt: Vec<u32>, siblings: u32) -> Arrival<()> {
    Arrival {
        id: id(request),
        keys: CacheKeys::default(),
        prompt: prompt.into(),
        siblings: 1..1 + siblings,
        max_tokens: 1000,
        output: (),
    }
}

fn add<I: PrefixIndex>(scheduler: &mut Scheduler<I, ()>, request: u64, prompt: usize) {
    let first = u32::try_from(request).unwrap() * 1000;
    scheduler.add(arrival(request, (first..).take(prompt).collect(), 0));
}

/// How a prompt is taken: in one piece, or in pieces.
type Take = fn(usize, usize) -> usize;
const WHOLE: Take = |remaining, budget| if remaining <= budget { remaining } else { 0 };
const CHUNKS: Take = |remaining, budget| remaining.min(budget);

/// Commits a turn, token 7 chosen for each sequence that has one.
fn commit<I: PrefixIndex>(scheduler: &mut Scheduler<I, ()>, turn: &Turn) {
    scheduler.commit(turn, &vec![7; turn.chosen.len()]);
    for index in turn.siblings.clone() {
        scheduler.fork(turn, index, &[7], ());
    }
}

/// Schedules and commits one step; the turns as (request, rows, whether a token is chosen).
fn step<I: PrefixIndex>(scheduler: &mut Scheduler<I, ()>, take: Take) -> Vec<(u64, usize, bool)> {
    let turns = scheduler.schedule(take);
    turns.iter().for_each(|turn| commit(scheduler, turn));
    scheduler.audit([].iter());
    let seen = |turn: &Turn| (turn.id.request.0, turn.rows.len(), !turn.chosen.is_empty());
    turns.iter().map(seen).collect()
}

#[test]
fn decodes_come_first_and_prompts_share_what_is_left() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(4, 8), 64);
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
    let mut scheduler = Scheduler::<(), ()>::new(limits(4, 8), 64);
    add(&mut scheduler, 0, 5);
    add(&mut scheduler, 1, 8);
    add(&mut scheduler, 2, 1);
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 5, true)]);
    // First come, first served: request 2 does not overtake.
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 1, true)]);
    scheduler.remove(id(0));
    assert_eq!(step(&mut scheduler, WHOLE), [(1, 8, true)]);
    assert_eq!(step(&mut scheduler, WHOLE), [(1, 1, true), (2, 1, true)]);
}

#[test]
fn no_more_than_max_seqs_run() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(2, 8), 64);
    (0..3).for_each(|request| add(&mut scheduler, request, 1));
    assert_eq!(step(&mut scheduler, WHOLE).len(), 2);
    assert_eq!(step(&mut scheduler, WHOLE).len(), 2);
}

#[test]
fn when_blocks_run_out_the_youngest_goes_back_to_the_head_of_the_queue() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(4, 16), 3);
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
    scheduler.remove(id(0));
    // Computed again, prompt and output together.
    assert_eq!(step(&mut scheduler, WHOLE), [(1, 5, true), (2, 2, true)]);
}

#[test]
fn a_cached_prefix_is_not_computed_again() {
    let mut scheduler = Scheduler::<PrefixCache, ()>::new(limits(4, 16), 16);
    add(&mut scheduler, 0, 10);
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 10, true)]);
    scheduler.add(arrival(9, (0..10).collect(), 0));
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 1, true), (9, 2, true)]);
    assert_eq!(scheduler.stats().cached_tokens, 8);
}

/// What each running sequence has: its index in its request, its tokens, and its blocks.
fn running(scheduler: &Scheduler<(), ()>) -> Vec<(u32, usize, Vec<u32>)> {
    let seen = |sequence: &Sequence<(), ()>| {
        let blocks = sequence.table.blocks().to_vec();
        (sequence.id.index, sequence.tokens.len(), blocks)
    };
    scheduler.all_running().iter().map(seen).collect()
}

#[test]
fn answers_to_one_prompt_are_one_prefill_and_share_its_blocks() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(4, 16), 64);
    scheduler.add(arrival(0, (0..6).collect(), 2));
    let turns = scheduler.schedule(WHOLE);
    assert_eq!(turns.len(), 1);
    assert_eq!((turns[0].rows.clone(), turns[0].logits.len()), (0..6, 1));
    assert_eq!((turns[0].choices(), turns[0].siblings.clone()), (3, 1..3));
    commit(&mut scheduler, &turns[0]);
    let begun = running(&scheduler);
    let blocks = &begun[0].2;
    let expected: Vec<_> = (0..3).map(|index| (index, 7, blocks.clone())).collect();
    assert_eq!(begun, expected);
    // Each writes to a block of its own from now on, and the full one stays shared.
    let turns = scheduler.schedule(WHOLE);
    let copies: Vec<_> = turns.iter().filter_map(|turn| turn.copy).collect();
    assert_eq!(copies.len(), 3);
    assert!(copies.iter().all(|copy| copy.from == blocks[1]));
    turns.iter().for_each(|turn| commit(&mut scheduler, turn));
    let now = running(&scheduler);
    assert!(
        now.iter()
            .all(|(.., own)| own[0] == blocks[0] && own[1] != blocks[1])
    );
    scheduler.audit([].iter());
}

#[test]
fn a_group_waits_until_all_of_it_can_run() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(3, 16), 64);
    add(&mut scheduler, 0, 2);
    scheduler.add(arrival(1, vec![5; 3], 2));
    add(&mut scheduler, 2, 2);
    assert_eq!(step(&mut scheduler, CHUNKS), [(0, 2, true)]);
    assert_eq!(step(&mut scheduler, CHUNKS), [(0, 1, true)]);
    scheduler.remove(id(0));
    assert_eq!(step(&mut scheduler, CHUNKS), [(1, 3, true)]);
    assert_eq!(step(&mut scheduler, CHUNKS), [(1, 1, true); 3]);
}

#[test]
fn seats_are_kept_for_the_siblings_of_a_prompt_that_is_computed_in_parts() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(3, 4), 64);
    scheduler.add(arrival(0, vec![5; 6], 1));
    add(&mut scheduler, 1, 1);
    add(&mut scheduler, 2, 1);
    assert_eq!(step(&mut scheduler, CHUNKS), [(0, 4, false)]);
    assert_eq!(step(&mut scheduler, CHUNKS), [(0, 2, true), (1, 1, true)]);
    assert_eq!(
        step(&mut scheduler, CHUNKS),
        [(0, 1, true), (0, 1, true), (1, 1, true)]
    );
}

#[test]
fn a_prompt_is_not_hashed_again_until_it_could_be_admitted() {
    let mut scheduler = Scheduler::<PrefixCache, ()>::new(limits(4, 64), 4);
    add(&mut scheduler, 0, 9);
    add(&mut scheduler, 1, 9);
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 9, true)]);
    let waiting = scheduler.waiting().next().unwrap();
    assert!(waiting.need.is_some_and(|need| need.blocks == 3));
    step(&mut scheduler, WHOLE);
    assert_eq!(scheduler.waiting().count(), 1);
    scheduler.remove(id(0));
    assert_eq!(step(&mut scheduler, WHOLE), [(1, 9, true)]);
}

#[test]
fn blocks_that_a_half_computed_prompt_needs_are_not_given_away() {
    const FOUR: Take = |remaining, budget| remaining.min(budget).min(4);
    let mut scheduler = Scheduler::<(), ()>::new(limits(4, 8), 6);
    // Five blocks in five steps, beside which there is room for one more and not for two.
    add(&mut scheduler, 0, 20);
    add(&mut scheduler, 1, 6);
    for _ in 0..4 {
        assert_eq!(step(&mut scheduler, FOUR), [(0, 4, false)]);
    }
    assert_eq!(step(&mut scheduler, FOUR), [(0, 4, true)]);
    assert_eq!(scheduler.stats().preemptions, 0);
}

#[test]
fn a_sequence_is_admitted_only_where_some_blocks_stay_free() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(4, 1000), 200);
    add(&mut scheduler, 0, 4 * 100);
    add(&mut scheduler, 1, 4 * 98 + 1);
    add(&mut scheduler, 2, 1);
    // A hundredth of all blocks: 99 of the last 100 would leave one.
    assert_eq!(step(&mut scheduler, CHUNKS), [(0, 400, true)]);
    scheduler.remove(id(1));
    assert_eq!(step(&mut scheduler, CHUNKS), [(0, 1, true), (2, 1, true)]);
}

#[test]
fn drafted_tokens_are_kept_as_far_as_they_were_chosen() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(4, 16), 64);
    add(&mut scheduler, 0, 3);
    step(&mut scheduler, WHOLE);
    for (chosen, tokens, blocks) in [(3, 7, 2), (1, 8, 2), (2, 10, 3)] {
        let mut turns = scheduler.schedule(WHOLE);
        scheduler.draft(&mut turns[0], &[8, 9, 9, 9, 9]);
        let turn = &turns[0];
        assert_eq!((turn.rows.len(), turn.chosen.len()), (6, 6));
        let mut batch = Batch::default();
        let sequence = scheduler.running(turn.id).unwrap();
        turn.build(sequence, 4, &mut batch);
        assert_eq!(batch.ids[1..], [8, 9, 9, 9, 9]);
        assert_eq!(batch.logits_rows, [0, 1, 2, 3, 4, 5]);
        scheduler.commit(turn, &[8, 9, 5][..chosen]);
        let sequence = scheduler.running(turn.id).unwrap();
        assert_eq!(sequence.tokens.len(), tokens);
        assert_eq!(sequence.computed, tokens - 1);
        assert_eq!(sequence.table.blocks().len(), blocks);
        scheduler.audit([].iter());
    }
}

#[test]
fn the_next_step_takes_its_token_from_the_one_on_its_way() {
    let mut scheduler = Scheduler::<(), ()>::new(limits(4, 16), 64);
    add(&mut scheduler, 0, 3);
    add(&mut scheduler, 1, 2);
    let first = scheduler.schedule(WHOLE);
    let second = scheduler.schedule(WHOLE);
    assert_eq!(second.len(), 2);
    let mut batch = Batch::default();
    for turn in &second {
        turn.build(scheduler.running(turn.id).unwrap(), 4, &mut batch);
    }
    assert_eq!((batch.sources, batch.positions), (vec![0, 1], vec![3, 2]));
    scheduler.audit(first.iter().chain(&second));
    first.iter().for_each(|turn| commit(&mut scheduler, turn));
    scheduler.audit(second.iter());
    // Taken back, the second step can be scheduled again as it was.
    second.iter().for_each(|turn| scheduler.retract(turn));
    scheduler.audit([].iter());
    assert_eq!(scheduler.schedule(WHOLE), second);
    second.iter().for_each(|turn| commit(&mut scheduler, turn));
    assert_eq!(step(&mut scheduler, WHOLE), [(0, 1, true), (1, 1, true)]);
}

#[test]
fn a_sequence_that_was_sent_back_runs_again_once_its_turns_are_ended() {
    type End = fn(&mut Scheduler<(), ()>, &Turn);
    const TAKEN_BACK: End = |scheduler, turn| scheduler.retract(turn);
    // Six rows compute a part of the second prompt and choose no token for it.
    for (batched_tokens, end, rows) in [
        (16, commit as End, 0..4),
        (16, TAKEN_BACK, 0..3),
        (6, commit as End, 0..3),
        (6, TAKEN_BACK, 0..3),
    ] {
        let mut scheduler = Scheduler::<(), ()>::new(limits(4, batched_tokens), 2);
        add(&mut scheduler, 0, 4);
        add(&mut scheduler, 1, 3);
        let first = scheduler.schedule(CHUNKS);
        assert!(first.iter().all(|turn| scheduler.is_current(turn)));
        // Request 0 needs the block of request 1, and ends.
        let second = scheduler.schedule(CHUNKS);
        assert_eq!((first.len(), second.len()), (2, 1));
        scheduler.remove(id(0));
        assert!(!scheduler.is_current(&first[1]));
        assert_eq!(scheduler.schedule(CHUNKS), [], "{batched_tokens}");
        scheduler.audit(first.iter().chain(&second));
        second.iter().for_each(|turn| scheduler.retract(turn));
        first.iter().for_each(|turn| end(&mut scheduler, turn));
        scheduler.audit([].iter());
        let again = scheduler.schedule(CHUNKS);
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].id, again[0].rows.clone()), (id(1), rows));
    }
}

#[test]
fn a_group_is_admitted_only_where_each_sibling_finds_a_block_to_copy_to() {
    // Beside one block of request 0 there are three: two for the prompt, one for a sibling.
    for (siblings, admitted) in [(1, 2), (2, 1)] {
        let mut scheduler = Scheduler::<(), ()>::new(limits(4, 16), 4);
        add(&mut scheduler, 0, 3);
        scheduler.add(arrival(1, vec![5; 6], siblings));
        assert_eq!(step(&mut scheduler, WHOLE).len(), admitted, "{siblings}");
    }
}
