//! The output of one sequence: how its tokens are chosen, what text they make, and when it ends.

use std::sync::Arc;

use super::{Event, FinishReason, SequenceId, StopReason};
use crate::parts::TokenLogprobs;
use crate::request::ValidatedRequest;
use crate::sampler::{SamplingSettings, TableRows};
use crate::text::{AtStop, Detokenize, OutputText, SpecialTokens, StopStrings};

pub struct Generation {
    settings: SamplingSettings,
    text: OutputText,
    at_stop: AtStop,
    /// Empty where the request ignores them.
    eos: Arc<[u32]>,
    stop_tokens: Vec<u32>,
    prompt_tokens: usize,
    generated: usize,
    max_tokens: usize,
    cumulative_logprob: Option<f64>,
}

impl Generation {
    /// Sequence `index` of `request`.
    pub fn new(request: &ValidatedRequest, index: u32, text: &dyn Detokenize) -> Self {
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
            settings: SamplingSettings::new(request, index),
            text,
            at_stop,
            eos: request.eos(),
            stop_tokens: sampling.stop_token_ids.clone(),
            prompt_tokens: request.prompt().len(),
            generated: 0,
            max_tokens: request.max_tokens(),
            cumulative_logprob: sampling.logprobs.map(|_| 0.0),
        }
    }

    /// Adds the sampling row for the token at `position`, to be chosen from row `logits_row` of the logits.
    pub fn write(&self, logits_row: u32, position: usize, table: &mut TableRows) {
        self.settings
            .write(logits_row, position, self.generated, table);
    }

    /// Adds a token; returns the text that became certain, and the reason if it is the last.
    pub fn accept(
        &mut self,
        token: u32,
        logprobs: Option<&TokenLogprobs>,
    ) -> (String, Option<FinishReason>) {
        self.settings.push(token);
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

    /// The event that ends the sequence.
    pub fn finished(self, id: SequenceId, reason: FinishReason) -> Event {
        Event::Finished {
            id: id.request,
            sequence: id.index,
            reason,
            prompt_tokens: self.prompt_tokens,
            generated_tokens: self.generated,
            cumulative_logprob: self.cumulative_logprob,
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
