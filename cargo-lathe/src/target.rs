//! Targets as typed on the command line.

use engine_spec::toolkit::Toolkit;
use engine_spec::{Arch, Family, Machine, TargetName};

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

/// What compiles kernels for a plan's toolkit on this machine, or how to get it; nothing for a CPU.
pub fn compiler(toolkit: Toolkit, arch: Arch) -> Option<String> {
    if toolkit == Toolkit::Rustc {
        return None;
    }
    let here = (Machine::detect().toolkits)()
        .iter()
        .find(|found| found.toolkit == toolkit && found.builds(arch));
    Some(match here {
        Some(found) => found.to_string(),
        None => format!(
            "{toolkit}, which is not here; to get it: {}",
            toolkit.source()
        ),
    })
}

fn hint(name: &str) -> String {
    TargetName::hint(name).map_or_else(
        || "; give a device, an architecture, a family or `native`".to_owned(),
        |hint| format!("; {hint}"),
    )
}
