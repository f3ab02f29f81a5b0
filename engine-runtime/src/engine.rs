//! The engine: requests in, steps, events out.
//!
//! A step schedules, runs the model and the sampler, and commits what came of it. Everything before the commit can be
//! taken back by not committing, which is how a request that makes a step panic is found and failed alone. Clock,
//! device and randomness are the caller's.

mod event;
mod executor;
mod generation;
mod isolation;
mod open;
mod stats;

pub use event::{Event, Failure, FinishReason, StopReason};
pub use open::{EngineOptions, OpenError};
pub use stats::Stats;

pub use crate::guard::Panicked;
pub use crate::scheduler::{RequestId, SequenceId};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use executor::Executor;
use generation::Generation;
use isolation::isolate;

use crate::backend::DeviceError;
use crate::guard::guard;
use crate::kv::CacheKeys;
use crate::parts::{Prefill, Prefix};
use crate::recipe::Recipe;
use crate::request::{Request, RequestError, RequestRules, ValidatedRequest};
use crate::sampler::Sampled;
use crate::scheduler::{Scheduler, Turn, build_batch};
use crate::text::Detokenize;

type Index<R> = <<R as Recipe>::Prefix as Prefix>::Index;

/// An engine of the recipe `R`. Drop it with requests in flight, or bring them to an end with
/// [`Engine::cancel_all`] first.
pub struct Engine<R: Recipe> {
    executor: Executor<R>,
    scheduler: Scheduler<Index<R>>,
    rules: RequestRules,
    text: Arc<dyn Detokenize>,
    /// Sequences that are not over, of each request that is not over.
    live: BTreeMap<RequestId, u32>,
    generations: HashMap<SequenceId, Generation>,
    /// Events that no step has returned yet.
    outbox: Vec<Event>,
    next: RequestId,
    stats: Stats,
}

/// What came of one turn: `None` where no token was wanted yet.
type Outcome = Result<Option<Sampled>, Panicked>;

impl<R: Recipe> Engine<R> {
    /// One step: schedule, forward, sample, commit. An error of the device leaves every request as it was.
    pub fn step(&mut self) -> Result<Vec<Event>, DeviceError> {
        let turns = self.scheduler.schedule(R::Prefill::take);
        let outcomes = self.run(&turns)?;
        self.commit(turns, outcomes);
        self.stats.steps += 1;
        if cfg!(debug_assertions) {
            self.audit();
        }
        Ok(std::mem::take(&mut self.outbox))
    }

    /// What this engine holds requests against; a copy serves another thread.
    pub fn rules(&self) -> &RequestRules {
        &self.rules
    }

    /// [`ValidatedRequest::new`] by this engine's rules.
    pub fn validate(
        &self,
        request: Request,
        entropy: u64,
    ) -> Result<ValidatedRequest, RequestError> {
        ValidatedRequest::new(request, &self.rules, entropy)
    }

    /// Queues a request. It is rejected if it was validated by other rules than this engine's.
    pub fn submit(&mut self, request: ValidatedRequest) -> Result<RequestId, RequestError> {
        self.stats.submitted += 1;
        if *request.rules() != self.rules {
            self.stats.rejected += 1;
            return Err(RequestError::OtherRules);
        }
        let id = self.next;
        self.next = RequestId(id.0 + 1);
        let sequences = request.sampling().n;
        self.live.insert(id, sequences);
        self.stats.prompt_tokens += request.prompt().len() as u64;
        for index in 0..sequences {
            let sequence = SequenceId { request: id, index };
            let generation = Generation::new(&request, index, &*self.text);
            self.generations.insert(sequence, generation);
            let keys = CacheKeys {
                adapter: None,
                salt: request.cache_salt().cloned(),
            };
            self.scheduler
                .add(sequence, keys, request.prompt().to_vec());
        }
        Ok(id)
    }

    /// Ends a request with [`FinishReason::Abort`]; its events come with the next step. `false` if it was over.
    pub fn cancel(&mut self, id: RequestId) -> bool {
        let found = self.end(id, FinishReason::Abort);
        self.stats.cancelled += u64::from(found);
        found
    }

    /// Cancels all that is in flight, as before a shutdown.
    pub fn cancel_all(&mut self) {
        for id in self.live.keys().copied().collect::<Vec<_>>() {
            self.cancel(id);
        }
    }

    /// Whether a step would do and return nothing.
    pub fn is_idle(&self) -> bool {
        self.live.is_empty() && self.outbox.is_empty()
    }

