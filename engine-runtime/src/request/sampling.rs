//! Sampling settings as somebody states them, and where the open ones come from.
//!
//! The order is vLLM's: the request, then the flags of the command line, then the model's `generation_config.json`, then
//! the engine's defaults, which are OpenAI's.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::bounds::refuse;
use super::{Fields, RequestError, SamplingParams};

/// Settings of [`SamplingParams`]; `None` is open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SamplingFields {
    pub n: Option<u32>,
    pub temperature: Option<f32>,
    pub top_k: Option<u32>,
    pub top_p: Option<f32>,
    pub min_p: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub presence_penalty: Option<f32>,
    pub frequency_penalty: Option<f32>,
    pub logit_bias: Option<BTreeMap<u32, f32>>,
    pub min_tokens: Option<u32>,
    pub max_tokens: Option<u32>,
    pub stop: Option<Vec<String>>,
    pub stop_token_ids: Option<Vec<u32>>,
    pub include_stop_str_in_output: Option<bool>,
    pub ignore_eos: Option<bool>,
    pub seed: Option<u64>,
    pub logprobs: Option<u32>,
    pub processed_logprobs: Option<bool>,
    pub skip_special_tokens: Option<bool>,
}

/// What settings that a request leaves open are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SamplingDefaults {
    /// Of the command line; they win over the model's.
    pub flags: SamplingFields,
    /// Of the model's makers.
    pub model: SamplingFields,
}

impl SamplingDefaults {
    /// The settings of a request that states `request`. Its own `max_tokens` must fit beside the prompt, that of a
    /// default is cut to what fits.
    pub fn complete(&self, request: SamplingFields) -> SamplingParams {
        let engine = SamplingParams::default();
        let max_tokens = request.max_tokens;
        let defaults = self.flags.clone().or(self.model.clone());
        let default_max_tokens = defaults.max_tokens;
        let all = request.or(defaults);
        SamplingParams {
            n: all.n.unwrap_or(engine.n),
            temperature: all.temperature.unwrap_or(engine.temperature),
            top_k: all.top_k.unwrap_or(engine.top_k),
            top_p: all.top_p.unwrap_or(engine.top_p),
            min_p: all.min_p.unwrap_or(engine.min_p),
            repetition_penalty: all.repetition_penalty.unwrap_or(engine.repetition_penalty),
            presence_penalty: all.presence_penalty.unwrap_or(engine.presence_penalty),
            frequency_penalty: all.frequency_penalty.unwrap_or(engine.frequency_penalty),
            logit_bias: all.logit_bias.unwrap_or(engine.logit_bias),
            min_tokens: all.min_tokens.unwrap_or(engine.min_tokens),
            max_tokens,
            default_max_tokens,
            stop: all.stop.unwrap_or(engine.stop),
            stop_token_ids: all.stop_token_ids.unwrap_or(engine.stop_token_ids),
            include_stop_str_in_output: all
                .include_stop_str_in_output
                .unwrap_or(engine.include_stop_str_in_output),
            ignore_eos: all.ignore_eos.unwrap_or(engine.ignore_eos),
            seed: all.seed.or(engine.seed),
            logprobs: all.logprobs.or(engine.logprobs),
            processed_logprobs: all.processed_logprobs.unwrap_or(engine.processed_logprobs),
            skip_special_tokens: all
                .skip_special_tokens
                .unwrap_or(engine.skip_special_tokens),
        }
    }
}

