//! Sampling settings as flags.

use engine_runtime::request::SamplingFields;

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
    #[command(flatten)]
    choice: ChoiceFlags,
    /// End the output at this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Go on after the model's end of sequence
    #[arg(long)]
    ignore_eos: bool,
    /// Sequences to generate
    #[arg(short, long)]
    n: Option<u32>,
}

/// Those of them that say how a token is chosen, and what is reported of it.
#[derive(clap::Args)]
pub struct ChoiceFlags {
    /// 0 always takes the likeliest token
    #[arg(long, allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Choose among this many of the likeliest tokens; 0 or -1 is all
    #[arg(long, allow_negative_numbers = true, value_parser = top_k)]
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
    /// Report the logprob of each token and of this many candidates
    #[arg(long, value_name = "N")]
    logprobs: Option<u32>,
}

impl SamplingFlags {
    /// What was given; the rest is open.
    pub fn fields(self) -> SamplingFields {
        SamplingFields {
            max_tokens: self.max_tokens,
            min_tokens: self.min_tokens,
            stop: (!self.stop.is_empty()).then_some(self.stop),
            ignore_eos: self.ignore_eos.then_some(true),
            n: self.n,
            ..self.choice.fields()
        }
    }
}

impl ChoiceFlags {
    /// What was given; the rest is open.
    pub fn fields(&self) -> SamplingFields {
        SamplingFields {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            seed: self.seed,
            logprobs: self.logprobs,
            ..SamplingFields::default()
        }
    }
}

/// -1 is all, as 0 is.
fn top_k(text: &str) -> Result<u32, String> {
    match text {
        "-1" => Ok(0),
        _ => text
            .parse()
            .map_err(|_| "allowed is a whole number, or 0 or -1 for all".to_owned()),
    }
}