    pub fn stats(&self) -> Stats {
        let scheduler = self.scheduler.stats();
        Stats {
            cached_tokens: scheduler.cached_tokens,
            preemptions: scheduler.preemptions,
            ..self.stats
        }
    }

    /// Panics unless the conservation laws hold: each request is in flight or ended in exactly one way, and each
    /// block is free, kept for its prefix, or held by a running sequence.
    pub fn audit(&self) {
        self.stats.audit(self.live.len());
        let live: u32 = self.live.values().sum();
        let queued = self.scheduler.running().len() + self.scheduler.waiting().count();
        assert_eq!(queued, live as usize, "sequences in the scheduler");
        assert_eq!(self.generations.len(), queued, "sequences with output");
        self.scheduler.audit();
    }

    /// Forward and sample, with the turns that panic set apart.
    fn run(&mut self, turns: &[Turn]) -> Result<Vec<Outcome>, DeviceError> {
        isolate(turns, &mut |turns| {
            let running = self.scheduler.running();
            let staged = self.executor.stage();
            build_batch(
                turns,
                running,
                self.scheduler.block_size(),
                &mut staged.batch,
            );
            for (row, turn) in (0..).zip(turns.iter().filter(|turn| turn.samples)) {
                let sequence = &running[turn.place];
                self.generations[&turn.id].write(row, sequence.tokens.len(), &mut staged.table);
            }
            let pending = self.executor.launch()?;
            let mut sampled = Vec::new();
            self.executor.collect(pending, &mut sampled)?;
            let mut sampled = sampled.into_iter();
            let outcome = |turn: &Turn| turn.samples.then(|| sampled.next()).flatten();
            Ok(turns.iter().map(outcome).collect())
        })
    }

    fn commit(&mut self, turns: Vec<Turn>, outcomes: Vec<Outcome>) {
        for (&turn, outcome) in turns.iter().zip(&outcomes) {
            match outcome {
                Ok(None) => self.scheduler.commit(turn, None),
                Ok(Some(Sampled { token, .. })) => self.scheduler.commit(turn, *token),
                Err(_) => {}
            }
        }
        for (turn, outcome) in turns.into_iter().zip(outcomes) {
            match outcome {
                Ok(None) => {}
                Ok(Some(sampled)) => self.accept(turn.id, sampled),
                Err(panicked) => self.fail(turn.id.request, Failure::Panicked(panicked)),
            }
        }
    }

    /// Adds a token to the output of a sequence, and ends the sequence where that is its last.
    fn accept(&mut self, id: SequenceId, sampled: Sampled) {
        // A sequence whose request has failed in this same step.
        let Some(generation) = self.generations.get_mut(&id) else {
            return;
        };
        let Some(token) = sampled.token else {
            return self.fail(id.request, Failure::NoToken);
        };
        let logprobs = sampled.logprobs;
        let accepted = guard(|| generation.accept(token, logprobs.as_ref()));
        let (text, reason) = match accepted {
            Ok(accepted) => accepted,
            Err(panicked) => return self.fail(id.request, Failure::Panicked(panicked)),
        };
        self.stats.generated_tokens += 1;
        self.outbox.push(Event::Token {
            id: id.request,
            sequence: id.index,
            token,
            text,
            logprobs,
        });
        if let Some(reason) = reason {
            self.finish(id, reason);
        }
    }

    /// Ends one sequence, and with its last one the request.
    fn finish(&mut self, id: SequenceId, reason: FinishReason) {
        self.outbox.extend(
            self.generations
                .remove(&id)
                .map(|generation| generation.finished(id, reason)),
        );
        self.scheduler.remove(|sequence| sequence == id);
        if let Some(live) = self.live.get_mut(&id.request) {
            *live -= 1;
            if *live == 0 {
                self.live.remove(&id.request);
                self.stats.completed += 1;
            }
        }
    }

    fn fail(&mut self, id: RequestId, failure: Failure) {
        if self.end(id, FinishReason::Error(failure)) {
            self.stats.failed += 1;
        }
    }

    /// Ends all sequences of a request that is not over.
    fn end(&mut self, id: RequestId, reason: FinishReason) -> bool {
        if self.live.remove(&id).is_none() {
            return false;
        }
        let of_request = |sequence: &SequenceId| sequence.request == id;
        let mut over: Vec<_> = self
            .generations
            .extract_if(|sequence, _| of_request(sequence))
            .collect();
        over.sort_by_key(|(sequence, _)| *sequence);
        let events = over
            .into_iter()
            .map(|(sequence, generation)| generation.finished(sequence, reason.clone()));
        self.outbox.extend(events);
        self.scheduler.remove(|sequence| of_request(&sequence));
        true
    }
}
