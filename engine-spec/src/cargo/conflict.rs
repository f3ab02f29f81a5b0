//! What stands between a sound profile and a cargo call, with the command that works.

use std::fmt;
use std::path::PathBuf;

use super::VARIABLE;

/// Why a cargo call cannot build a profile that may well be sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// Features unify, so that one call would build one engine out of two profiles.
    TwoDeployments {
        names: [String; 2],
    },
    Disagree {
        variable: PathBuf,
        name: String,
    },
    /// Features of this package that gate dependencies of the plan.
    Features {
        profile: PathBuf,
        missing: Vec<String>,
    },
    /// The engine's host code is for another machine than cargo compiles for.
    Machine {
        profile: PathBuf,
        machine: &'static str,
        triple: String,
        cargo: String,
    },
}

impl Conflict {
    /// The commands that work.
    pub fn commands(&self, release: bool) -> Vec<String> {
        let build = if release {
            "cargo build --release"
        } else {
            "cargo build"
        };
        match self {
            Conflict::TwoDeployments { names } => names
                .iter()
                .map(|name| format!("{build} --features deploy-{name}"))
                .collect(),
            Conflict::Disagree { variable, name } => vec![
                format!("{VARIABLE}={} {build}", variable.display()),
                format!("{build} --features deploy-{name}"),
            ],
            Conflict::Features { profile, missing } => {
                vec![format!(
                    "{VARIABLE}={} {build} --features {}",
                    profile.display(),
                    missing.join(",")
                )]
            }
            Conflict::Machine {
                profile, triple, ..
            } => {
                vec![format!(
                    "{VARIABLE}={} {build} --target {triple}",
                    profile.display()
                )]
            }
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::TwoDeployments { names: [a, b] } => {
                write!(
                    out,
                    "two deployments at once, `deploy-{a}` and `deploy-{b}`: one cargo call builds one engine"
                )
            }
            Conflict::Disagree { variable, name } => {
                write!(
                    out,
                    "{VARIABLE} names {} and the feature `deploy-{name}` another profile",
                    variable.display()
                )
            }
            Conflict::Features { profile, missing } => {
                write!(
                    out,
                    "{} needs Cargo features that are off: {}",
                    profile.display(),
                    missing.join(", ")
                )
            }
            Conflict::Machine {
                profile,
                machine,
                cargo,
                ..
            } => {
                write!(
                    out,
                    "{} is for {machine}, and cargo compiles for {cargo}",
                    profile.display()
                )
            }
        }
    }
}

impl std::error::Error for Conflict {}
