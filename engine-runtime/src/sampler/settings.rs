//! The sampling settings of one sequence, and the rows that they write.

use crate::backend::{LogitEdit, SamplingRow, SeenToken};
use crate::request::ValidatedRequest;
use crate::sampler::{Seen, split_seed, uniform};

/// One step's sampling table on the host side; see [`SamplingTable`](crate::backend::SamplingTable).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableRows {
    pub rows: Vec<SamplingRow>,
    pub seen: Vec<SeenToken>,
    pub edits: Vec<LogitEdit>,
    /// Which rows want logprobs.
    pub wants_logprobs: Vec<bool>,
}

impl TableRows {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        let Self {
            rows,
            seen,
            edits,
            wants_logprobs,
        } = self;
        rows.clear();
        seen.clear();
        edits.clear();
        wants_logprobs.clear();
    }
}

/// How one sequence chooses its next token.
#[derive(Debug)]
pub struct SamplingSettings {
    /// What stays the same in every step.
    constant: SamplingRow,
    seed: u64,
    bias: Vec<LogitEdit>,
    /// Tokens that must not end the output early.
    banned_early: Vec<LogitEdit>,
    min_tokens: usize,
    /// Only where a penalty is used.
    seen: Option<Seen>,
    logprobs: bool,
}

impl SamplingSettings {
    /// The settings of sequence `index` of `request`.
    pub fn new(request: &ValidatedRequest, index: u32) -> Self {
        let sampling = request.sampling();
        let penalised = sampling.repetition_penalty != 1.0
            || sampling.presence_penalty != 0.0
            || sampling.frequency_penalty != 0.0;
        let edit = |token, bias| LogitEdit { token, bias };
        let bias = sampling.logit_bias.iter();
        let eos = request.eos();
        let ends = eos.iter().chain(&sampling.stop_token_ids);
        Self {
            constant: SamplingRow {
                logits_row: 0,
                temperature: sampling.temperature,
                top_p: sampling.top_p,
                min_p: sampling.min_p,
                top_k: sampling.top_k,
                uniform: 0.0,
                repetition_penalty: sampling.repetition_penalty,
                presence_penalty: sampling.presence_penalty,
                frequency_penalty: sampling.frequency_penalty,
                seen_start: 0,
                seen_end: 0,
                edits_start: 0,
                edits_end: 0,
                top_logprobs: sampling.logprobs.unwrap_or(0),
                processed_logprobs: u32::from(sampling.processed_logprobs),
            },
            seed: split_seed(request.seed(), index),
            bias: bias.map(|(&token, &bias)| edit(token, bias)).collect(),
            banned_early: ends.map(|&token| edit(token, f32::NEG_INFINITY)).collect(),
            min_tokens: sampling.min_tokens as usize,
            seen: penalised.then(|| Seen::new(request.prompt())),
            logprobs: sampling.logprobs.is_some(),
        }
    }

    /// Takes note of a token of the output.
    pub fn push(&mut self, token: u32) {
        if let Some(seen) = &mut self.seen {
            seen.push(token);
        }
    }

    /// Adds the row that chooses the token at `position`, the `generated`th of the output, from row `logits_row` of the
    /// logits.
    pub fn write(&self, logits_row: u32, position: usize, generated: usize, table: &mut TableRows) {
        let seen_start = offset(table.seen.len());
        if let Some(seen) = &self.seen {
            table.seen.extend_from_slice(seen.tokens());
        }
        let edits_start = offset(table.edits.len());
        table.edits.extend_from_slice(&self.bias);
        if generated < self.min_tokens {
            table.edits.extend_from_slice(&self.banned_early);
        }
        table.rows.push(SamplingRow {
            logits_row,
            uniform: uniform(self.seed, position),
            seen_start,
            seen_end: offset(table.seen.len()),
            edits_start,
            edits_end: offset(table.edits.len()),
            ..self.constant
        });
        table.wants_logprobs.push(self.logprobs);
    }
}

/// An index into a table's arrays.
fn offset(len: usize) -> u32 {
    u32::try_from(len).expect("a step has fewer than 2^32 seen tokens and edits")
}
