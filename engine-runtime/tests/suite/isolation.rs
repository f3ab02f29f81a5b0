//! One request cannot hurt another: panics, logits without numbers, and device errors.
//!
//! Over the backend whose launches run late and the one whose launches run at once, on several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytemuck::Zeroable;
use engine_runtime::Engine;
use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{
    Backend, DeviceError, DeviceOptions, Input, LogitEdit, Sampling, SamplingRow, SamplingTable,
    Seen, TokenCache,
};
use engine_runtime::batch::{Capacity, DeviceBatch};
use engine_runtime::checkpoint::{Checkpoint, CheckpointError, Fit, LoadError};
use engine_runtime::dtype::Dense;
use engine_runtime::engine::{EngineOptions, Event, Failure, FinishReason, RequestId};
use engine_runtime::model::{Model, ModelShape};
use engine_runtime::models::Llama;
use engine_runtime::parts::{Chunked, Hashed, Top};
use engine_runtime::recipe::{Array, Cache, KvMemory, Limits, Recipe};
use engine_runtime::request::{Request, SamplingParams};
use engine_runtime::testing::OneStepAhead;
use engine_runtime::testing::tiny::{TinyLlama, VOCAB};
use engine_runtime::text::{ByteText, Detokenize, SpecialTokens, TextStream};

/// A prompt with this token makes the model panic.
const POISON: u32 = 66;
/// A prompt with this token makes a launch panic on the device.
const POISON_LAUNCH: u32 = 65;
/// Makes the text of an output panic.
const POISON_TEXT: u32 = 67;
/// Makes the device fail, as long as there are [`FAULTS`] left.
const FAULTY: u32 = 68;
/// Makes the device fail whenever it is there.
const CURSED: u32 = 69;
/// Loses the device.
const LOSING: u32 = 70;

static FAULTS: AtomicUsize = AtomicUsize::new(0);

const LIMITS: Limits = Limits {
    max_model_len: 64,
    max_seqs: 6,
    max_batched_tokens: 16,
    block_size: 4,
    kv_memory: KvMemory::Needed,
};

macro_rules! fragile {
    ($name:ident, $backend:ty $(, $output:ty)?) => {
        engine_runtime::recipe! {
            $name {
                backend: $backend,
                weights: Dense<f32>,
                model: Poisonable<Llama<Self>>,
                prefill: Chunked,
                prefix: Hashed,
                logprobs: Top,
                $(output: $output,)?
                limits: LIMITS,
                CHUNKED_PREFILL: ChunkedPrefillSettings { tokens: 16 },
                LOGPROBS: LogprobsSettings { max: 3 },
            }
        }
    };
}

fragile!(Late, Reference);
fragile!(AtOnce, Cpu<Portable>);
fragile!(LateAhead, Reference, OneStepAhead);
fragile!(AtOnceAhead, Cpu<Portable>, OneStepAhead);

/// A model that looks at its input, which a model must not, and panics in the middle of a step.
struct Poisonable<M>(M);

impl<R: Recipe, M: Model<R>> Model<R> for Poisonable<M> {
    fn check(checkpoint: &Checkpoint, limits: &Limits) -> Result<Fit, CheckpointError> {
        M::check(checkpoint, limits)
    }

