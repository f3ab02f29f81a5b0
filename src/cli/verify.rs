//! `engine verify`: does a checkpoint fit this engine?

use std::io::{self, Write};
use std::path::PathBuf;

use engine_runtime::Recipe;
use engine_runtime::model::Model;

use super::Failure;
use super::model::{LimitFlags, checkpoint};
use super::prompt::Prompter;

/// Check that a checkpoint fits this engine, and tell in how much memory; reads no weights
#[derive(clap::Args)]
pub struct Verify {
    /// Hugging Face folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    limits: LimitFlags,
}

impl Verify {
    pub fn execute<R: Recipe>(self) -> Result<(), Failure> {
        let checkpoint = checkpoint(&self.folder)?;
        let limits = self.limits.of::<R>(&checkpoint);
        let fit = R::Model::check(&checkpoint, &limits)?;
        let prompter = Prompter::open(&self.folder)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{fit}")?;
        writeln!(
            out,
            "tokenizer      {} tokens, {}",
            prompter.tokenizer.vocab_size(),
            if prompter.has_template() {
                "with a chat template"
            } else {
                "without a chat template: use `run --raw`"
            }
        )?;
        writeln!(out, "fits           engine `{}`", R::NAME)?;
        Ok(())
    }
}
