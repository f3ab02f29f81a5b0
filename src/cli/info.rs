//! `engine info`: the manifest.

use std::io::{self, Write};

use super::Failure;

/// Print what this engine is made of: its manifest, as JSON
#[derive(clap::Args)]
pub struct Info {}

impl Info {
    pub fn execute(self, manifest: &str) -> Result<(), Failure> {
        writeln!(io::stdout(), "{}", manifest.trim_end())?;
        Ok(())
    }
}
