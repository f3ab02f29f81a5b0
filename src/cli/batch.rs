//! `engine batch`: many requests from a file of JSON lines.

mod desk;
mod line;
mod sink;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use engine_runtime::Recipe;
use engine_runtime::request::{SamplingDefaults, SamplingFields};

use super::Failure;
use super::model::{ModelFlags, progress_bar};
use super::prompt::Prompter;
use super::sampling::SamplingFlags;
use desk::Desk;
use sink::Sink;

/// Answer a file of requests, one JSON object a line, in the order of the file
///
/// A line has `prompt` (text or token ids) or `messages`, any sampling parameter by its vLLM name, and a `custom_id` that
/// comes back with the answer. A request that cannot be answered gets a line with `error`. Parameters that a line leaves
/// open are those of the flags, then of the model's generation_config.json. The same file gives the same answers, however
/// many threads and sequences run: a line without a seed gets one made of --seed and its number. Only a chat template that
/// writes the date makes prompts that differ from day to day.
#[derive(clap::Args)]
pub struct Batch {
    /// Requests; `-` is standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// Where answers go; the file is there only when all of them are [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    sampling: SamplingFlags,
}

impl Batch {
    pub fn execute<R: Recipe>(self) -> Result<(), Failure> {
        let (input, bytes) = open(&self.input)?;
        let checkpoint = self.model.checkpoint()?;
        let prompter = Prompter::open(&self.model.model)?;
        let engine = self.model.open::<R>(&checkpoint, &prompter.tokenizer)?;
        let bar = progress_bar("answering", "bytes");
        bar.set_length(bytes);
        let flags = self.sampling.fields();
        let seed = flags.seed.unwrap_or_default();
        let defaults = SamplingDefaults {
            // As the seed of each line all of them would be alike.
            flags: SamplingFields {
                seed: None,
                ..flags
            },
            model: checkpoint.generation.sampling.clone(),
        };
        let mut desk = Desk::new(engine, prompter, defaults, seed);
        let mut sink = Sink::create(self.out.as_deref())?;
        desk.serve(input, &mut sink, &bar)?;
        sink.finish()?;
        bar.finish_and_clear();
        match desk.failed {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} requests failed", desk.answered()).into()),
        }
    }
}

/// The requests, and how many bytes of them there are where that is known.
fn open(path: &std::path::Path) -> Result<(Box<dyn BufRead>, u64), Failure> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(BufReader::new(io::stdin())), 0));
    }
    let named = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    if metadata.is_dir() {
        return Err(format!("cannot read {}: it is a folder", path.display()).into());
    }
    Ok((Box::new(BufReader::new(file)), metadata.len()))
}
