//! How a subcommand writes its result.

use clap::ValueEnum;

/// For a person, or for a program.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}