impl SamplingFields {
    /// What is open here, from `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            n: self.n.or(other.n),
            temperature: self.temperature.or(other.temperature),
            top_k: self.top_k.or(other.top_k),
            top_p: self.top_p.or(other.top_p),
            min_p: self.min_p.or(other.min_p),
            repetition_penalty: self.repetition_penalty.or(other.repetition_penalty),
            presence_penalty: self.presence_penalty.or(other.presence_penalty),
            frequency_penalty: self.frequency_penalty.or(other.frequency_penalty),
            logit_bias: self.logit_bias.or(other.logit_bias),
            min_tokens: self.min_tokens.or(other.min_tokens),
            max_tokens: self.max_tokens.or(other.max_tokens),
            stop: self.stop.or(other.stop),
            stop_token_ids: self.stop_token_ids.or(other.stop_token_ids),
            include_stop_str_in_output: self
                .include_stop_str_in_output
                .or(other.include_stop_str_in_output),
            ignore_eos: self.ignore_eos.or(other.ignore_eos),
            seed: self.seed.or(other.seed),
            logprobs: self.logprobs.or(other.logprobs),
            processed_logprobs: self.processed_logprobs.or(other.processed_logprobs),
            skip_special_tokens: self.skip_special_tokens.or(other.skip_special_tokens),
        }
    }

    /// Takes the settings of a request in JSON, in any of the ways that clients of OpenAI's API and of vLLM write them.
    pub fn take(fields: &mut Fields) -> Result<Self, RequestError> {
        let sampling = Self {
            n: fields.take("n")?,
            temperature: fields.take("temperature")?,
            top_k: top_k(fields)?,
            top_p: fields.take("top_p")?,
            min_p: fields.take("min_p")?,
            repetition_penalty: fields.take("repetition_penalty")?,
            presence_penalty: fields.take("presence_penalty")?,
            frequency_penalty: fields.take("frequency_penalty")?,
            logit_bias: fields.take("logit_bias")?,
            min_tokens: fields.take("min_tokens")?,
            max_tokens: max_tokens(fields)?,
            stop: fields.take::<Stop>("stop")?.map(Stop::into_list),
            stop_token_ids: fields.take("stop_token_ids")?,
            include_stop_str_in_output: fields.take("include_stop_str_in_output")?,
            ignore_eos: fields.take("ignore_eos")?,
            seed: seed(fields)?,
            logprobs: logprobs(fields)?,
            processed_logprobs: fields.take("processed_logprobs")?,
            skip_special_tokens: fields.take("skip_special_tokens")?,
        };
        // vLLM's older name for choosing the best of several; all of `n` come back here.
        let best_of = fields.take::<u32>("best_of")?;
        match best_of.filter(|&best_of| best_of != sampling.n.unwrap_or(1)) {
            Some(best_of) => Err(refuse("best_of", best_of, "the same as `n`".to_owned())),
            None => Ok(sampling),
        }
    }
}

/// -1 is all, as 0 is.
fn top_k(fields: &mut Fields) -> Result<Option<u32>, RequestError> {
    let Some(top_k) = fields.take::<i64>("top_k")? else {
        return Ok(None);
    };
    match u32::try_from(top_k.max(0)) {
        Ok(count) if top_k >= -1 => Ok(Some(count)),
        _ => {
            let allowed = format!("1 to {}, or 0 or -1 for all", u32::MAX);
            Err(refuse("top_k", top_k, allowed))
        }
    }
}

/// OpenAI has renamed it for chats.
fn max_tokens(fields: &mut Fields) -> Result<Option<u32>, RequestError> {
    let names = ["max_tokens", "max_completion_tokens"];
    let [old, new] = names.map(|name| fields.take::<u32>(name));
    match (old?, new?) {
        (Some(old), Some(new)) if old != new => Err(RequestError::Both {
            first: "max_tokens",
            second: "max_completion_tokens",
        }),
        (old, new) => Ok(old.or(new)),
    }
}

/// -1 is a random one, as for vLLM.
fn seed(fields: &mut Fields) -> Result<Option<u64>, RequestError> {
    let Some(seed) = fields.take::<serde_json::Number>("seed")? else {
        return Ok(None);
    };
    match (seed.as_u64(), seed.as_i64()) {
        (Some(seed), _) => Ok(Some(seed)),
        (None, Some(-1)) => Ok(None),
        _ => {
            let allowed = format!(
                "a whole number from 0 to {}, or -1 for a random one",
                u64::MAX
            );
            Err(refuse("seed", seed, allowed))
        }
    }
}

/// A count, or for chats whether to report them and `top_logprobs` of how many candidates.
fn logprobs(fields: &mut Fields) -> Result<Option<u32>, RequestError> {
    let logprobs = fields.take::<Logprobs>("logprobs")?;
    let top = fields.take::<u32>("top_logprobs")?;
    match (logprobs, top) {
        (Some(Logprobs::Count(count)), None) => Ok(Some(count)),
        (Some(Logprobs::Report(true)), top) => Ok(Some(top.unwrap_or(0))),
        (None | Some(Logprobs::Report(false)), None | Some(0)) => Ok(None),
        (_, top) => Err(RequestError::Meaningless {
            field: "top_logprobs",
            value: top.unwrap_or_default().to_string(),
            needs: "`logprobs: true`",
        }),
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected true, false, or how many candidates")]
enum Logprobs {
    Report(bool),
    Count(u32),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
enum Stop {
    One(String),
    List(Vec<String>),
}

impl Stop {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::One(stop) => vec![stop],
            Self::List(stops) => stops,
        }
    }
}
