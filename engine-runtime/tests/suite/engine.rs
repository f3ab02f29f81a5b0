//! The engine over the reference backend: its rules, one test for each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine_runtime::Engine;
use engine_runtime::backend::reference::Reference;
use engine_runtime::engine::{Clock, EngineOptions, Event, FinishReason, StopReason, Times};
use engine_runtime::model::Model;
use engine_runtime::models::Llama;
use engine_runtime::recipe::{KvMemory, Limits};
use engine_runtime::request::{Request, RequestError, SamplingParams};
use engine_runtime::sampler::split_seed;
use engine_runtime::testing::serve::{Output, Setup, alone, open, open_queue, serve};
use engine_runtime::testing::tiny::{KV_ELEMENTS, TinyLlama};

use crate::recipes::{All, LIMITS, Plain};

fn setup() -> Setup {
    Setup {
        limits: Limits {
            max_seqs: 4,
            ..LIMITS
        },
        threads: 1,
        eos: vec![2],
    }
}

fn model() -> TinyLlama {
    TinyLlama::write(7).unwrap()
}

fn request(prompt: impl IntoIterator<Item = u32>, sampling: SamplingParams) -> Request {
    Request {
        prompt: prompt.into_iter().collect(),
        sampling,
        cache_salt: None,
    }
}

fn sampled(seed: u64, max_tokens: u32) -> SamplingParams {
    SamplingParams {
        seed: Some(seed),
        max_tokens: Some(max_tokens),
        ignore_eos: true,
        ..SamplingParams::default()
    }
}

fn one(request: &Request) -> Output {
    alone::<All>(model().dir(), &setup(), request).remove(0)
}

#[test]
fn greedy_is_temperature_zero() {
    let model = model();
    let prompt: Vec<u32> = (10..20).collect();
    let sampling = SamplingParams {
        temperature: 0.0,
        ..sampled(1, 12)
    };
    let greedy = alone::<Plain>(model.dir(), &setup(), &request(prompt.clone(), sampling));
    let mut solo = engine_runtime::testing::Solo::<Plain>::load(
        model.dir(),
        &Default::default(),
        &mut |_, _| (),
    )
    .unwrap();
    assert_eq!(greedy[0].tokens, solo.greedy(&prompt, 12).unwrap());
}

#[test]
fn n_sequences_are_n_requests_with_the_split_seeds() {
    let model = model();
    let sampling = SamplingParams {
        n: 3,
        logprobs: Some(2),
        ..sampled(5, 8)
    };
    let together = request(10..20, sampling.clone());
    let together = alone::<All>(model.dir(), &setup(), &together);
    for (index, output) in (0..).zip(&together) {
        let single = SamplingParams {
            n: 1,
            seed: Some(split_seed(5, index)),
            ..sampling.clone()
        };
        assert_eq!(one(&request(10..20, single)), *output);
    }
    assert_ne!(together[0].tokens, together[1].tokens);
}

#[test]
fn a_stop_token_ends_the_output_and_has_no_text() {
    let free = one(&request(10..20, sampled(3, 10)));
    assert_eq!(free.reason, FinishReason::Length);
    assert_eq!(free.text.chars().count(), 10);
    let end = free.tokens[4];
    let first = free.tokens.iter().position(|&token| token == end).unwrap();
    let stopped = SamplingParams {
        stop_token_ids: vec![end],
        ..sampled(3, 10)
    };
    let cut = one(&request(10..20, stopped.clone()));
    assert_eq!(cut.reason, FinishReason::Stop(StopReason::Token(end)));
    assert_eq!(cut.tokens, free.tokens[..=first]);
    assert_eq!(cut.text.chars().count(), first);
    let included = SamplingParams {
        include_stop_str_in_output: true,
        ..stopped
    };
    let included = one(&request(10..20, included));
    assert_eq!(included.text.chars().count(), first + 1);
}

