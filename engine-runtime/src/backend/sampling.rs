//! What the sampler's ops take: settings of a row, tokens it has seen, edits of its logits.

use super::{Backend, Input};
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
    /// This row's part of [`SamplingTable::seen`].
    pub seen_start: u32,
    pub seen_end: u32,
    /// This row's part of [`SamplingTable::edits`].
    pub edits_start: u32,
    pub edits_end: u32,
    /// Candidates to report beside the chosen token.
    pub top_logprobs: u32,
    /// 1: report logprobs of the processed scores; 0: of the model's raw logits.
    pub processed_logprobs: u32,
}

impl Element for SamplingRow {}

/// A token seen in a row's prompt or output; `count` is how often in the output alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct SeenToken {
    pub token: u32,
    pub count: u32,
}

impl Element for SeenToken {}

/// A bias added to one token's logit; minus infinity bans it.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct LogitEdit {
    pub token: u32,
    pub bias: f32,
}

impl Element for LogitEdit {}

/// The sampling settings of a batch, in device memory.
pub struct SamplingTable<'a, B: Backend> {
    /// `[rows]`
    pub rows: Input<'a, B, SamplingRow>,
    pub seen: Input<'a, B, SeenToken>,
    pub edits: Input<'a, B, LogitEdit>,
}

/// In place of a token: the row's scores hold no number that can be chosen (all NaN or all banned).
pub const NO_TOKEN: u32 = u32::MAX;
