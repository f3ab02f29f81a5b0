//! The output of one sequence: how its tokens are chosen, what text they make, and when it ends.

use std::sync::Arc;
use std::time::Duration;

use super::{Event, FinishReason, SequenceId, StopReason, Times};
use crate::parts::TokenLogprobs;
use crate::request::ValidatedRequest;
use crate::sampler::{SamplingSettings, TableRows};
use crate::scheduler::Turn;
use crate::text::{AtStop, Detokenize, OutputText, SpecialTokens, StopStrings};

pub struct Generation {
    settings: SamplingSettings,
    text: OutputText,
    at_stop: AtStop,
    /// Empty where the request ignores them.
    eos: Arc<[u32]>,
    stop_tokens: Arc<[u32]>,
    prompt_tokens: usize,
    generated: usize,
    max_tokens: usize,
    cumulative_logprob: Option<f64>,
    times: Times,
}

impl Generation {
    /// The first sequence of `request`, which arrives `now`.
    pub fn new(request: &ValidatedRequest, text: &dyn Detokenize, now: Duration) -> Self {
        let sampling = request.sampling();
        let special = match sampling.skip_special_tokens {
            true => SpecialTokens::Skip,
            false => SpecialTokens::Keep,
        };
        let at_stop = match sampling.include_stop_str_in_output {
            true => AtStop::Include,
            false => AtStop::Cut,
        };
        let text = OutputText::new(
            text.stream(special),
            StopStrings::new(&sampling.stop),
            at_stop,
            sampling.min_tokens as usize,
        );
        Self {
            settings: SamplingSettings::new(request, 0),
            text,
            at_stop,
            eos: request.eos(),
            stop_tokens: sampling.stop_token_ids.as_slice().into(),
            prompt_tokens: request.prompt().len(),
            generated: 0,
            max_tokens: request.max_tokens(),
            cumulative_logprob: sampling.logprobs.map(|_| 0.0),
            times: Times {
                arrived: now,
                ..Times::default()
            },
        }
    }

    /// The output of sequence `index` of the same request, which begins as this one is now.
    pub fn sibling(&self, index: u32) -> Self {
        Self {
            settings: self.settings.sibling(index),
            text: self.text.fork(),
            at_stop: self.at_stop,
            eos: Arc::clone(&self.eos),
            stop_tokens: Arc::clone(&self.stop_tokens),
            prompt_tokens: self.prompt_tokens,
            generated: self.generated,
            max_tokens: self.max_tokens,
            cumulative_logprob: self.cumulative_logprob,
            times: self.times,
        }
    }

    /// Takes note that it is scheduled.
    pub fn admit(&mut self, now: Duration) {
        self.times.admitted.get_or_insert(now);
    }

    /// Adds the sampling rows of a turn of this sequence, which has a place in the batch and whose logits begin at a row
    /// of theirs.
    pub fn write(&self, turn: &Turn, [place, first]: [usize; 2], table: &mut TableRows) {
        let narrow = |value| u32::try_from(value).expect("a step has fewer than 2^32 rows");
        for position in turn.chosen.clone() {
            let row = narrow(first + position - turn.logits.start);
            self.settings.write(row, narrow(place), position + 1, table);
        }
        for index in turn.siblings.clone() {
            self.settings.write_sibling(index, turn.rows.end, table);
        }
    }

    /// Adds a token `now`; returns the text that became certain, and the reason if it is the last.
    pub fn accept(
        &mut self,
        token: u32,
        logprobs: Option<&TokenLogprobs>,
        now: Duration,
    ) -> (String, Option<FinishReason>) {
        self.times.first_token.get_or_insert(now);
        self.generated += 1;
        if let (Some(sum), Some(logprobs)) = (&mut self.cumulative_logprob, logprobs) {
            *sum += f64::from(logprobs.logprob);
        }
        let stop = self.stop_token(token);
        let mut text = String::new();
        if stop.is_none() || self.at_stop == AtStop::Include {
            let piece = self.text.push(token);
            text = piece.text;
            if let Some(stop) = piece.stop {
                return (text, Some(FinishReason::Stop(StopReason::Text(stop))));
            }
        }
        let reason = match stop {
            Some(stop) => FinishReason::Stop(stop),
            None if self.generated == self.max_tokens => FinishReason::Length,
            None => return (text, None),
        };
        let rest = self.text.finish();
        text.push_str(&rest.text);
        let stop = rest.stop.map(StopReason::Text);
        (text, Some(stop.map_or(reason, FinishReason::Stop)))
    }

    /// The event that ends sequence `id` `now`, of whose prompt `cached` tokens were found in the prefix cache.
    pub fn finished(
        &self,
        id: SequenceId,
        cached: usize,
        reason: FinishReason,
        now: Duration,
    ) -> Event {
        Event::Finished {
            id: id.request,
            sequence: id.index,
            reason,
            prompt_tokens: self.prompt_tokens,
            cached_tokens: cached,
            generated_tokens: self.generated,
            cumulative_logprob: self.cumulative_logprob,
            times: Times {
                finished: now,
                ..self.times
            },
        }
    }

    fn stop_token(&self, token: u32) -> Option<StopReason> {
        if self.stop_tokens.contains(&token) {
            Some(StopReason::Token(token))
        } else if self.eos.contains(&token) {
            Some(StopReason::Eos(token))
        } else {
            None
        }
    }
}
