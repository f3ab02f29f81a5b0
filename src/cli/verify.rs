//! `engine verify`: does a checkpoint fit this engine?

use std::io::{self, Write};
use std::path::PathBuf;

use engine_runtime::Recipe;
use engine_runtime::checkpoint::Checkpoint;
use engine_runtime::model::Model;

use super::Failure;
use super::prompt::Prompter;

/// Check that a checkpoint fits this engine, and tell in how much memory; reads no weights
#[derive(clap::Args)]
pub struct Verify {
    /// Hugging Face folder
    #[arg(value_name = "DIR")]
    model: PathBuf,
}

impl Verify {
    pub fn execute<R: Recipe>(self) -> Result<(), Failure> {
        let checkpoint = Checkpoint::open(&self.model)?;
        let fit = R::Model::check(&checkpoint)?;
        let prompter = Prompter::open(&self.model)?;
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
