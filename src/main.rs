//! The engine: the profile of this build, bound to a command line.

mod cli;

engine_macros::engine! {
    struct Build;
}

fn main() -> std::process::ExitCode {
    cli::main::<Build>(Build::manifest())
}
