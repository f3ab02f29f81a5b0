//! The sampling settings of one sequence, and the rows that they write.

use std::sync::Arc;

use crate::backend::{LogitEdit, NO_LOGPROBS, PROCESSED_LOGPROBS, RAW_LOGPROBS, SamplingRow};
use crate::batch::{Capacity, reserved};
use crate::request::ValidatedRequest;
use crate::sampler::{split_seed, uniform};

/// One step's sampling table on the host side; see [`SamplingTable`](crate::backend::SamplingTable).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableRows {
    pub rows: Vec<SamplingRow>,
    pub edits: Vec<LogitEdit>,
    /// Which rows want logprobs.
    pub wants_logprobs: Vec<bool>,
}

impl TableRows {
    /// An empty table with room for all that `capacity` allows.
    pub fn reserved(capacity: Capacity) -> Self {
        let token = 1;
        Self {
            rows: reserved(capacity.table_rows, bytemuck::Zeroable::zeroed()),
            edits: reserved(capacity.edits(), LogitEdit { token, bias: 1.0 }),
            wants_logprobs: reserved(capacity.table_rows, true),
        }
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        let Self {
            rows,
            edits,
            wants_logprobs,
        } = self;
        rows.clear();
        edits.clear();
        wants_logprobs.clear();
    }
}

/// How one sequence chooses its next token. What does not change is shared by the sequences of one request.
#[derive(Debug, Clone)]
pub struct SamplingSettings {
    /// What stays the same in every step.
    constant: SamplingRow,
    /// The request's.
    seed: u64,
    /// Of the sequence in its request.
    index: u32,
    bias: Arc<[LogitEdit]>,
    /// Tokens that must not end the output early.
    banned_early: Arc<[LogitEdit]>,
    min_tokens: usize,
    prompt_len: usize,
    /// Whether a penalty is used.
    penalised: bool,
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
                temperature: sampling.temperature,
                top_p: sampling.top_p,
                min_p: sampling.min_p,
                top_k: sampling.top_k,
                repetition_penalty: sampling.repetition_penalty,
                presence_penalty: sampling.presence_penalty,
                frequency_penalty: sampling.frequency_penalty,
                top_logprobs: sampling.logprobs.unwrap_or(0),
                logprobs: match (sampling.logprobs, sampling.processed_logprobs) {
                    (None, _) => NO_LOGPROBS,
                    (Some(_), false) => RAW_LOGPROBS,
                    (Some(_), true) => PROCESSED_LOGPROBS,
                },
                // The rest is another one each step.
                ..SamplingRow::GREEDY
            },
            seed: request.seed(),
            index,
            bias: bias.map(|(&token, &bias)| edit(token, bias)).collect(),
            banned_early: ends.map(|&token| edit(token, f32::NEG_INFINITY)).collect(),
            min_tokens: sampling.min_tokens as usize,
            prompt_len: request.prompt().len(),
            penalised,
            logprobs: sampling.logprobs.is_some(),
        }
    }

    /// The settings of another sequence that begins where this one is now.
    pub fn sibling(&self, index: u32) -> Self {
        Self {
            index,
            ..self.clone()
        }
    }

    /// Adds the row that chooses the token at `position` from row `logits_row` of the logits, for the batch's `sequence`.
    pub fn write(&self, logits_row: u32, sequence: u32, position: usize, table: &mut TableRows) {
        let edits_start = offset(table.edits.len());
        table.edits.extend_from_slice(&self.bias);
        if position - self.prompt_len < self.min_tokens {
            table.edits.extend_from_slice(&self.banned_early);
        }
        table.rows.push(SamplingRow {
            logits_row,
            uniform: uniform(split_seed(self.seed, self.index), position),
            sequence,
            seen: if self.penalised { offset(position) } else { 0 },
            prompt: offset(self.prompt_len),
            edits_start,
            edits_end: offset(table.edits.len()),
            ..self.constant
        });
        table.wants_logprobs.push(self.logprobs);
    }

    /// Adds the row that chooses a token for sibling `index` where the last row of the table, which is this sequence's,
    /// chooses one at `position`.
    pub fn write_sibling(&self, index: u32, position: usize, table: &mut TableRows) {
        if let Some(&row) = table.rows.last() {
            let uniform = uniform(split_seed(self.seed, index), position);
            table.rows.push(SamplingRow { uniform, ..row });
            table.wants_logprobs.push(self.logprobs);
        }
    }
}

/// An index into a table's arrays, or a position.
fn offset(len: usize) -> u32 {
    u32::try_from(len).expect("a step has fewer than 2^32 edits, and a sequence as few positions")
}
