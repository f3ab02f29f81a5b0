//! Profiles as files named on the command line.

use std::path::Path;

use engine_spec::{Checked, Color, Diagnostics, Format, Machine, Plan, Preview};

use crate::failure::Failure;
use crate::paint::UNSURE;

/// The plan of a profile that this engine can build. Its errors go to standard error.
pub fn plan(path: &Path) -> Result<Plan, Failure> {
    judge(path).map_err(|diagnostics| refused(&diagnostics))
}

/// What a sound profile would become, whether or not this engine has all of its parts; what it lacks is said on
/// standard error.
pub fn preview(path: &Path) -> Result<Preview, Failure> {
    let (preview, found) = check(path)
        .preview()
        .map_err(|diagnostics| refused(&diagnostics))?;
    if !found.is_empty() {
        let parts = if found.len() == 1 { "a part" } else { "parts" };
        anstream::eprintln!(
            "{UNSURE}note{UNSURE:#}: this engine does not have {parts} of this profile yet:"
        );
        anstream::eprintln!("{}", found.render(Format::Short));
    }
    Ok(preview)
}

/// The plan, or all that is wrong.
pub fn judge(path: &Path) -> Result<Plan, Diagnostics> {
    check(path).plan()
}

fn check(path: &Path) -> Checked {
    engine_spec::check_file(path, &Machine::detect())
}

fn refused(diagnostics: &Diagnostics) -> Failure {
    anstream::eprint!("{}", diagnostics.render(Format::Human(Color::Always)));
    Failure::Refused
}
