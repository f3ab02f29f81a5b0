//! `cargo lathe docs`: the pages of `docs/` that are made from the tables.
//!
//! They are made here and not in `engine-spec`, which every build of an engine compiles. The committed files are
//! compared with these by a test; `LATHE_BLESS=1` writes them anew.

mod matrix;
pub mod page;
pub mod picture;
pub mod profile;
mod schema;

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::matrix::View;
use crate::output::Output;

/// Print a page of docs/, made from the tables.
#[derive(Debug, Args)]
pub struct Docs {
    #[arg(value_enum)]
    page: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// docs/matrix.md: every verdict, why not, and what proves it.
    Matrix,
    /// docs/matrix.svg: the same as a picture.
    Picture,
    /// docs/profile-reference.md: every key, target and rule.
    Profile,
    /// docs/profile.schema.json: JSON Schema of profiles, for editors.
    Schema,
}

impl Docs {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let text = match self.page {
            Name::Matrix => matrix::matrix(),
            Name::Picture => picture::draw(&View::whole()),
            Name::Profile => profile::profile(),
            Name::Schema => schema::schema(),
        };
        Ok(out.write_all(text.as_bytes())?)
    }
}
