//! From a folder to an engine that takes requests.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::RangedU64ValueParser;
use engine_runtime::backend::{Backend, DeviceOptions};
use engine_runtime::checkpoint::Checkpoint;
use engine_runtime::engine::{Budget, Clock, Engine, EngineOptions, Host};
use engine_runtime::model::Model;
use engine_runtime::text::{ByteText, Detokenize};
use engine_runtime::tokenizer::Tokenizer;
use engine_runtime::{Limits, Recipe};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Failure;

/// The model and how to run it.
#[derive(clap::Args)]
pub struct ModelFlags {
    /// Hugging Face folder: config.json, tokenizer.json, model.safetensors
    #[arg(long, value_name = "DIR", default_value = "models/demo")]
    pub model: PathBuf,
    #[command(flatten)]
    threads: ThreadFlag,
    #[command(flatten)]
    limits: LimitFlags,
}

/// How many threads compute.
#[derive(clap::Args)]
pub struct ThreadFlag {
    /// Worker threads [default: one for each core that this process may use]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub threads: Option<usize>,
}

/// Past this a number is a slip of the finger, as in a profile.
const MOST: u64 = 1 << 24;

/// Limits for this run; the profile's are the most that the engine was built for.
#[derive(clap::Args)]
pub struct LimitFlags {
    /// Longest sequence in tokens, prompt and output together [default: the profile's or the model's limit, the lower]
    #[arg(long, value_name = "TOKENS", value_parser = RangedU64ValueParser::<usize>::new().range(1..=MOST))]
    max_model_len: Option<usize>,
    /// Sequences that run at once [default: the profile's limit]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=MOST))]
    max_num_seqs: Option<usize>,
}

impl ModelFlags {
    /// Reads the folder's small files and headers; no weights.
    pub fn checkpoint(&self) -> Result<Checkpoint, Failure> {
        checkpoint(&self.model)
    }

    /// Loads the weights and opens an engine of `R` around them.
    pub fn open<R: Recipe>(
        &self,
        checkpoint: &Checkpoint,
        tokenizer: &Tokenizer,
    ) -> Result<Engine<R>, Failure> {
        let eos = checkpoint.eos_token_ids(tokenizer.eos_token_id());
        let text = Arc::new(tokenizer.clone());
        self.open_with(checkpoint, eos, text, Clock::stopped())
    }

    /// The same with bare tokens, none of which ends a text, and with a clock.
    pub fn open_untokenized<R: Recipe>(
        &self,
        checkpoint: &Checkpoint,
        clock: Clock,
    ) -> Result<Engine<R>, Failure> {
        self.open_with(checkpoint, Vec::new(), Arc::new(ByteText), clock)
    }

    fn open_with<R: Recipe>(
        &self,
        checkpoint: &Checkpoint,
        eos: Vec<u32>,
        text: Arc<dyn Detokenize>,
        clock: Clock,
    ) -> Result<Engine<R>, Failure> {
        let limits = self.limits::<R>(checkpoint);
        let mut device = self.device::<R>()?;
        // Before anything is read: what does not fit must not be found out when the system ends the process.
        let fit = R::Model::check(checkpoint, &limits)?;
        let host = Host {
            threads: device.threads(),
            eos: &eos,
        };
        let budget = Budget::of::<R>(&fit, &limits, host);
        budget.hold(device.free_memory())?;
        let bar = progress_bar("loading", "bytes");
        let model = R::Model::load(&mut device, checkpoint, &limits, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        let options = EngineOptions {
            clock,
            ..EngineOptions::new(budget.limits(), eos, text)
        };
        Ok(Engine::open(device, model, options)?)
    }

    pub fn device<R: Recipe>(&self) -> Result<R::Backend, Failure> {
        Ok(R::Backend::open(&DeviceOptions {
            threads: self.threads.threads,
        })?)
    }

    pub fn limits<R: Recipe>(&self, checkpoint: &Checkpoint) -> Limits {
        self.limits.of::<R>(checkpoint)
    }
}

impl LimitFlags {
    /// The profile's limits, lowered by flags and by a model that tells fewer positions apart.
    pub fn of<R: Recipe>(&self, checkpoint: &Checkpoint) -> Limits {
        let positions = checkpoint.config.max_positions;
        Limits {
            max_model_len: self
                .max_model_len
                .unwrap_or(R::LIMITS.max_model_len.min(positions)),
            max_seqs: self.max_num_seqs.unwrap_or(R::LIMITS.max_seqs),
            ..R::LIMITS
        }
    }
}

/// Opens a model folder, which must be one.
pub fn checkpoint(folder: &Path) -> Result<Checkpoint, Failure> {
    if folder.is_dir() {
        Ok(Checkpoint::open(folder)?)
    } else {
        Err(format!("there is no model folder {}", folder.display()).into())
    }
}

/// A bar on stderr; hidden where nobody watches, and for work that is done before it could be drawn twice.
pub fn progress_bar(what: &'static str, unit: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let counts = match unit {
        "bytes" => "{bytes}/{total_bytes}",
        _ => "{pos}/{len}",
    };
    let style = ProgressStyle::with_template(&format!("{{msg}} [{{wide_bar}}] {counts} {{eta}}"));
    let bar = ProgressBar::with_draw_target(None, target).with_message(what);
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
