//! Targets as typed on the command line.

use engine_spec::{Family, Machine, TargetName};

use crate::failure::Failure;

/// The family of a SKU, an architecture, a family or `native`.
pub fn family(name: &str) -> Result<Family, Failure> {
    match TargetName::named(name) {
        Some(target) => Ok(target.arch(&Machine::detect()).family()),
        None => Err(Failure::Unknown {
            what: "target",
            name: name.to_owned(),
            hint: hint(name),
        }),
    }
}

fn hint(name: &str) -> String {
    TargetName::hint(name).map_or_else(
        || "; give a device, an architecture, a family or `native`".to_owned(),
        |hint| format!("; {hint}"),
    )
}
