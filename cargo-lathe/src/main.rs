//! `cargo lathe`: everything about profiles that can be done without building an engine, and building them.
//!
//! One file for each subcommand. What is known and decided comes from `engine-spec`; this crate asks and shows.
#![forbid(unsafe_code)]

mod build;
mod check;
mod diff;
mod docs;
mod expand;
mod explain;
mod failure;
mod init;
mod inspect;
mod matrix;
mod output;
mod paint;
mod plan;
mod profile;
mod target;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::output::{Color, Output};

/// Profiles of LLM inference engines: check, explain, plan, build.
#[derive(Debug, Parser)]
#[command(name = "cargo lathe", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When to write colours.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Explain(explain::Explain),
    Matrix(matrix::Matrix),
    Plan(plan::PlanCommand),
    Expand(expand::Expand),
    Diff(diff::Diff),
    Build(build::Build),
    Inspect(inspect::Inspect),
    Init(init::Init),
    Docs(docs::Docs),
}

fn main() -> ExitCode {
    let cli = Cli::parse_from(arguments());
    cli.color.apply();
    let mut out = Output::stdout();
    let result = cli.command.run(&mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Command {
    fn run(&self, out: &mut Output) -> Result<(), Failure> {
        match self {
            Command::Check(check) => check.run(out),
            Command::Explain(explain) => explain.run(out),
            Command::Matrix(matrix) => matrix.run(out),
            Command::Plan(plan) => plan.run(out),
            Command::Expand(expand) => expand.run(out),
            Command::Diff(diff) => diff.run(out),
            Command::Build(build) => build.run(out),
            Command::Init(init) => init.run(out),
            Command::Inspect(inspect) => inspect.run(out),
            Command::Docs(docs) => docs.run(out),
        }
    }
}

/// The arguments, without the `lathe` that cargo puts in front when it finds this program on the path.
fn arguments() -> impl Iterator<Item = std::ffi::OsString> {
    let mut seen = 0;
    std::env::args_os().filter(move |argument| {
        seen += 1;
        !(seen == 2 && argument == "lathe")
    })
}
