//! The sampling settings of one sequence, and the rows that they write.

use std::sync::Arc;

use crate::backend::{
    LogitEdit, NO_LOGPROBS, PROCESSED_LOGPROBS, RAW_LOGPROBS, SamplingRow, SeenToken,
};
use crate::batch::{Capacity, reserved};
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
    /// An empty table with room for all that `capacity` allows.
    pub fn reserved(capacity: Capacity) -> Self {
        let token = 1;
        Self {
            rows: reserved(capacity.table_rows, bytemuck::Zeroable::zeroed()),
            seen: reserved(capacity.seen(), SeenToken { token, count: 1 }),
            edits: reserved(capacity.edits(), LogitEdit { token, bias: 1.0 }),
            wants_logprobs: reserved(capacity.table_rows, true),
        }
    }

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
                logprobs: match (sampling.logprobs, sampling.processed_logprobs) {
                    (None, _) => NO_LOGPROBS,
                    (Some(_), false) => RAW_LOGPROBS,
                    (Some(_), true) => PROCESSED_LOGPROBS,
                },
            },
            seed: request.seed(),
            index,
            bias: bias.map(|(&token, &bias)| edit(token, bias)).collect(),
            banned_early: ends.map(|&token| edit(token, f32::NEG_INFINITY)).collect(),
            min_tokens: sampling.min_tokens as usize,
            prompt_len: request.prompt().len(),
            seen: penalised.then(|| Seen::new(request.prompt())),
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

    /// Whether the choice of a token depends on which tokens came before it.
    pub fn looks_back(&self) -> bool {
        self.seen.is_some()
    }

    /// Takes note of a token of the output.
    pub fn push(&mut self, token: u32) {
        if let Some(seen) = &mut self.seen {
            seen.push(token);
        }
    }

    /// Adds the row that chooses the token at `position` from row `logits_row` of the logits. `pending` are the tokens
    /// in front of it that are not output yet.
    pub fn write(&self, logits_row: u32, position: usize, pending: &[u32], table: &mut TableRows) {
        let seen_start = offset(table.seen.len());
        if let Some(seen) = &self.seen {
            seen.write(pending, &mut table.seen);
        }
        let edits_start = offset(table.edits.len());
        table.edits.extend_from_slice(&self.bias);
        if position - self.prompt_len < self.min_tokens {
            table.edits.extend_from_slice(&self.banned_early);
        }
        table.rows.push(SamplingRow {
            logits_row,
            uniform: uniform(split_seed(self.seed, self.index), position),
            seen_start,
            seen_end: offset(table.seen.len()),
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

/// An index into a table's arrays.
fn offset(len: usize) -> u32 {
    u32::try_from(len).expect("a step has fewer than 2^32 seen tokens and edits")
}
