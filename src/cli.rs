//! The engine's command line, for whatever recipe the leaf was built with.

mod answer;
mod batch;
mod bench;
mod doctor;
mod entropy;
mod format;
mod info;
mod model;
mod prompt;
mod run;
mod sampling;
pub mod startup;
mod verify;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use engine_runtime::Recipe;
use engine_runtime::backend::Measure;
use engine_runtime::legal::Legal;

/// One LLM inference engine, compiled for one deployment.
#[derive(Parser)]
#[command(name = "engine", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Batch(batch::Batch),
    Bench(bench::Bench),
    Info(info::Info),
    Doctor(doctor::Doctor),
    Verify(verify::Verify),
}

/// Ends a subcommand. Libraries name what is wrong in types of their own; here it is only shown.
type Failure = Box<dyn Error>;

/// Runs the command line. Exit status: 0 done, 1 failed with a message on stderr, 2 unusable arguments.
pub fn main<R: Recipe + Legal>(manifest: &str) -> ExitCode
where
    R::Backend: Measure<R::Weights>,
{
    engine_runtime::guard::silence_guarded_panics();
    let outcome = match Arguments::parse().command {
        Command::Run(run) => run.execute::<R>(),
        Command::Batch(batch) => batch.execute::<R>(),
        Command::Bench(bench) => bench.execute::<R>(),
        Command::Info(info) => info.execute::<R>(manifest),
        Command::Doctor(doctor) => doctor.execute::<R>(),
        Command::Verify(verify) => verify.execute::<R>(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough, as in `engine run ... | head`.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An error and its causes in one line, without repeating a cause that the error already quotes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
