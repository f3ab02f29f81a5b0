//! What a measurement says, as text and as JSON.

use std::io::{self, Write};
use std::time::Duration;

use engine_runtime::engine::Spent;
use engine_runtime::request::SamplingParams;
use serde::Serialize;

/// What was measured; shares are of the machine's own limits, measured in the same run.
#[derive(Serialize)]
pub(super) struct Report {
    pub profile: &'static str,
    pub prompt_tokens: u32,
    pub decode_tokens: u32,
    pub seqs: u32,
    pub sampling: Chosen,
    pub load_s: f64,
    pub time_to_first_token_s: f64,
    pub prefill_tokens_per_s: f64,
    pub decode_tokens_per_s: f64,
    pub read_bandwidth_gb_s: Option<f64>,
    pub dot_peak_gflops: Option<f64>,
    /// Bytes of weights that decoding reads in a second, against the bandwidth.
    pub decode_bandwidth_share: Option<f64>,
    /// Operations of the weight matrices in prefill, against the peak.
    pub prefill_dot_share: Option<f64>,
    #[serde(flatten)]
    pub step: Step,
}

/// How tokens were chosen.
#[derive(Serialize)]
pub(super) struct Chosen {
    temperature: f32,
    top_k: u32,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    presence_penalty: f32,
    frequency_penalty: f32,
    logprobs: Option<u32>,
    seed: Option<u64>,
}

/// The mean decode step, in milliseconds, and what it is made of: the model, the choice of tokens with their logprobs,
/// and the host, which is the rest.
#[derive(Serialize)]
pub(super) struct Step {
    decode_step_ms: f64,
    decode_forward_ms: f64,
    decode_sampling_ms: f64,
    decode_host_ms: f64,
    decode_forward_share: f64,
    decode_sampling_share: f64,
    decode_host_share: f64,
}

impl Chosen {
    pub fn of(sampling: &SamplingParams) -> Self {
        Self {
            temperature: sampling.temperature,
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            min_p: sampling.min_p,
            repetition_penalty: sampling.repetition_penalty,
            presence_penalty: sampling.presence_penalty,
            frequency_penalty: sampling.frequency_penalty,
            logprobs: sampling.logprobs,
            seed: sampling.seed,
        }
    }
}

impl Step {
    /// Of `steps` that took `all` together.
    pub fn of(steps: u64, all: Duration, spent: Spent) -> Self {
        let host = all.saturating_sub(spent.forward + spent.sampling);
        let ms = |time: Duration| 1e3 * time.as_secs_f64() / steps as f64;
        let share = |time: Duration| time.as_secs_f64() / all.as_secs_f64();
        Self {
            decode_step_ms: ms(all),
            decode_forward_ms: ms(spent.forward),
            decode_sampling_ms: ms(spent.sampling),
            decode_host_ms: ms(host),
            decode_forward_share: share(spent.forward),
            decode_sampling_share: share(spent.sampling),
            decode_host_share: share(host),
        }
    }
}

impl Report {
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self {
            prompt_tokens,
            decode_tokens,
            seqs,
            ..
        } = self;
        writeln!(
            out,
            "engine `{}`: {seqs} x ({prompt_tokens} prompt + {decode_tokens} decoded tokens), loaded in {:.2} s",
            self.profile, self.load_s
        )?;
        let share = |share: Option<f64>, of: &str| {
            share.map_or_else(String::new, |share| {
                format!("   {:.0} % of {of}", 100.0 * share)
            })
        };
        writeln!(
            out,
            "prefill       {:10.1} tokens/s{}",
            self.prefill_tokens_per_s,
            share(self.prefill_dot_share, "the dot-product peak")
        )?;
        writeln!(
            out,
            "decode        {:10.1} tokens/s{}",
            self.decode_tokens_per_s,
            share(self.decode_bandwidth_share, "the read bandwidth")
        )?;
        let step = &self.step;
        writeln!(out, "decode step   {:10.3} ms", step.decode_step_ms)?;
        for (part, ms, share) in [
            ("forward", step.decode_forward_ms, step.decode_forward_share),
            (
                "sampling",
                step.decode_sampling_ms,
                step.decode_sampling_share,
            ),
            ("host", step.decode_host_ms, step.decode_host_share),
        ] {
            writeln!(
                out,
                "  {part:<11} {ms:10.3} ms   {:.1} % of it",
                100.0 * share
            )?;
        }
        writeln!(
            out,
            "first token   {:10.1} ms",
            1e3 * self.time_to_first_token_s
        )?;
        if let (Some(bandwidth), Some(peak)) = (self.read_bandwidth_gb_s, self.dot_peak_gflops) {
            writeln!(
                out,
                "machine       {bandwidth:10.1} GB/s read, {peak:.0} GFLOP/s dot products, measured now"
            )?;
        }
        Ok(())
    }
}