    fn load(
        device: &mut R::Backend,
        checkpoint: &Checkpoint,
        limits: &Limits,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError> {
        M::load(device, checkpoint, limits, progress).map(Self)
    }

    fn shape(&self) -> ModelShape {
        self.0.shape()
    }

    fn prepare(&mut self, device: &mut R::Backend, capacity: Capacity) -> Result<(), DeviceError> {
        self.0.prepare(device, capacity)
    }

    fn forward(
        &mut self,
        device: &mut R::Backend,
        batch: &DeviceBatch<R::Backend>,
        cache: &mut Cache<R>,
        logits: &mut Array<R, f32>,
    ) -> Result<(), DeviceError> {
        let mut words = vec![0; batch.ids().words().end];
        device.read(batch.ids().buffer(), &mut words)?;
        let ids = &words[batch.ids().words()];
        if ids.contains(&POISON_LAUNCH) {
            launch_panic::<R>(device, logits)?;
        }
        self.0.forward(device, batch, cache, logits)?;
        assert!(!ids.contains(&POISON), "poisoned");
        let fault = |faults: usize| faults.checked_sub(1);
        let order = Ordering::Relaxed;
        if ids.contains(&LOSING) {
            return Err(DeviceError::Lost {
                backend: "test",
                reason: "unplugged".to_owned(),
            });
        }
        let faulty = ids.contains(&FAULTY) && FAULTS.fetch_update(order, order, fault).is_ok();
        if faulty || ids.contains(&CURSED) {
            return Err(DeviceError::Launch {
                op: "forward",
                reason: "a fault".to_owned(),
            });
        }
        Ok(())
    }
}

/// Launches an op on a token that does not exist.
fn launch_panic<R: Recipe>(
    device: &mut R::Backend,
    logits: &Array<R, f32>,
) -> Result<(), DeviceError> {
    let mut scores = device.scores(1, VOCAB)?;
    let row = SamplingRow {
        edits_end: 1,
        ..SamplingRow::zeroed()
    };
    let edit = LogitEdit {
        token: u32::MAX,
        bias: 0.0,
    };
    let edit: &[u32] = bytemuck::cast_slice(std::slice::from_ref(&edit));
    let words = [edit, bytemuck::cast_slice(&[row])].concat();
    let mut buffer = device.alloc("a table", words.len())?;
    device.upload(&mut buffer, &words)?;
    let tokens = TokenCache {
        ids: device.alloc("tokens", 1)?,
        block_size: 1,
    };
    let table = SamplingTable {
        vocab: VOCAB,
        rows: Input::new(&buffer, 2, 1),
        edits: Input::new(&buffer, 0, 1),
        seen: Seen {
            tokens: &tokens,
            table_start: Input::new(&buffer, 0, 0),
            blocks: Input::new(&buffer, 0, 0),
        },
    };
    device.process_logits(logits, table, &mut scores)
}

/// Text that panics at one token.
struct PoisonableText;

impl Detokenize for PoisonableText {
    fn stream(&self, special: SpecialTokens) -> Box<dyn TextStream> {
        Box::new(PoisonableStream(ByteText.stream(special)))
    }
}

struct PoisonableStream(Box<dyn TextStream>);

impl TextStream for PoisonableStream {
    fn push(&mut self, token: u32, text: &mut String) {
        assert_ne!(token, POISON_TEXT, "poisoned text");
        self.0.push(token, text);
    }

    fn finish(&mut self, text: &mut String) {
        self.0.finish(text);
    }

