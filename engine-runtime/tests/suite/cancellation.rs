//! Requests that come and go at any time: nobody else notices, and no block and no request is lost.

use std::collections::BTreeMap;

use engine_runtime::engine::{Event, FinishReason, RequestId};
use engine_runtime::recipe::{KvMemory, Limits, Recipe};
use engine_runtime::testing::serve::{Setup, alone, open};
use engine_runtime::testing::tiny::{KV_ELEMENTS, TinyLlama};
use proptest::prelude::*;

use crate::recipes::{All, AllAhead, BLOCK, LIMITS};
use crate::traffic::{Ask, MAX_OUTPUT, MAX_PROMPT, Traffic, random_traffic};

/// Blocks that hold one request of the traffic, and little more.
const BLOCKS: usize = (MAX_PROMPT + MAX_OUTPUT as usize).div_ceil(BLOCK) + 3;

const KV_MEMORY: KvMemory =
    KvMemory::Bytes((BLOCKS * BLOCK * KV_ELEMENTS * size_of::<f32>()) as u64);

/// What one sequence has said, and how it ended.
type Heard = BTreeMap<(RequestId, u32), (Vec<u32>, Option<FinishReason>)>;

fn hear(events: Vec<Event>, heard: &mut Heard) {
    for event in events {
        match event {
            Event::Token {
                id,
                sequence,
                token,
                ..
            } => heard.entry((id, sequence)).or_default().0.push(token),
            Event::Finished {
                id,
                sequence,
                reason,
                ..
            } => {
                let ended = &mut heard.entry((id, sequence)).or_default().1;
                assert_eq!(*ended, None, "a sequence ends once");
                *ended = Some(reason);
            }
        }
    }
}

/// Serves `traffic`, cancels request `i` before the step of `cancels[i]`, and holds all against each request alone.
fn check<R: Recipe>(traffic: &Traffic, cancels: &[Option<usize>]) {
    let model = TinyLlama::write(17).expect("the temporary directory can be written");
    let setup = Setup {
        limits: Limits {
            max_seqs: 4,
            max_batched_tokens: 12,
            kv_memory: KV_MEMORY,
            ..LIMITS
        },
        threads: 1,
        eos: vec![3],
    };
    let mut engine = open::<R>(model.dir(), &setup);
    let mut heard = Heard::new();
    let mut ids = BTreeMap::new();
    let mut cancelled = Vec::new();
    let mut step = 0;
    while ids.len() < traffic.len() || !engine.is_idle() {
        for (index, (arrival, request)) in traffic.iter().enumerate() {
            if *arrival == step {
                let request = engine.validate(request.clone(), 0).expect("is valid");
                ids.insert(index, engine.submit(request).expect("validated here"));
            }
            let id = ids.get(&index).filter(|_| cancels[index] == Some(step));
            cancelled.extend(id.filter(|&&id| engine.cancel(id)));
            engine.audit();
        }
        hear(engine.step().expect("the device works"), &mut heard);
        engine.audit();
        step += 1;
    }
    let stats = engine.stats();
    assert_eq!(stats.cancelled as usize, cancelled.len());
    assert_eq!(stats.completed as usize, traffic.len() - cancelled.len());
    for (index, id) in ids {
        let alone = alone::<All>(model.dir(), &setup, &traffic[index].1);
        for (sequence, alone) in (0..).zip(alone) {
            let (tokens, reason) = &heard[&(id, sequence)];
            if *reason == Some(FinishReason::Abort) {
                assert!(cancelled.contains(&id));
                assert!(alone.tokens.starts_with(tokens));
            } else {
                assert_eq!(
                    (tokens, reason.as_ref()),
                    (&alone.tokens, Some(&alone.reason))
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(testbed::properties(48))]

    #[test]
    fn cancelling_changes_nothing_for_others(
        mut traffic in prop_oneof![random_traffic(Ask::Logprobs), random_traffic(Ask::TokensOnly)],
        answers in prop::collection::vec(1_u32..6, 8),
        cancels in prop::collection::vec(prop::option::of(0..30_usize), 8),
    ) {
        for ((_, request), n) in traffic.iter_mut().zip(answers) {
            request.sampling.n = n;
        }
        check::<All>(&traffic, &cancels);
        check::<AllAhead>(&traffic, &cancels);
    }
}
