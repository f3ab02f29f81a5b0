//! The engine: the profile of this build, bound to a command line.

mod cli;

engine_macros::engine! {
    struct Build;
}

fn main() -> std::process::ExitCode {
    // First of all, while nothing has run that the compiler may have made of instructions which this machine lacks.
    if cli::startup::is_refused::<Build>() {
        return std::process::ExitCode::FAILURE;
    }
    cli::main::<Build>(Build::manifest())
}