    fn fork(&self) -> Box<dyn TextStream> {
        Box::new(Self(self.0.fork()))
    }
}

fn engine<R: Recipe>() -> Engine<R> {
    let model = TinyLlama::write(7).unwrap();
    let checkpoint = Checkpoint::open(model.dir()).unwrap();
    let options = DeviceOptions { threads: Some(3) };
    let mut device = R::Backend::open(&options).unwrap();
    let model = R::Model::load(&mut device, &checkpoint, &LIMITS, &mut |_, _| ()).unwrap();
    let options = EngineOptions::new(LIMITS, Vec::new(), Arc::new(PoisonableText));
    Engine::open(device, model, options).unwrap()
}

/// A request for 6 tokens after `prompt`; none of them has a meaning of its own here.
fn request(prompt: Vec<u32>) -> Request {
    let banned = [POISON, POISON_LAUNCH, POISON_TEXT, FAULTY, CURSED, LOSING];
    Request {
        prompt,
        sampling: SamplingParams {
            seed: Some(1),
            max_tokens: Some(6),
            logprobs: Some(3),
            logit_bias: banned.map(|token| (token, -100.0)).into(),
            ..SamplingParams::default()
        },
        cache_salt: None,
    }
}

fn submit<R: Recipe>(engine: &mut Engine<R>, request: &Request) -> RequestId {
    let request = engine.validate(request.clone(), 0).unwrap();
    engine.submit(request).unwrap()
}

fn run<R: Recipe>(engine: &mut Engine<R>) -> Vec<Event> {
    let mut events = Vec::new();
    while !engine.is_idle() {
        events.extend(engine.step().unwrap());
        engine.audit();
    }
    events
}

/// The events of one request, with the number that it would have alone.
fn of(id: RequestId, events: &[Event]) -> Vec<Event> {
    let mut events = events.to_vec();
    events.retain_mut(|event| match event {
        Event::Token { id: of, .. } | Event::Finished { id: of, .. } => {
            std::mem::replace(of, RequestId(0)) == id
        }
    });
    events
}

fn reason(id: RequestId, events: &[Event]) -> Option<FinishReason> {
    match of(id, events).pop()? {
        Event::Finished { reason, .. } => Some(reason),
        Event::Token { .. } => None,
    }
}

/// Serves neighbours around `culprit`, and expects that only it fails, in the same way on each backend.
fn fails_alone(culprit: &Request) -> Failure {
    let late = fails_alone_on::<Late>(culprit);
    assert_eq!(late, fails_alone_on::<AtOnce>(culprit));
    assert_eq!(late, fails_alone_on::<LateAhead>(culprit));
    assert_eq!(late, fails_alone_on::<AtOnceAhead>(culprit));
    late
}

fn fails_alone_on<R: Recipe>(culprit: &Request) -> Failure {
    let neighbours: Vec<Request> = (0..4)
        .map(|i| request((i * 8..i * 8 + 7).collect()))
        .collect();
    let mut engine = engine::<R>();
    let before: Vec<_> = neighbours[..2]
        .iter()
        .map(|r| submit(&mut engine, r))
        .collect();
    let poisoned = submit(&mut engine, culprit);
    let after: Vec<_> = neighbours[2..]
        .iter()
        .map(|r| submit(&mut engine, r))
        .collect();
    let events = run(&mut engine);
    for (id, request) in before.into_iter().chain(after).zip(&neighbours) {
        let mut alone = self::engine::<R>();
        let id_alone = submit(&mut alone, request);
        assert_eq!(of(id, &events), of(id_alone, &run(&mut alone)));
    }
    let stats = engine.stats();
    assert_eq!((stats.submitted, stats.completed, stats.failed), (5, 4, 1));
    match reason(poisoned, &events) {
        Some(FinishReason::Error(failure)) => failure,
        other => panic!("the poisoned request ended with {other:?}"),
    }
}

#[test]
fn a_panic_in_the_model_fails_the_request_that_causes_it() {
    let failure = fails_alone(&request(vec![1, 2, 3, 4, 5, POISON, 7]));
    assert_eq!(
        failure.to_string(),
        "the engine panicked on this request: poisoned"
    );
}

#[test]
fn a_panic_on_the_device_fails_the_request_that_causes_it() {
    let failure = fails_alone(&request(vec![1, 2, POISON_LAUNCH, 4, 5])).to_string();
    assert!(failure.contains("index out of bounds"), "{failure}");
}

#[test]
fn a_panic_in_the_middle_of_an_output_fails_it_too() {
    let mut late = request(vec![1, 2, 3]);
    late.sampling.logit_bias = [(POISON, 100.0)].into();
    let failure = fails_alone(&late);
    assert_eq!(
        failure.to_string(),
        "the engine panicked on this request: poisoned"
    );
}

#[test]
fn a_panic_in_the_text_fails_the_request_that_causes_it() {
    let mut text = request(vec![1, 2, 3]);
    text.sampling.logit_bias = [(POISON_TEXT, 100.0)].into();
    let failure = fails_alone(&text).to_string();
    assert!(failure.contains("poisoned text"), "{failure}");
}

#[test]
fn a_request_that_bans_every_token_fails_alone() {
    let mut banned = request(vec![1, 2, 3]);
    banned.sampling.stop_token_ids = (0..VOCAB as u32).collect();
    banned.sampling.min_tokens = 1;
    assert_eq!(fails_alone(&banned), Failure::NoToken);
    // Where the last token of a prompt begins a block, several answers have nothing to begin with either.
    banned.prompt = vec![1, 2, 3, 4, 5];
    banned.sampling.n = 3;
    assert_eq!(fails_alone(&banned), Failure::NoToken);
}

#[test]
fn all_sequences_of_a_failed_request_end_and_no_other() {
    let mut engine = engine::<Late>();
    let mut several = request(vec![1, POISON]);
    several.sampling.n = 3;
    let several = submit(&mut engine, &several);
    let other = submit(&mut engine, &request(vec![3, 4]));
    let events = run(&mut engine);
    let ended = of(several, &events);
    assert_eq!(ended.len(), 3);
    assert!(ended.iter().all(|event| matches!(
        event,
        Event::Finished {
            reason: FinishReason::Error(_),
            generated_tokens: 0,
            ..
        }
    )));
    assert_eq!(reason(other, &events), Some(FinishReason::Length));
    assert_eq!(engine.stats().failed, 1);
}

#[test]
fn an_error_of_the_device_fails_the_request_that_causes_it() {
    let failure = fails_alone(&request(vec![1, 2, 3, CURSED, 5]));
    assert_eq!(
        failure.to_string(),
        "the device fails on this request: forward failed on the device: a fault"
    );
}

#[test]
fn a_fault_that_does_not_come_again_hurts_nobody() {
    let (first, second) = (request(vec![1, 2, 3, 4, 5]), request(vec![FAULTY, 2, 3]));
    let mut engine = engine::<Late>();
    let ids = [submit(&mut engine, &first), submit(&mut engine, &second)];
    let undisturbed = run(&mut engine);
    FAULTS.store(1, Ordering::Relaxed);
    let mut engine = self::engine::<Late>();
    assert_eq!(
        [submit(&mut engine, &first), submit(&mut engine, &second)],
        ids
    );
    assert_eq!(run(&mut engine), undisturbed);
    assert_eq!(FAULTS.load(Ordering::Relaxed), 0);
}

/// The launch of a step fails when a part of it is with the device already, behind a step that is on its way and is to be
/// done again: what is left there must not run before it.
#[test]
fn what_a_failed_launch_leaves_with_the_device_is_forgotten() {
    fn check<R: Recipe>() {
        let neighbour = request(vec![1, 2, 3]);
        let mut engine = engine::<R>();
        let id = submit(&mut engine, &neighbour);
        let mut events = engine.step().unwrap();
        let culprit = submit(&mut engine, &request(vec![4, POISON_LAUNCH, POISON]));
        events.extend(run(&mut engine));
        let mut alone = self::engine::<R>();
        let id_alone = submit(&mut alone, &neighbour);
        assert_eq!(of(id, &events), of(id_alone, &run(&mut alone)));
        assert!(matches!(
            reason(culprit, &events),
            Some(FinishReason::Error(_))
        ));
    }
    check::<Late>();
    check::<AtOnce>();
    check::<LateAhead>();
    check::<AtOnceAhead>();
}

#[test]
fn a_lost_device_ends_the_engine_and_every_later_call_says_so() {
    fn check<R: Recipe>() {
        let mut engine = engine::<R>();
        submit(&mut engine, &request(vec![1, 2, 3]));
        engine.step().unwrap();
        submit(&mut engine, &request(vec![4, LOSING]));
        let error = loop {
            match engine.step() {
                Ok(_) => assert!(!engine.is_idle(), "the device was not lost"),
                Err(error) => break error,
            }
        };
        assert_eq!(
            error.to_string(),
            "the test device is lost: unplugged; start the engine again"
        );
        for _ in 0..2 {
            engine.audit();
            assert_eq!(engine.step(), Err(error.clone()));
        }
        let request = engine.validate(request(vec![1]), 0).unwrap();
        let refused = engine.submit(request).unwrap_err().to_string();
        assert_eq!(refused, format!("the engine has ended: {error}"));
        engine.cancel_all();
        engine.audit();
    }
    check::<Late>();
    check::<AtOnce>();
    check::<LateAhead>();
    check::<AtOnceAhead>();
}
