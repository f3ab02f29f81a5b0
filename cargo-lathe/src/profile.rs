//! Profiles as files named on the command line.

use std::path::Path;

use engine_spec::{Color, Diagnostics, Format, Machine, Plan};

use crate::failure::Failure;
use crate::paint::UNSURE;

/// The plan of a profile that this engine can build. Its errors go to standard error.
pub fn plan(path: &Path) -> Result<Plan, Failure> {
    judge(path).map_err(|diagnostics| refused(&diagnostics))
}

/// The plan of a sound profile, whether or not this engine has all of its parts; what it lacks is said on standard
/// error.
pub fn preview(path: &Path) -> Result<Plan, Failure> {
    let (plan, found) = engine_spec::check_file(path, &Machine::detect());
    let Some(plan) = plan else {
        return Err(refused(&found));
    };
    if !found.is_empty() {
        let parts = if found.len() == 1 { "a part" } else { "parts" };
        anstream::eprintln!(
            "{UNSURE}note{UNSURE:#}: this engine does not have {parts} of this profile yet:"
        );
        anstream::eprintln!("{}", found.render(Format::Short));
    }
    Ok(plan)
}

/// The plan, or all that is wrong.
pub fn judge(path: &Path) -> Result<Plan, Diagnostics> {
    match engine_spec::check_file(path, &Machine::detect()) {
        (Some(plan), found) if found.is_empty() => Ok(plan),
        (_, found) => Err(found),
    }
}

fn refused(diagnostics: &Diagnostics) -> Failure {
    anstream::eprint!("{}", diagnostics.render(Format::Human(Color::Always)));
    Failure::Refused
}
