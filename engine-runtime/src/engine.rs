//! The engine: requests in, steps, events out.
//!
//! A step schedules, launches the model and the sampler, collects what was launched, and commits what came of it.
//! Everything before the commit can be taken back by not committing, which is how a request that makes a step fail is
//! found and failed alone. Clock, device and randomness are the caller's.

mod budget;
mod clock;
mod commit;
mod event;
mod executor;
mod flight;
mod generation;
mod isolation;
mod open;
mod stats;

pub use budget::{Budget, Host, Shortage};
pub use clock::{Clock, Spent, Times};
pub use event::{Event, Failure, FinishReason, StopReason};
pub use open::{EngineOptions, MAX_QUEUE, OpenError};
pub use stats::{Load, Stats};

pub use crate::guard::Panicked;
pub use crate::scheduler::{RequestId, SequenceId};

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use executor::Executor;
use flight::Flight;
use generation::Generation;

use crate::backend::DeviceError;
use crate::kv::CacheKeys;
use crate::parts::{Prefill, Prefix};
use crate::recipe::Recipe;
use crate::request::{Request, RequestError, RequestRules, ValidatedRequest};
use crate::scheduler::{Arrival, Scheduler, Sequence, Turn};
use crate::text::Detokenize;

type Index<R> = <<R as Recipe>::Prefix as Prefix>::Index;

/// An engine of the recipe `R`. Drop it with requests in flight, or bring them to an end with
/// [`Engine::cancel_all`] first.
pub struct Engine<R: Recipe> {
    executor: Executor<R>,
    scheduler: Scheduler<Index<R>, Generation>,
    rules: RequestRules,
    text: Arc<dyn Detokenize>,
    max_seqs: u32,
    max_queue: usize,
    clock: Clock,
    /// Sequences that are not over, of each request that is not over.
    live: BTreeMap<RequestId, u32>,
    /// Steps that are launched and not collected, the oldest first.
    flights: VecDeque<Flight<R>>,
    /// Events that no step has returned yet.
    outbox: Vec<Event>,
    next: RequestId,
    stats: Stats,
    /// What one turn has brought; kept for its memory.
    tokens: Vec<u32>,
    /// What has ended the engine.
    lost: Option<DeviceError>,
}

impl<R: Recipe> Engine<R> {
    /// One step: schedule, launch, collect, commit. A request that the device or the model fails on ends with
    /// [`Failure`], and no other is hurt. An error is the end of the engine: every later step repeats it.
    pub fn step(&mut self) -> Result<Vec<Event>, DeviceError> {
        self.refuse_if_lost()?;
        let turns = self.schedule();
        let launched = self.launch(turns);
        let outcomes = self.collect(launched)?;
        self.commit(outcomes);
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

    /// Queues a request. It is rejected if it was validated by other rules than this engine's, and if the queue has no room
    /// for all its sequences.
    pub fn submit(&mut self, request: ValidatedRequest) -> Result<RequestId, RequestError> {
        self.stats.submitted += 1;
        if let Err(error) = self.admissible(&request) {
            self.stats.rejected += 1;
            return Err(error);
        }
        let id = self.next;
        self.next = RequestId(id.0 + 1);
        let n = request.sampling().n;
        self.live.insert(id, n);
        self.stats.prompt_tokens += request.prompt().len() as u64;
        let prompt: Arc<[u32]> = request.prompt().into();
        let first = Generation::new(&request, &*self.text, self.clock.now());
        // Sequences that can run at once begin together.
        for index in (0..n).step_by(self.max_seqs as usize) {
            self.scheduler.add(Arrival {
                id: SequenceId { request: id, index },
                keys: CacheKeys {
                    adapter: None,
                    salt: request.cache_salt().cloned(),
                },
                prompt: Arc::clone(&prompt),
                siblings: index + 1..n.min(index + self.max_seqs),
                max_tokens: request.max_tokens(),
                output: first.sibling(index),
            });
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
        self.live.is_empty() && self.outbox.is_empty() && self.flights.is_empty()
    }

    /// How busy the engine is now.
    pub fn load(&self) -> Load {
        let (blocks_used, blocks) = self.scheduler.blocks();
        Load {
            running: self.scheduler.all_running().len(),
            waiting: self.scheduler.queued(),
            blocks_used,
            blocks,
        }
    }

    pub fn stats(&self) -> Stats {
        let scheduler = self.scheduler.stats();
        Stats {
            cached_tokens: scheduler.cached_tokens,
            preemptions: scheduler.preemptions,
            ..self.stats
        }
    }

    /// What of the time so far was the model, and what the choice of tokens.
    pub fn spent(&self) -> Spent {
        self.executor.spent()
    }

    /// Panics unless the conservation laws hold: each request is in flight or ended in exactly one way, and each
    /// block is free, kept for its prefix, or held by a running sequence.
    pub fn audit(&self) {
        self.stats.audit(self.live.len());
        let live: u32 = self.live.values().sum();
        let running = self.scheduler.all_running().iter();
        let sequences: usize = running
            .chain(self.scheduler.waiting())
            .map(Sequence::seats)
            .sum();
        assert_eq!(sequences, live as usize, "sequences in the scheduler");
        let turns = self.flights.iter().flat_map(|flight| &flight.turns);
        self.scheduler.audit(turns);
    }

    fn admissible(&self, request: &ValidatedRequest) -> Result<(), RequestError> {
        if let Some(error) = &self.lost {
            let reason = error.to_string();
            return Err(RequestError::EngineEnded { reason });
        }
        if *request.rules() != self.rules {
            return Err(RequestError::OtherRules);
        }
        let waiting = self.scheduler.queued();
        let more = request.sampling().n as usize;
        if waiting.saturating_add(more) > self.max_queue {
            return Err(RequestError::QueueFull { waiting });
        }
        Ok(())
    }

    fn refuse_if_lost(&self) -> Result<(), DeviceError> {
        match &self.lost {
            None => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }

    /// The turns of the next step.
    fn schedule(&mut self) -> Vec<Turn> {
        let turns = self.scheduler.schedule(R::Prefill::take);
        let now = self.clock.now();
        for turn in &turns {
            if let Some(sequence) = self.scheduler.find(turn.id) {
                sequence.output.admit(now);
            }
        }
        turns
    }
}
