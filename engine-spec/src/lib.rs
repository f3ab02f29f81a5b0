//! What Lathe knows and decides: profile, compatibility matrix, rules, plan, diagnostics.
//!
//! The door is [`plan()`]: a [`Profile`] and the [`Machine`] that builds become a [`Plan`], or [`Diagnostics`] that
//! say all that is wrong; [`check`] and [`check_file`] go through it with a text and a file. Macro, build script and
//! command line use them, so they cannot disagree. Everything after a plan is infallible.
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
pub mod features;
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
mod settings;
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
pub use features::{Feature, FeatureSet};
pub use host::{Host, Processor};
pub use machine::Machine;
pub use manifest::Manifest;
pub use matrix::{MATRIX, Matrix, Mode};
pub use plan::{Answers, Checked, Plan, Preview};
pub use profile::Profile;
pub use sku::{SKUS, Sku};
pub use target::{Target, TargetName};

/// What comes of a profile: a plan, or everything that stands in its way.
pub fn plan(profile: &Profile, machine: &Machine) -> Checked {
    let (answers, found) = judge(profile, machine, &MATRIX);
    Checked::judged(answers, found)
}

/// As [`plan()`], for a profile's text: what cannot be read and, about what can, what cannot work. `path` is what
/// diagnostics call it.
pub fn check(path: &str, text: &str, machine: &Machine) -> Checked {
    check_against(path, text, machine, &MATRIX)
}

/// As [`check`], by another table: for tests, whose expectations must not move with each new proof.
pub fn check_against(path: &str, text: &str, machine: &Machine, matrix: &Matrix) -> Checked {
    let (profile, mut found) = Profile::recover(path, text);
    let Some(profile) = profile else {
        return Checked::unread(found);
    };
    let (answers, more) = judge(&profile, machine, matrix);
    found.merge(more);
    Checked::judged(answers, found)
}

/// As [`check`], for a file.
pub fn check_file(path: &Path, machine: &Machine) -> Checked {
    match profile::text(path) {
        Ok(text) => check(&path.display().to_string(), &text, machine),
        Err(found) => Checked::unread(found),
    }
}

/// What a profile asks for, and all that the rules have against it by this table.
fn judge(profile: &Profile, machine: &Machine, matrix: &Matrix) -> (Answers, Diagnostics) {
    let answers = plan::resolve(profile, machine);
    let found = rules::check(&rules::Case {
        profile,
        answers: &answers,
        matrix,
    });
    (answers, found)
}
