//! Requests served to their end, and what came of each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::Engine;
use crate::backend::{Backend, DeviceOptions};
use crate::checkpoint::Checkpoint;
use crate::engine::{EngineOptions, Event, FinishReason, MAX_QUEUE, RequestId, Stats};
use crate::model::Model;
use crate::parts::TokenLogprobs;
use crate::recipe::{Limits, Recipe};
use crate::request::Request;
use crate::text::ByteText;

/// How to serve, beside what the recipe says.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    pub limits: Limits,
    pub threads: usize,
    pub eos: Vec<u32>,
}

/// All that one sequence's events said.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub tokens: Vec<u32>,
    pub text: String,
    pub logprobs: Vec<Option<TokenLogprobs>>,
    pub cumulative_logprob: Option<f64>,
    pub reason: FinishReason,
}

/// An engine on the checkpoint in `dir`, whose tokens are bytes of text.
pub fn open<R: Recipe>(dir: &Path, setup: &Setup) -> Engine<R> {
    open_queue(dir, setup, MAX_QUEUE)
}

/// As [`open`], for so many waiting sequences.
pub fn open_queue<R: Recipe>(dir: &Path, setup: &Setup, max_queue: usize) -> Engine<R> {
    let checkpoint = Checkpoint::open(dir).expect("a test's checkpoint is sound");
    let options = DeviceOptions {
        threads: Some(setup.threads),
    };
    let mut device = R::Backend::open(&options).expect("the device opens");
    let model =
        R::Model::load(&mut device, &checkpoint, &setup.limits, &mut |_, _| ()).expect("it fits");
    let options = EngineOptions {
        max_queue,
        ..EngineOptions::new(setup.limits, setup.eos.clone(), Arc::new(ByteText))
    };
    Engine::open(device, model, options).expect("a test's limits fit")
}

/// Serves `requests`, each submitted before the step of its number, and checks the engine's laws after every step.
/// Returns the outputs of each request's sequences.
pub fn serve<R: Recipe>(
    engine: &mut Engine<R>,
    requests: &[(usize, Request)],
) -> (Vec<Vec<Output>>, Stats) {
    let mut pending: Vec<(usize, usize)> = Vec::new();
    for (index, (arrival, _)) in requests.iter().enumerate() {
        pending.push((*arrival, index));
    }
    pending.sort_unstable();
    pending.reverse();
    let mut order: BTreeMap<RequestId, usize> = BTreeMap::new();
    let mut outputs: Vec<Vec<Output>> = requests
        .iter()
        .map(|(_, request)| (0..request.sampling.n).map(|_| unfinished()).collect())
        .collect();
    let mut step = 0;
    while !(pending.is_empty() && engine.is_idle()) {
        while let Some((_, index)) = pending.pop_if(|(arrival, _)| *arrival <= step) {
            let request = engine.validate(requests[index].1.clone(), 0);
            let request = request.expect("a test's requests are valid");
            let id = engine.submit(request).expect("validated by this engine");
            order.insert(id, index);
        }
        for event in engine.step().expect("the device works") {
            take(event, &order, &mut outputs);
        }
        engine.audit();
        step += 1;
        assert!(step < 100_000, "the requests never end");
    }
    (outputs, engine.stats())
}

/// One request alone on an engine of its own.
pub fn alone<R: Recipe>(dir: &Path, setup: &Setup, request: &Request) -> Vec<Output> {
    let (mut outputs, _) = serve(&mut open::<R>(dir, setup), &[(0, request.clone())]);
    outputs.remove(0)
}

fn take(event: Event, order: &BTreeMap<RequestId, usize>, outputs: &mut [Vec<Output>]) {
    match event {
        Event::Token {
            id,
            sequence,
            token,
            text,
            logprobs,
        } => {
            let output = &mut outputs[order[&id]][sequence as usize];
            assert_eq!(output.reason, FinishReason::Abort, "a token after the end");
            output.tokens.push(token);
            output.text.push_str(&text);
            output.logprobs.push(logprobs);
        }
        Event::Finished {
            id,
            sequence,
            reason,
            generated_tokens,
            cumulative_logprob,
            ..
        } => {
            let output = &mut outputs[order[&id]][sequence as usize];
            assert_eq!(generated_tokens, output.tokens.len());
            output.reason = reason;
            output.cumulative_logprob = cumulative_logprob;
        }
    }
}

fn unfinished() -> Output {
    Output {
        tokens: Vec::new(),
        text: String::new(),
        logprobs: Vec::new(),
        cumulative_logprob: None,
        reason: FinishReason::Abort,
    }
}
