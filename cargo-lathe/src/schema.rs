//! `cargo lathe schema`: JSON Schema of profiles, for editors.

use std::io::Write;

use clap::Args;

use crate::failure::Failure;
use crate::output::Output;

/// Print the JSON Schema of profiles, for editors.
#[derive(Debug, Args)]
pub struct Schema {}

impl Schema {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        write!(out, "{}", engine_spec::schema::schema())?;
        Ok(())
    }
}
