//! Finds the profile of this build and hands it to `engine!`, which alone reports what is wrong with it. This script
//! speaks only of a cargo call that cannot build a sound profile, with the command that can.

use std::path::PathBuf;

use engine_spec::cargo::{CargoCall, Conflict, SELECTED, VARIABLE, tracked_files};

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let call = CargoCall::from_variables(std::env::vars_os());
    if let Err(conflict) = bind(&call) {
        println!("cargo::error={conflict}");
        for command in conflict.commands(call.release) {
            println!("cargo::error=run: {command}");
        }
    }
}

/// Tells cargo what the engine is made from.
fn bind(call: &CargoCall) -> Result<(), Conflict> {
    let profile: PathBuf = call.select()?;
    for file in tracked_files(&profile) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    println!("cargo::rustc-env={SELECTED}={}", profile.display());
    call.admit(&profile)
}
