//! The one way from a [`Request`] to something that the engine accepts.

use std::sync::Arc;

use super::bounds::{self, length, refuse, token, within};
use super::{Request, RequestError, RequestRules, SamplingParams};

/// A request whose every field is known to be in range for one engine.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedRequest {
    prompt: Vec<u32>,
    sampling: SamplingParams,
    cache_salt: Option<Arc<str>>,
    max_tokens: usize,
    seed: u64,
    rules: RequestRules,
}

impl ValidatedRequest {
    /// Holds `request` against `rules`. `entropy` becomes the seed of a request that brings none; the caller draws
    /// it, because the engine itself holds no source of randomness.
    ///
    /// # Errors
    /// Names the first field that is out of range, means nothing, or needs a feature that is not compiled in.
    pub fn new(request: Request, rules: &RequestRules, entropy: u64) -> Result<Self, RequestError> {
        let Request {
            prompt,
            sampling,
            cache_salt,
        } = request;
        check_prompt(&prompt, rules)?;
        check_distribution(&sampling)?;
        check_penalties(&sampling, rules)?;
        check_stops(&sampling, rules)?;
        check_logprobs(&sampling, rules)?;
        let max_tokens = check_lengths(&sampling, prompt.len(), rules)?;
        within("n", &sampling.n, &bounds::N)?;
        if let Some(salt) = &cache_salt {
            length("cache_salt", salt.len(), &bounds::CACHE_SALT_BYTES, "bytes")?;
        }
        Ok(Self {
            seed: sampling.seed.unwrap_or(entropy),
            cache_salt: cache_salt.map(Arc::from),
            max_tokens,
            prompt,
            sampling,
            rules: rules.clone(),
        })
    }

    /// Token ids below the vocabulary's size; at least one.
    pub fn prompt(&self) -> &[u32] {
        &self.prompt
    }

    /// Settings whose every value is in range for the engine.
    pub fn sampling(&self) -> &SamplingParams {
        &self.sampling
    }

    pub fn cache_salt(&self) -> Option<&Arc<str>> {
        self.cache_salt.as_ref()
    }

    /// Tokens to generate at most, in each sequence; at least 1.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The request's own seed, or the entropy that came with it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The model's end-of-sequence tokens, unless the request ignores them.
    pub(crate) fn eos(&self) -> Arc<[u32]> {
        if self.sampling.ignore_eos {
            Arc::new([])
        } else {
            self.rules.eos.clone()
        }
    }

    pub(crate) fn rules(&self) -> &RequestRules {
        &self.rules
    }
}

fn check_prompt(prompt: &[u32], rules: &RequestRules) -> Result<(), RequestError> {
    let longest = rules.longest().0;
    length("prompt", prompt.len(), &(1..=longest), "tokens")?;
    prompt
        .iter()
        .try_for_each(|&id| token("prompt", id, rules.vocab))
}

fn check_distribution(sampling: &SamplingParams) -> Result<(), RequestError> {
    let temperature = sampling.temperature;
    if temperature != 0.0 && !bounds::TEMPERATURE.contains(&temperature) {
        let (low, high) = (bounds::TEMPERATURE.start(), bounds::TEMPERATURE.end());
        let allowed = format!("0, or {low} to {high}");
        return Err(refuse("temperature", temperature, allowed));
    }
    if !(sampling.top_p > 0.0 && sampling.top_p <= 1.0) {
        let allowed = "above 0, and at most 1".to_owned();
        return Err(refuse("top_p", sampling.top_p, allowed));
    }
    within("min_p", &sampling.min_p, &bounds::MIN_P)
}

fn check_penalties(sampling: &SamplingParams, rules: &RequestRules) -> Result<(), RequestError> {
    within(
        "repetition_penalty",
        &sampling.repetition_penalty,
        &bounds::REPETITION_PENALTY,
    )?;
    within(
        "presence_penalty",
        &sampling.presence_penalty,
        &bounds::PRESENCE_PENALTY,
    )?;
    within(
        "frequency_penalty",
        &sampling.frequency_penalty,
        &bounds::FREQUENCY_PENALTY,
    )?;
    let bias = &sampling.logit_bias;
    length(
        "logit_bias",
        bias.len(),
        &bounds::LOGIT_BIAS_ENTRIES,
        "entries",
    )?;
    bias.iter().try_for_each(|(&id, value)| {
        token("logit_bias", id, rules.vocab)?;
        within("logit_bias", value, &bounds::LOGIT_BIAS)
    })
}

fn check_stops(sampling: &SamplingParams, rules: &RequestRules) -> Result<(), RequestError> {
    length(
        "stop",
        sampling.stop.len(),
        &bounds::STOP_STRINGS,
        "strings",
    )?;
    for stop in &sampling.stop {
        length("stop", stop.len(), &bounds::STOP_STRING_BYTES, "bytes")?;
    }
    let tokens = &sampling.stop_token_ids;
    length(
        "stop_token_ids",
        tokens.len(),
        &bounds::STOP_TOKENS,
        "tokens",
    )?;
    tokens
        .iter()
        .try_for_each(|&id| token("stop_token_ids", id, rules.vocab))
}

fn check_logprobs(sampling: &SamplingParams, rules: &RequestRules) -> Result<(), RequestError> {
    match (sampling.logprobs, rules.max_logprobs) {
        (Some(wanted), Some(max)) => {
            let vocab = u32::try_from(rules.vocab).unwrap_or(u32::MAX);
            within("logprobs", &wanted, &(0..=max.min(vocab)))
        }
        (Some(wanted), None) => Err(RequestError::NotBuilt {
            field: "logprobs",
            value: wanted.to_string(),
            profile: rules.profile,
            feature: "logprobs",
            line: "logprobs = { max = 20 }",
        }),
        (None, _) if sampling.processed_logprobs => Err(RequestError::Meaningless {
            field: "processed_logprobs",
            value: "true".to_owned(),
            needs: "`logprobs`",
        }),
        (None, _) => Ok(()),
    }
}

fn check_lengths(
    sampling: &SamplingParams,
    prompt: usize,
    rules: &RequestRules,
) -> Result<usize, RequestError> {
    if sampling.max_tokens == Some(0) {
        return Err(refuse("max_tokens", 0, "1 or more".to_owned()));
    }
    let max_tokens = rules.max_tokens(prompt, sampling)?;
    if sampling.min_tokens as usize > max_tokens {
        let allowed = format!("0 to {max_tokens}, the number of tokens that may be generated");
        return Err(refuse("min_tokens", sampling.min_tokens, allowed));
    }
    Ok(max_tokens)
}