#[test]
fn end_of_sequence_ends_the_output_unless_ignored() {
    let free = one(&request(10..20, sampled(3, 10)));
    let setup = Setup {
        eos: vec![free.tokens[0]],
        ..setup()
    };
    let model = model();
    let minded = SamplingParams {
        ignore_eos: false,
        ..sampled(3, 10)
    };
    let minded = &alone::<Plain>(model.dir(), &setup, &request(10..20, minded))[0];
    let reason = FinishReason::Stop(StopReason::Eos(free.tokens[0]));
    assert_eq!((&minded.reason, minded.tokens.len()), (&reason, 1));
    let ignored = alone::<Plain>(model.dir(), &setup, &request(10..20, sampled(3, 10)));
    assert_eq!(ignored[0].tokens, free.tokens);
}

#[test]
fn stop_strings_cut_the_text_and_min_tokens_puts_them_off() {
    let free = one(&request(10..20, sampled(4, 20)));
    // Two characters in the middle of the output, found first where they are first.
    let chars: Vec<char> = free.text.chars().collect();
    let stop: String = chars[6..8].iter().collect();
    let at = free.text.find(&stop).unwrap();
    let stopped = SamplingParams {
        stop: vec![stop.clone()],
        ..sampled(4, 20)
    };
    let cut = one(&request(10..20, stopped.clone()));
    assert_eq!(
        cut.reason,
        FinishReason::Stop(StopReason::Text(stop.as_str().into()))
    );
    assert_eq!(cut.text, free.text[..at]);
    let late = SamplingParams {
        min_tokens: 20,
        ..stopped
    };
    let late = one(&request(10..20, late));
    assert_eq!((late.text, late.reason), (free.text, FinishReason::Length));
}

#[test]
fn min_tokens_bans_the_tokens_that_would_end_the_output() {
    let free = one(&request(10..20, sampled(3, 10)));
    let sampling = SamplingParams {
        stop_token_ids: free.tokens.clone(),
        min_tokens: 6,
        ..sampled(3, 10)
    };
    let output = one(&request(10..20, sampling));
    assert!(output.tokens.len() > 6);
    let early = &output.tokens[..6];
    assert!(early.iter().all(|token| !free.tokens.contains(token)));
}

#[test]
fn logit_bias_and_penalties_reach_the_sampler() {
    let greedy = |change: fn(&mut SamplingParams)| {
        let mut sampling = SamplingParams {
            temperature: 0.0,
            ..sampled(0, 12)
        };
        change(&mut sampling);
        one(&request([40, 41, 42], sampling)).tokens
    };
    assert_eq!(greedy(|s| s.logit_bias = [(99, 100.0)].into()), [99; 12]);
    // A repetition penalty of 100 takes all appeal from what prompt and output hold.
    let repetition = greedy(|s| s.repetition_penalty = 100.0);
    assert!(repetition.iter().all(|token| !(40..43).contains(token)));
    assert_eq!(BTreeSet::from_iter(repetition).len(), 12);
    // Two tokens far above all others take turns when each occurrence costs 2.
    let frequency = greedy(|s| {
        s.logit_bias = [(98, 100.0), (99, 100.0)].into();
        s.frequency_penalty = 2.0;
    });
    assert_eq!(BTreeSet::from_iter(frequency), [98, 99].into());
}

#[test]
fn a_request_validated_by_other_rules_is_rejected() {
    let model = model();
    let wide = open::<Plain>(model.dir(), &setup());
    let mut narrow = setup();
    narrow.limits.max_model_len = 32;
    let mut narrow = open::<Plain>(model.dir(), &narrow);
    let request = wide.validate(request(0..40, sampled(0, 4)), 0).unwrap();
    assert_eq!(narrow.submit(request), Err(RequestError::OtherRules));
    narrow.audit();
    assert_eq!(narrow.stats().rejected, 1);
}

#[test]
fn a_full_queue_refuses_and_says_so() {
    let model = model();
    let mut engine = open_queue::<Plain>(model.dir(), &setup(), 2);
    let submit = |engine: &mut Engine<Plain>| {
        let request = engine.validate(request(0..4, sampled(0, 4)), 0).unwrap();
        engine.submit(request)
    };
    submit(&mut engine).unwrap();
    submit(&mut engine).unwrap();
    let error = submit(&mut engine).unwrap_err();
    assert_eq!(error, RequestError::QueueFull { waiting: 2 });
    engine.audit();
    assert_eq!(engine.stats().rejected, 1);
    // Each answer of a request waits as a sequence of its own.
    let mut engine = open_queue::<Plain>(model.dir(), &setup(), 2);
    submit(&mut engine).unwrap();
    let mut two = request(0..4, sampled(0, 4));
    two.sampling.n = 2;
    let two = engine.validate(two, 0).unwrap();
    assert_eq!(
        engine.submit(two),
        Err(RequestError::QueueFull { waiting: 1 })
    );
    // What runs does not wait.
    engine.step().unwrap();
    submit(&mut engine).unwrap();
}

