//! `engine bench`: tokens a second, beside what the machine could do at most, and where the time of a step goes.

mod report;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use engine_runtime::Recipe;
use engine_runtime::backend::{DeviceLimits, Measure};
use engine_runtime::checkpoint::Fit;
use engine_runtime::engine::{Clock, Engine, Event, Spent};
use engine_runtime::model::Model;
use engine_runtime::request::{Request, SamplingDefaults, SamplingFields, SamplingParams};

use super::Failure;
use super::format::Format;
use super::model::ModelFlags;
use super::sampling::ChoiceFlags;
use report::{Chosen, Report, Step};

/// Measure prefill and decode, the share of the machine's own limits that they reach, and what of a step is not the model
///
/// Tokens are chosen greedily unless --temperature is given; the model's generation_config.json does not count.
#[derive(clap::Args)]
pub struct Bench {
    /// Tokens of each prompt
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    prompt_tokens: u32,
    /// Tokens to generate after the first, for each sequence
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    decode_tokens: u32,
    /// Sequences that run together
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    seqs: u32,
    /// Measurements, of which the median is reported
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    choice: ChoiceFlags,
}

/// One measurement.
#[derive(Clone, Copy)]
struct Timing {
    first_token: Duration,
    prefill: Duration,
    decode: Duration,
    /// Of `decode`.
    steps: u64,
    spent: Spent,
}

/// Where an engine is on its way.
#[derive(Clone, Copy)]
struct Mark {
    at: Duration,
    steps: u64,
    spent: Spent,
}

impl Bench {
    pub fn execute<R: Recipe>(self) -> Result<(), Failure>
    where
        R::Backend: Measure<R::Weights>,
    {
        let checkpoint = self.model.checkpoint()?;
        let fit = R::Model::check(&checkpoint, &self.model.limits::<R>(&checkpoint))?;
        let start = Instant::now();
        let clock = Clock::new(move || start.elapsed());
        let mut engine = self.model.open_untokenized::<R>(&checkpoint, clock)?;
        let load = start.elapsed();

        // The first run touches memory for the first time and wakes the threads.
        self.measure(&mut engine, &fit, 0)?;
        let mut timings = (1..=self.rounds)
            .map(|round| self.measure(&mut engine, &fit, round))
            .collect::<Result<Vec<Timing>, Failure>>()?;
        drop(engine);
        let limits = self.model.device::<R>()?.limits()?;
        let report = self.report::<R>(&fit, limits, load, &mut timings);
        let mut out = io::stdout().lock();
        match self.format {
            Format::Json => writeln!(out, "{}", serde_json::to_string(&report)?)?,
            Format::Text => report.write(&mut out)?,
        }
        Ok(())
    }

    /// Runs `seqs` prompts that share nothing to their ends.
    fn measure<R: Recipe>(
        &self,
        engine: &mut Engine<R>,
        fit: &Fit,
        round: u32,
    ) -> Result<Timing, Failure> {
        for seq in 0..self.seqs {
            let request = Request {
                prompt: prompt(self.prompt_tokens, fit.dims.vocab, round * self.seqs + seq),
                sampling: self.sampling(),
                cache_salt: Some(format!("round {round}, sequence {seq}")),
            };
            let request = engine.validate(request, 0)?;
            engine.submit(request)?;
        }
        let start = Instant::now();
        let mut first_token = None;
        let mut prefilled = None;
        let mut begun = vec![false; self.seqs as usize];
        let first_id = engine.stats().submitted - u64::from(self.seqs);
        while !engine.is_idle() {
            for event in engine.step()? {
                if let Event::Token { id, .. } = event
                    && prefilled.is_none()
                {
                    first_token.get_or_insert_with(|| start.elapsed());
                    if let Some(seen) = usize::try_from(id.0 - first_id)
                        .ok()
                        .and_then(|index| begun.get_mut(index))
                    {
                        *seen = true;
                    }
                }
            }
            if prefilled.is_none() && begun.iter().all(|begun| *begun) {
                prefilled = Some(Mark::of(engine, start));
            }
        }
        let end = Mark::of(engine, start);
        match (first_token, prefilled) {
            (Some(first_token), Some(prefilled)) => Ok(Timing {
                first_token,
                prefill: prefilled.at,
                decode: end.at - prefilled.at,
                steps: end.steps - prefilled.steps,
                spent: Spent {
                    forward: end.spent.forward - prefilled.spent.forward,
                    sampling: end.spent.sampling - prefilled.spent.sampling,
                },
            }),
            _ => Err("the engine finished without a token for every sequence".into()),
        }
    }

