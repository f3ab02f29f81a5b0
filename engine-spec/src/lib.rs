//! What Lathe knows and decides: profile, compatibility matrix, rules, plan, diagnostics.
//!
//! The door is [`plan()`]: a [`Profile`] and the [`Machine`] that builds become a [`Plan`], or [`Diagnostics`] that
//! say all that is wrong. Macro, build script and command line go through it, so they cannot disagree. Everything
//! after a plan is infallible.
//!
//! Not here: input and output beyond reading a profile and the shape it names, and anything that runs a model.
#![forbid(unsafe_code)]

pub mod arch;
pub mod cargo;
#[cfg(feature = "codegen")]
pub mod codegen;
pub mod diagnostics;
pub mod dtype;
pub mod family;
pub mod feature;
pub mod host;
pub mod machine;
pub mod manifest;
pub mod matrix;
pub mod model;
mod named;
pub mod nearest;
pub mod plan;
pub mod profile;
pub mod rules;
pub mod shape;
pub mod sku;
pub mod spell;
pub mod target;
pub mod toolkit;
pub mod weight_format;

use std::path::Path;

pub use arch::Arch;
pub use diagnostics::{Code, Color, Diagnostic, Diagnostics, Format};
pub use family::{BackendKind, Family};
pub use feature::{Feature, FeatureSet};
pub use host::{Host, Processor};
pub use machine::Machine;
pub use manifest::Manifest;
pub use matrix::{MATRIX, Matrix, Mode};
pub use plan::Plan;
pub use profile::Profile;
pub use sku::{SKUS, Sku};
pub use target::{Target, TargetName};

/// What will be built for a profile, or everything that is wrong with it.
pub fn plan(profile: &Profile, machine: &Machine) -> Result<Plan, Diagnostics> {
    let (plan, found) = judge(profile, machine, &MATRIX);
    found.into_result(plan)
}

/// As [`plan()`], with a plan also where nothing is wrong but that this engine does not have a part yet.
pub fn preview(profile: &Profile, machine: &Machine) -> (Option<Plan>, Diagnostics) {
    let (plan, found) = judge(profile, machine, &MATRIX);
    (found.only_not_built().then_some(plan), found)
}

/// Everything that can be said of a profile's text: what cannot be read and, about what can, what cannot work.
/// `path` is what diagnostics call it. The plan is there on the terms of [`preview`].
pub fn check(path: &str, text: &str, machine: &Machine) -> (Option<Plan>, Diagnostics) {
    check_against(path, text, machine, &MATRIX)
}

/// As [`check`], by another table: for tests, whose expectations must not move with each new proof.
pub fn check_against(
    path: &str,
    text: &str,
    machine: &Machine,
    matrix: &Matrix,
) -> (Option<Plan>, Diagnostics) {
    let (profile, mut found) = Profile::recover(path, text);
    let Some(profile) = profile else {
        return (None, found);
    };
    let (plan, more) = judge(&profile, machine, matrix);
    found.merge(more);
    (found.only_not_built().then_some(plan), found)
}

/// As [`check`], for a file.
pub fn check_file(path: &Path, machine: &Machine) -> (Option<Plan>, Diagnostics) {
    match std::fs::read_to_string(path) {
        Ok(text) => check(&path.display().to_string(), &text, machine),
        Err(_) => (None, Profile::read(path).err().unwrap_or_default()),
    }
}

/// What a profile asks for, and all that the rules have against it by this table.
fn judge(profile: &Profile, machine: &Machine, matrix: &Matrix) -> (Plan, Diagnostics) {
    let plan = plan::resolve(profile, machine);
    let found = rules::check(&rules::Case {
        profile,
        plan: &plan,
        matrix,
    });
    (plan, found)
}
