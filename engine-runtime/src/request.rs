//! Requests: as they arrive, and as the engine accepts them.
//!
//! [`ValidatedRequest`] is the only thing that [`Engine::submit`](crate::engine::Engine::submit) takes, and
//! [`ValidatedRequest::new`] the only way to one, so whatever runs inside the engine need not doubt its settings.
//!
//! A client's JSON is read by [`Fields`], into [`SamplingFields`] in which everything may be open;
//! [`SamplingDefaults`] closes them.

mod bounds;
mod error;
mod fields;
mod openai;
mod rules;
mod sampling;
mod validate;

pub use error::RequestError;
pub use fields::Fields;
pub use openai::take_without_effect;
pub use rules::RequestRules;
pub use sampling::{SamplingDefaults, SamplingFields};
pub use validate::ValidatedRequest;

use std::collections::BTreeMap;

/// A request as it arrives: nothing in it has been checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Token ids of the prompt.
    pub prompt: Vec<u32>,
    pub sampling: SamplingParams,
    /// Requests share cached prefixes only with requests of the same salt.
    pub cache_salt: Option<String>,
}

/// How to choose tokens and when to stop, with nothing left open; names and meanings as in OpenAI's API and vLLM.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// Sequences to generate from this prompt.
    pub n: u32,
    /// 0 is greedy.
    pub temperature: f32,
    /// Keep this many of the likeliest tokens; 0 keeps all. Never more: of equal logits at the edge the lowest ids stay,
    /// where vLLM keeps all that equal the last. `top_p` cuts between equal ones in the same way.
    pub top_k: u32,
    /// Keep the likeliest tokens that together reach this probability; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens of at least this share of the largest probability; 0 keeps all.
    pub min_p: f32,
    /// Divides the logits of tokens seen in prompt or output; 1 is neutral.
    pub repetition_penalty: f32,
    /// Subtracted from the logits of tokens seen in the output; 0 is neutral.
    pub presence_penalty: f32,
    /// Subtracted once for each occurrence in the output; 0 is neutral.
    pub frequency_penalty: f32,
    /// Added to the logits of these token ids.
    pub logit_bias: BTreeMap<u32, f32>,
    /// This many tokens come before any stop: no stop token is chosen, and no stop string counts in their text.
    pub min_tokens: u32,
    /// Tokens to generate at most, which must fit beside the prompt; `None` is as many as fit.
    pub max_tokens: Option<u32>,
    /// The same where `max_tokens` is open, from somebody who does not know the prompt: as many of them as fit.
    pub default_max_tokens: Option<u32>,
    /// Texts that end the output.
    pub stop: Vec<String>,
    /// Tokens that end the output, beside the model's own.
    pub stop_token_ids: Vec<u32>,
    pub include_stop_str_in_output: bool,
    /// Go on after the model's end-of-sequence tokens.
    pub ignore_eos: bool,
    pub seed: Option<u64>,
    /// Report the chosen token's logprob, and those of this many candidates.
    pub logprobs: Option<u32>,
    /// Report logprobs after penalties, temperature and truncation, not the model's own.
    pub processed_logprobs: bool,
    pub skip_special_tokens: bool,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            n: 1,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: BTreeMap::new(),
            min_tokens: 0,
            max_tokens: None,
            default_max_tokens: None,
            stop: Vec::new(),
            stop_token_ids: Vec::new(),
            include_stop_str_in_output: false,
            ignore_eos: false,
            seed: None,
            logprobs: None,
            processed_logprobs: false,
            skip_special_tokens: true,
        }
    }
}

#[cfg(test)]
mod tests;
