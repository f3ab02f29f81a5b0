//! `engine info`: the manifest.

use std::io::{self, Write};

use super::Outcome;

/// Print what this engine is made of: its manifest, as JSON
#[derive(clap::Args)]
pub struct Info {}

impl Info {
    pub fn execute(self, manifest: &str) -> Outcome {
        writeln!(io::stdout(), "{}", manifest.trim_end())?;
        Ok(())
    }
}
