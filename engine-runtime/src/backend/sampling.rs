//! From logits to tokens: the sampler's ops, and what they take.

use super::{Backend, BlockCopy, DeviceError, Input};
use crate::dtype::Element;

/// How one row of logits becomes one token. Neutral values switch a setting off.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct SamplingRow {
    /// The row of logits to choose from; several rows may choose from one.
    pub logits_row: u32,
    /// 0 picks the largest score (the lowest id among equals).
    pub temperature: f32,
    /// Keep the smallest set of tokens whose probability reaches this; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens of at least this share of the largest probability; 0 keeps all.
    pub min_p: f32,
    /// Keep this many of the largest; 0 keeps all.
    pub top_k: u32,
    /// In [0, 1): where in the cumulative distribution to draw.
    pub uniform: f32,
    /// Divides positive and multiplies negative logits of tokens seen in prompt or output; 1 is neutral.
    pub repetition_penalty: f32,
    /// Subtracted once for each token seen in the output; 0 is neutral.
    pub presence_penalty: f32,
    /// Subtracted for each occurrence in the output; 0 is neutral.
    pub frequency_penalty: f32,
    /// The sequence of the batch whose tokens penalties look at.
    pub sequence: u32,
    /// How many of its tokens stand in front of the one to choose, the prompt's included; 0 where no penalty is used.
    pub seen: u32,
    /// How many of them are the prompt's.
    pub prompt: u32,
    /// This row's part of [`SamplingTable::edits`].
    pub edits_start: u32,
    pub edits_end: u32,
    /// Candidates to report beside the chosen token.
    pub top_logprobs: u32,
    /// What logprobs are reported of: [`NO_LOGPROBS`], [`RAW_LOGPROBS`] or [`PROCESSED_LOGPROBS`].
    pub logprobs: u32,
}

impl Element for SamplingRow {}

impl SamplingRow {
    /// The likeliest token of the first row, every setting off and nothing to report.
    pub const GREEDY: Self = Self {
        logits_row: 0,
        temperature: 0.0,
        top_p: 1.0,
        min_p: 0.0,
        top_k: 0,
        uniform: 0.0,
        repetition_penalty: 1.0,
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        sequence: 0,
        seen: 0,
        prompt: 0,
        edits_start: 0,
        edits_end: 0,
        top_logprobs: 0,
        logprobs: NO_LOGPROBS,
    };
}

/// A bias added to one token's logit; minus infinity bans it.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct LogitEdit {
    pub token: u32,
    pub bias: f32,
}

impl Element for LogitEdit {}

/// The token ids of all positions of a KV cache, `[blocks * block_size]`.
///
/// They lie as keys and values do and are found by the same block tables, so that what a sequence has seen is right
/// wherever its keys and values are: when it shares a prefix, begins as another's sibling, is sent back, or has tokens
/// that the host does not know yet.
pub struct TokenCache<B: Backend> {
    pub ids: B::Array<u32>,
    pub block_size: usize,
}

/// The sampling settings of a batch, in device memory.
pub struct SamplingTable<'a, B: Backend> {
    /// Logits, and scores, of a row.
    pub vocab: usize,
    /// `[rows]`
    pub rows: Input<'a, B, SamplingRow>,
    pub edits: Input<'a, B, LogitEdit>,
    pub seen: Seen<'a, B>,
}

/// Where penalties find what sequences have seen.
pub struct Seen<'a, B: Backend> {
    pub tokens: &'a TokenCache<B>,
    /// `[seqs]`: where the sequence's blocks begin in `blocks`
    pub table_start: Input<'a, B, u32>,
    /// Block tables.
    pub blocks: Input<'a, B, u32>,
}

/// The row wants none, and the op leaves its result as it is.
pub const NO_LOGPROBS: u32 = 0;
/// Of the model's own logits.
pub const RAW_LOGPROBS: u32 = 1;
/// Of the scores, which are what is left of the logits after edits, penalties, temperature and truncation.
pub const PROCESSED_LOGPROBS: u32 = 2;

/// In place of a token: the row's scores hold no number that can be chosen (all NaN or all banned).
pub const NO_TOKEN: u32 = u32::MAX;

/// The sampler's ops. A row of the table is one choice; what it is made from are `vocab` logits in f32.
///
/// Three ops and not one, so that logprobs can be had of the logits or of what was made of them, and an engine without
/// logprobs has nothing of it. They are launched in this order, over the same table and the same logits.
pub trait Sampling: Backend {
    /// What the tokens of a step are chosen from, in the form that suits the device: only these ops look into it.
    type Scores: Send;

    /// Room for tables of `rows` rows.
    fn scores(&mut self, rows: usize, vocab: usize) -> Result<Self::Scores, DeviceError>;

    /// Bytes that [`Sampling::scores`] takes.
    fn bytes_of_scores(rows: usize, vocab: usize) -> usize {
        rows.saturating_mul(vocab.saturating_mul(size_of::<f32>()))
    }

    /// scores [rows, vocab] = logits [_, vocab] at each row's `logits_row`, after edits, penalties, temperature, then
    /// top-k, top-p and min-p, which set what they drop to minus infinity. A row of temperature 0 keeps its scores unscaled and untruncated.
    fn process_logits(
        &mut self,
        logits: &Self::Array<f32>,
        table: SamplingTable<'_, Self>,
        scores: &mut Self::Scores,
    ) -> Result<(), DeviceError>;

    /// results[row * stride] = the token drawn from softmax(scores `[row]`), or [`NO_TOKEN`]: the first id, in
    /// ascending order, at which the cumulative probability exceeds `uniform`; at temperature 0 the largest.
    fn sample(
        &mut self,
        logits: &Self::Array<f32>,
        scores: &mut Self::Scores,
        table: SamplingTable<'_, Self>,
        results: &mut Self::Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError>;

    /// Reads the token at `results[row * stride]` and writes behind it: its logprob (bits of an f32), its rank from
    /// 1 (one more than the tokens with a larger logprob), then `top_logprobs` pairs of id and logprob, largest
    /// first, lowest id first among equals. `stride` is at least 3 + 2 * top_logprobs. Rows with [`NO_LOGPROBS`] cost
    /// nothing. Nothing can be chosen from the scores any more.
    fn logprobs(
        &mut self,
        logits: &Self::Array<f32>,
        scores: &mut Self::Scores,
        table: SamplingTable<'_, Self>,
        results: &mut Self::Array<u32>,
        stride: usize,
    ) -> Result<(), DeviceError>;
}

/// Tokens that steps leave on the device for later ones.
pub trait Advance: Sampling {
    /// Copies the blocks of `copies`, then keeps a step's tokens: `tokens[slots[row]] = ids[row]`.
    fn keep_tokens(
        &mut self,
        ids: Input<'_, Self, u32>,
        slots: Input<'_, Self, u32>,
        copies: Input<'_, Self, BlockCopy>,
        tokens: &mut TokenCache<Self>,
    ) -> Result<(), DeviceError>;

    /// out `[rows]` = `ids`, but where `sources` is not [`NO_TOKEN`] the token at `results[source * stride]`, which a
    /// step before this one has left on the device; 0 where that step found no token.
    fn advance(
        &mut self,
        ids: Input<'_, Self, u32>,
        sources: Input<'_, Self, u32>,
        results: &Self::Array<u32>,
        stride: usize,
        out: &mut Self::Array<u32>,
    ) -> Result<(), DeviceError>;
}