    /// The settings of all requests.
    fn sampling(&self) -> SamplingParams {
        let defaults = SamplingDefaults {
            flags: self.choice.fields(),
            model: SamplingFields {
                temperature: Some(0.0),
                seed: Some(0),
                ..SamplingFields::default()
            },
        };
        defaults.complete(SamplingFields {
            max_tokens: Some(self.decode_tokens.saturating_add(1)),
            ignore_eos: Some(true),
            ..SamplingFields::default()
        })
    }

    fn report<R: Recipe>(
        &self,
        fit: &Fit,
        limits: Option<DeviceLimits>,
        load: Duration,
        timings: &mut [Timing],
    ) -> Report {
        let seqs = f64::from(self.seqs);
        let first_token = median(timings, |timing| timing.first_token).first_token;
        let prefill = median(timings, |timing| timing.prefill).prefill;
        let prefill = seqs * f64::from(self.prompt_tokens) / prefill.as_secs_f64();
        let middle = median(timings, |timing| timing.decode);
        let decode = seqs * f64::from(self.decode_tokens) / middle.decode.as_secs_f64();
        let embedding = (fit.dims.vocab * fit.dims.hidden) as u64;
        // A tied embedding is the output matrix too, which a decode step reads whole; an untied one is only looked up.
        let looked_up = if fit.tied { 0 } else { embedding };
        let unread = (looked_up + fit.unmet) as f64;
        // Of experts, what one sequence reads: several together read more.
        let read = fit.memory.weights as f64 * (1.0 - unread / fit.parameters as f64);
        // In prefill only the last row of a prompt meets the output matrix.
        let multiplied = (fit.parameters - looked_up - embedding - fit.unmet) as f64;
        Report {
            profile: R::NAME,
            prompt_tokens: self.prompt_tokens,
            decode_tokens: self.decode_tokens,
            seqs: self.seqs,
            sampling: Chosen::of(&self.sampling()),
            load_s: load.as_secs_f64(),
            time_to_first_token_s: first_token.as_secs_f64(),
            prefill_tokens_per_s: prefill,
            decode_tokens_per_s: decode,
            read_bandwidth_gb_s: limits.map(|limits| limits.read_bandwidth / 1e9),
            dot_peak_gflops: limits.map(|limits| limits.dot_peak / 1e9),
            decode_bandwidth_share: limits
                .map(|limits| read * decode / seqs / limits.read_bandwidth),
            prefill_dot_share: limits.map(|limits| 2.0 * multiplied * prefill / limits.dot_peak),
            step: Step::of(middle.steps, middle.decode, middle.spent),
        }
    }
}

/// The measurement in the middle, of which there is at least one.
fn median(timings: &mut [Timing], of: impl Fn(&Timing) -> Duration) -> Timing {
    timings.sort_by_key(&of);
    timings[timings.len() / 2]
}

impl Mark {
    fn of<R: Recipe>(engine: &Engine<R>, start: Instant) -> Self {
        Self {
            at: start.elapsed(),
            steps: engine.stats().steps,
            spent: engine.spent(),
        }
    }
}

/// Token ids without a pattern, the same in every run (a linear congruential generator, Knuth's constants).
fn prompt(len: u32, vocab: usize, seed: u32) -> Vec<u32> {
    let mut state = u64::from(seed);
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let id = (state >> 33) % vocab.max(1) as u64;
            u32::try_from(id).unwrap_or_default()
        })
        .collect()
}