#[test]
fn what_is_not_built_is_refused() {
    let model = model();
    let engine = open::<Plain>(model.dir(), &setup());
    let sampling = SamplingParams {
        logprobs: Some(1),
        ..sampled(0, 4)
    };
    let error = engine.validate(request(0..4, sampling), 0).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`Plain` was built without `logprobs`"),
        "{error}"
    );
}

#[test]
fn a_cancelled_request_gives_its_blocks_back_and_ends() {
    let model = model();
    let mut engine = open::<All>(model.dir(), &setup());
    let submit = |engine: &mut Engine<All>, first: u32| {
        let request = request(first..first + 9, sampled(1, 20));
        let request = engine.validate(request, 0).unwrap();
        engine.submit(request).unwrap()
    };
    let ids: Vec<_> = (0..6).map(|first| submit(&mut engine, first)).collect();
    engine.step().unwrap();
    // One runs, one still waits.
    assert!(engine.cancel(ids[0]) && engine.cancel(ids[5]));
    assert!(!engine.cancel(ids[0]));
    engine.audit();
    let events = engine.step().unwrap();
    let aborted = |event: &Event| match event {
        Event::Finished { id, reason, .. } if *reason == FinishReason::Abort => Some(*id),
        _ => None,
    };
    let over: Vec<_> = events.iter().filter_map(aborted).collect();
    assert_eq!(over, [ids[0], ids[5]]);
    engine.cancel_all();
    assert!(!engine.is_idle());
    engine.step().unwrap();
    assert!(engine.is_idle());
    assert_eq!(engine.stats().cancelled, 6);
    engine.audit();
}

#[test]
fn a_small_pool_preempts_and_changes_nothing() {
    let model = model();
    let requests: Vec<_> = (0..4)
        .map(|i| (0, request(i * 10..i * 10 + 8, sampled(u64::from(i), 20))))
        .collect();
    let mut small = setup();
    // Seven blocks, the least that one of these requests needs.
    small.limits.kv_memory = KvMemory::Bytes((7 * 4 * KV_ELEMENTS * 4) as u64);
    let mut engine = open::<Plain>(model.dir(), &small);
    let (outputs, stats) = serve(&mut engine, &requests);
    assert!(stats.preemptions > 0);
    for ((_, request), outputs) in requests.iter().zip(outputs) {
        assert_eq!(outputs, alone::<Plain>(model.dir(), &setup(), request));
    }
    let mut too_small = small;
    too_small.limits.kv_memory = KvMemory::Bytes((6 * 4 * KV_ELEMENTS * 4) as u64);
    let engine = open::<Plain>(model.dir(), &too_small);
    let error = engine.validate(requests[0].1.clone(), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`prompt` has 8 tokens and `max_tokens` is 20; allowed are 25 tokens together (the size of the KV cache)"
    );
}

#[test]
fn cached_prefixes_are_found_and_counted() {
    let model = model();
    let mut engine = open::<All>(model.dir(), &setup());
    let first = [(0, request(0..16, sampled(1, 4)))];
    let (_, stats) = serve(&mut engine, &first);
    assert_eq!(stats.cached_tokens, 0);
    let (_, stats) = serve(&mut engine, &first);
    // Three of four full blocks: the last token is computed for its logits.
    assert_eq!(stats.cached_tokens, 12);
    let mut salted = first.clone();
    salted[0].1.cache_salt = Some("other tenant".to_owned());
    let (_, stats) = serve(&mut engine, &salted);
    assert_eq!(stats.cached_tokens, 12);
}

