//! From what a step has brought to the output of its sequences, and to their ends.

use super::flight::Outcomes;
use super::{Engine, Event, Failure, FinishReason, RequestId, SequenceId};
use crate::guard::guard;
use crate::recipe::Recipe;
use crate::sampler::Sampled;
use crate::scheduler::Turn;

impl<R: Recipe> Engine<R> {
    /// Takes note of what came of a step's turns: all of them first, then the output of each.
    pub(super) fn commit(&mut self, outcomes: Outcomes) {
        let mut sampled = outcomes.sampled.into_iter();
        let mut chosen = Vec::with_capacity(sampled.len());
        for (turn, outcome) in outcomes.turns {
            match outcome {
                Ok(()) => self.commit_turn(&turn, sampled.by_ref(), &mut chosen),
                Err(failure) => {
                    self.scheduler.retract(&turn);
                    chosen.push((turn.id, Err(failure)));
                }
            }
        }
        for (id, outcome) in chosen {
            match outcome {
                Ok(sampled) => self.accept(id, sampled),
                Err(failure) => self.fail(id.request, failure),
            }
        }
    }

    /// Commits one turn with the tokens that were sampled for it, and begins the siblings that were waiting for it.
    fn commit_turn(
        &mut self,
        turn: &Turn,
        sampled: impl Iterator<Item = Sampled>,
        chosen: &mut Vec<(SequenceId, Result<Sampled, Failure>)>,
    ) {
        self.stats.computed_tokens += turn.rows.len() as u64;
        let mut sampled = sampled.take(turn.choices());
        self.tokens.clear();
        for sampled in sampled.by_ref().take(turn.chosen.len()) {
            self.tokens.extend(sampled.token);
            chosen.push((turn.id, Ok(sampled)));
        }
        self.scheduler.commit(turn, &self.tokens);
        for (index, sampled) in turn.siblings.clone().zip(sampled) {
            // It has nothing to begin with if its request has ended meanwhile, or ends now, since no token could be
            // chosen: of the first one's blocks only those behind which a token stands have been kept.
            let begins = self.tokens.len() == turn.chosen.len();
            if begins && let Some(first) = self.scheduler.find(turn.id) {
                let output = first.output.sibling(index);
                let token = sampled.token;
                self.scheduler.fork(turn, index, token.as_slice(), output);
            }
            chosen.push((SequenceId { index, ..turn.id }, Ok(sampled)));
        }
    }

    /// Adds a token to the output of a sequence, and ends the sequence where that is its last.
    fn accept(&mut self, id: SequenceId, sampled: Sampled) {
        // It is not there if its request has failed in this same step.
        let Some(sequence) = self.scheduler.find(id) else {
            return;
        };
        let Some(token) = sampled.token else {
            return self.fail(id.request, Failure::NoToken);
        };
        let logprobs = sampled.logprobs;
        let now = self.clock.now();
        let output = &mut sequence.output;
        let accepted = guard(|| output.accept(token, logprobs.as_ref(), now));
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
        self.drop_sequence(id, &reason);
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
    pub(super) fn end(&mut self, id: RequestId, reason: FinishReason) -> bool {
        if self.live.remove(&id).is_none() {
            return false;
        }
        for sequence in self.scheduler.of_request(id) {
            self.drop_sequence(sequence, &reason);
        }
        true
    }

    /// Takes a sequence out of the scheduler and tells its end, and that of its siblings which have not begun.
    fn drop_sequence(&mut self, id: SequenceId, reason: &FinishReason) {
        let Some(sequence) = self.scheduler.remove(id) else {
            return;
        };
        let now = self.clock.now();
        for index in std::iter::once(id.index).chain(sequence.siblings) {
            let id = SequenceId { index, ..id };
            let (output, cached) = (&sequence.output, sequence.cached.unwrap_or(0));
            self.outbox
                .push(output.finished(id, cached, reason.clone(), now));
        }
    }
}
