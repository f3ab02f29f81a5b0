//! `cargo lathe expand`: the Rust that `engine!` generates for a profile.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use engine_spec::codegen;
use proc_macro2::{Ident, Span};

use crate::failure::Failure;
use crate::output::Output;
use crate::profile;

/// Show the Rust that a profile becomes.
#[derive(Debug, Args)]
pub struct Expand {
    profile: PathBuf,
    /// The manifest too, as the bytes that are embedded.
    #[arg(long)]
    manifest: bool,
}

impl Expand {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let plan = profile::preview(&self.profile)?;
        let build = Ident::new("Build", Span::call_site());
        let path = self.profile.display().to_string();
        let tokens = match self.manifest {
            true => codegen::engine(&plan, &build, &path),
            false => codegen::recipe(&plan, &build, &path),
        };
        let file = syn::parse2(tokens).map_err(|error| Failure::Generated { error })?;
        out.write_all(prettyplease::unparse(&file).as_bytes())?;
        Ok(())
    }
}
