//! Sampling settings: the model's own defaults, then what the user says.

use engine_runtime::checkpoint::GenerationConfig;
use engine_runtime::request::SamplingParams;

/// Flags with the names and meanings of vLLM's sampling parameters. What is not given is left to the model's
/// generation_config.json, then to OpenAI's defaults.
#[derive(clap::Args)]
pub struct SamplingFlags {
    /// Tokens to generate at most [default: as many as fit]
    #[arg(long)]
    max_tokens: Option<u32>,
    /// Keep going at least this long
    #[arg(long)]
    min_tokens: Option<u32>,
    /// 0 always takes the likeliest token
    #[arg(long, allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Choose among this many of the likeliest tokens; 0 is all
    #[arg(long)]
    top_k: Option<u32>,
    /// Choose among the likeliest tokens that together reach this probability
    #[arg(long, allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Choose among tokens of at least this share of the largest probability
    #[arg(long, allow_negative_numbers = true)]
    min_p: Option<f32>,
    #[arg(long, allow_negative_numbers = true)]
    repetition_penalty: Option<f32>,
    #[arg(long, allow_negative_numbers = true)]
    presence_penalty: Option<f32>,
    #[arg(long, allow_negative_numbers = true)]
    frequency_penalty: Option<f32>,
    /// Makes sampling repeatable
    #[arg(long)]
    seed: Option<u64>,
    /// End the output at this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Go on after the model's end of sequence
    #[arg(long)]
    ignore_eos: bool,
    /// Report the logprob of each token and of this many candidates
    #[arg(long, value_name = "N")]
    logprobs: Option<u32>,
    /// Sequences to generate
    #[arg(short, long)]
    n: Option<u32>,
}

impl SamplingFlags {
    /// `defaults` with the flags that were given.
    pub fn over(self, defaults: SamplingParams) -> SamplingParams {
        SamplingParams {
            max_tokens: self.max_tokens.or(defaults.max_tokens),
            min_tokens: self.min_tokens.unwrap_or(defaults.min_tokens),
            temperature: self.temperature.unwrap_or(defaults.temperature),
            top_k: self.top_k.unwrap_or(defaults.top_k),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            min_p: self.min_p.unwrap_or(defaults.min_p),
            repetition_penalty: self
                .repetition_penalty
                .unwrap_or(defaults.repetition_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(defaults.presence_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(defaults.frequency_penalty),
            seed: self.seed.or(defaults.seed),
            stop: self.stop,
            ignore_eos: self.ignore_eos,
            logprobs: self.logprobs,
            n: self.n.unwrap_or(defaults.n),
            ..defaults
        }
    }
}

/// The settings that the model's makers chose, as vLLM takes them from generation_config.json.
pub fn model_defaults(config: &GenerationConfig) -> SamplingParams {
    let open = SamplingParams::default();
    let temperature = match config.do_sample {
        Some(false) => 0.0,
        _ => config.temperature.unwrap_or(open.temperature),
    };
    SamplingParams {
        temperature,
        top_k: config.top_k.unwrap_or(open.top_k),
        top_p: config.top_p.unwrap_or(open.top_p),
        min_p: config.min_p.unwrap_or(open.min_p),
        repetition_penalty: config.repetition_penalty.unwrap_or(open.repetition_penalty),
        max_tokens: config
            .max_new_tokens
            .and_then(|tokens| u32::try_from(tokens).ok()),
        ..open
    }
}