#[test]
fn times_are_told_by_the_clock_that_was_brought() {
    let model = model();
    let checkpoint = engine_runtime::checkpoint::Checkpoint::open(model.dir()).unwrap();
    let mut device = Reference::default();
    type Loaded = Llama<Plain>;
    let loaded = <Loaded as Model<Plain>>::load(&mut device, &checkpoint, &LIMITS, &mut |_, _| ());
    let time = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&time);
    let text = Arc::new(engine_runtime::text::ByteText);
    let options = EngineOptions {
        clock: Clock::new(move || Duration::from_secs(clock.load(Ordering::Relaxed))),
        ..EngineOptions::new(LIMITS, Vec::new(), text)
    };
    let mut engine = Engine::<Plain>::open(device, loaded.unwrap(), options).unwrap();
    let at = |seconds, engine: &mut Engine<Plain>| {
        time.store(seconds, Ordering::Relaxed);
        engine.step().unwrap()
    };
    let submit = |engine: &mut Engine<Plain>, prompt: u32, tokens| {
        let request = engine.validate(request(0..prompt, sampled(1, tokens)), 0);
        engine.submit(request.unwrap()).unwrap()
    };
    // The second prompt has no room in a step beside the first.
    submit(&mut engine, 40, 3);
    submit(&mut engine, 30, 2);
    assert_eq!(engine.load().waiting, 2);
    let mut events = Vec::new();
    for seconds in [10, 20, 30, 40] {
        events.extend(at(seconds, &mut engine));
    }
    assert_eq!((engine.load().waiting, engine.load().running), (0, 0));
    let times: Vec<Times> = events
        .into_iter()
        .filter_map(|event| match event {
            Event::Finished { times, .. } => Some(times),
            Event::Token { .. } => None,
        })
        .collect();
    let expected = |admitted, finished| Times {
        arrived: Duration::ZERO,
        admitted: Some(Duration::from_secs(admitted)),
        first_token: Some(Duration::from_secs(admitted)),
        finished: Duration::from_secs(finished),
    };
    assert_eq!(times, [expected(10, 30), expected(20, 30)]);
}

#[test]
fn limits_are_held_against_the_profile_and_each_other() {
    let model = model();
    let refused = |change: fn(&mut Limits)| {
        let mut setup = setup();
        change(&mut setup.limits);
        let checkpoint = engine_runtime::checkpoint::Checkpoint::open(model.dir()).unwrap();
        let mut device = Reference::default();
        type Model = Llama<Plain>;
        let model = <Model as engine_runtime::model::Model<Plain>>::load(
            &mut device,
            &checkpoint,
            &<Plain as engine_runtime::Recipe>::LIMITS,
            &mut |_, _| (),
        );
        let text = Arc::new(engine_runtime::text::ByteText);
        let options = EngineOptions::new(setup.limits, setup.eos, text);
        match Engine::<Plain>::open(device, model.unwrap(), options) {
            Ok(_) => panic!("these limits should have been refused"),
            Err(error) => error.to_string(),
        }
    };
    type Change = fn(&mut Limits);
    let cases: [(Change, &str); 7] = [
        (
            |limits| limits.max_seqs = 7,
            "max_seqs is 7; the profile `Plain` was built for 6 at most",
        ),
        (
            |limits| limits.block_size = 0,
            "block_size is 0; it must be 1 or more",
        ),
        (
            |limits| limits.block_size = 8,
            "block_size is 8; the profile `Plain` was built for 4",
        ),
        (
            |limits| limits.max_batched_tokens = 3,
            "max_batched_tokens is 3, less than max_seqs, 4; each running sequence needs one token a step",
        ),
        (
            |limits| limits.max_batched_tokens = 63,
            "max_batched_tokens is 63, less than max_model_len, 64; raise it, lower max_model_len, or build a profile \
             with `chunked-prefill`",
        ),
        (
            |limits| limits.kv_memory = KvMemory::Bytes(1000),
            "1000 bytes of KV cache hold no block; one block takes 1024 bytes",
        ),
        (
            |limits| limits.kv_memory = KvMemory::Within(1 << 20),
            "kv_memory is what weights leave of 1048576 bytes, and no weights are counted; open with the limits of a \
             budget",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(refused(change), message);
    }
}
