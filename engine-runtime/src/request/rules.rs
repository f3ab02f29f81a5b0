//! What an engine allows, apart from the engine, so that a server can validate on any thread.

use std::sync::Arc;

use super::{RequestError, SamplingParams};

/// The facts of one engine that its requests are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRules {
    /// Name of the profile, for messages.
    pub profile: &'static str,
    /// Token ids are below this.
    pub vocab: usize,
    /// Longest sequence, prompt and output together, in tokens.
    pub max_model_len: usize,
    /// Positions in the whole KV cache.
    pub cache_positions: usize,
    /// The most candidates of a `logprobs` request; `None` when the engine was built without them.
    pub max_logprobs: Option<u32>,
    /// The model's end-of-sequence tokens.
    pub eos: Arc<[u32]>,
}

impl RequestRules {
    /// Tokens of the longest sequence that can ever run, and the name of what limits it. The last token's keys and
    /// values are never needed, so the cache need not hold it.
    pub fn longest(&self) -> (usize, &'static str) {
        if self.cache_positions < self.max_model_len {
            (self.cache_positions + 1, "the size of the KV cache")
        } else {
            (self.max_model_len, "max_model_len")
        }
    }

    /// The number of tokens that a request may generate: its own wish, which must fit, else the default, cut to what
    /// fits, else all that fit.
    pub(super) fn max_tokens(
        &self,
        prompt: usize,
        sampling: &SamplingParams,
    ) -> Result<usize, RequestError> {
        let (available, limit) = self.longest();
        let room = available.saturating_sub(prompt);
        let max_tokens = match (sampling.max_tokens, sampling.default_max_tokens) {
            (Some(wanted), _) => wanted as usize,
            (None, Some(default)) => room.min(default as usize).max(1),
            (None, None) => room.max(1),
        };
        if max_tokens <= room {
            Ok(max_tokens)
        } else {
            Err(RequestError::NeverFits {
                prompt,
                max_tokens,
                available,
                limit,
            })
        }
    }
}
