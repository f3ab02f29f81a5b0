//! What a step tells the caller.

use std::fmt;
use std::sync::Arc;

use super::{Panicked, RequestId, Times};
use crate::backend::DeviceError;
use crate::parts::TokenLogprobs;

/// Something that happened to one sequence. Its `Token`s come in order, then its `Finished`.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Token {
        id: RequestId,
        /// From 0 to the request's `n`.
        sequence: u32,
        token: u32,
        /// Text that the token made certain; all of them joined are the sequence's text.
        text: String,
        /// Where the request asked for them.
        logprobs: Option<TokenLogprobs>,
    },
    Finished {
        id: RequestId,
        sequence: u32,
        reason: FinishReason,
        prompt_tokens: usize,
        /// Tokens of the prompt that were found in the prefix cache.
        cached_tokens: usize,
        generated_tokens: usize,
        /// Sum of the logprobs of the output, where the request asked for them.
        cumulative_logprob: Option<f64>,
        times: Times,
    },
}

/// Why a sequence is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    Stop(StopReason),
    /// It has `max_tokens` tokens.
    Length,
    /// It was cancelled.
    Abort,
    Error(Failure),
}

/// What ended an output by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// One of the model's end-of-sequence tokens.
    Eos(u32),
    /// One of the request's `stop_token_ids`.
    Token(u32),
    /// One of the request's `stop` strings.
    Text(Arc<str>),
}

/// What went wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("no token can be chosen: the logits hold no number, or every token is banned")]
    NoToken,
    #[error("the engine panicked on this request: {0}")]
    Panicked(Panicked),
    #[error("the device fails on this request: {0}")]
    Device(DeviceError),
}

impl FinishReason {
    /// The name that OpenAI's API and vLLM give it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stop(_) => "stop",
            Self::Length => "length",
            Self::Abort => "abort",
            Self::Error(_) => "error",
        }
    }
}

impl fmt::Display for FinishReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
