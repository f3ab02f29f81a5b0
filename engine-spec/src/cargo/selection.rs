//! Which profile a cargo call builds.
//!
//! Build script, tests and tool ask here, so that build.rs stays a page. The profile is named by `LATHE_PROFILE`, or
//! by a `deploy-*` feature, or is `profiles/default.toml`. What is wrong *with* a profile is none of this module's
//! business; what stands between a sound one and this cargo call is a [`Conflict`], with the command that works.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Conflict;
use crate::host::Processor;
use crate::machine::Machine;
use crate::profile::Profile;

/// The variable that names a profile.
pub const VARIABLE: &str = "LATHE_PROFILE";
/// The variable through which build.rs tells the macro which profile it found.
pub const SELECTED: &str = "LATHE_SELECTED_PROFILE";
/// The profile of a plain `cargo build`.
pub const DEFAULT: &str = "profiles/default.toml";

/// What a build script is told by cargo.
#[derive(Debug, Clone, Default)]
pub struct CargoCall {
    /// The folder of the root package.
    pub root: PathBuf,
    /// `LATHE_PROFILE`, unless it is empty.
    pub variable: Option<PathBuf>,
    /// `CARGO_FEATURE_*`, without the prefix: `DEPLOY_V100_CHAT`.
    pub features: BTreeSet<String>,
    /// `x86_64`, `aarch64` ...: what is compiled for.
    pub machine: String,
    /// Whether it is `--release`.
    pub release: bool,
}

impl CargoCall {
    /// As a build script's environment has it.
    pub fn from_variables(variables: impl Iterator<Item = (OsString, OsString)>) -> CargoCall {
        let mut call = CargoCall::default();
        for (name, value) in variables {
            match name.to_str() {
                Some("CARGO_MANIFEST_DIR") => call.root = value.into(),
                Some("CARGO_CFG_TARGET_ARCH") => {
                    call.machine = value.to_string_lossy().into_owned()
                }
                Some("PROFILE") => call.release = value == "release",
                Some(VARIABLE) if !value.is_empty() => call.variable = Some(value.into()),
                Some(name) => call
                    .features
                    .extend(name.strip_prefix("CARGO_FEATURE_").map(str::to_owned)),
                None => {}
            }
        }
        call
    }

    /// The profile that this call builds.
    pub fn select(&self) -> Result<PathBuf, Conflict> {
        let variable = self.variable.as_ref().map(|path| self.root.join(path));
        let mut deployments = self.deployments();
        let first = deployments.next();
        match (variable, first, deployments.next()) {
            (_, Some(first), Some(second)) => Err(Conflict::TwoDeployments {
                names: [first, second],
            }),
            (Some(variable), Some(name), None)
                if !same_file(&variable, &self.profile_of(&name)) =>
            {
                Err(Conflict::Disagree {
                    variable: self.shown(&variable),
                    name,
                })
            }
            (Some(variable), ..) => Ok(variable),
            (None, Some(name), None) => Ok(self.profile_of(&name)),
            (None, None, _) => Ok(self.root.join(DEFAULT)),
        }
    }

    /// Whether this call can build the profile. Silent about one that does not plan: the macro reports that.
    pub fn admit(&self, path: &Path) -> Result<(), Conflict> {
        let machine = Machine::detect();
        let Ok(plan) = crate::check_file(path, &machine).plan() else {
            return Ok(());
        };
        let profile = self.shown(path);
        let wanted = plan.target.name.processor(&machine).map(Processor::name);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != self.machine) {
            return Err(Conflict::Machine {
                profile,
                machine: wanted,
                triple: plan.target.host.triple(),
                cargo: self.machine.clone(),
            });
        }
        let missing = plan
            .cargo_features()
            .into_iter()
            .filter(|feature| !self.features.contains(&as_variable(feature)));
        let missing: Vec<String> = missing.map(str::to_owned).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Conflict::Features { profile, missing }),
        }
    }

    /// The names of the `deploy-*` features that are on, as their profiles are called.
    fn deployments(&self) -> impl Iterator<Item = String> {
        let deployed = self
            .features
            .iter()
            .filter_map(|name| name.strip_prefix("DEPLOY_"));
        deployed.map(|name| name.to_ascii_lowercase().replace('_', "-"))
    }

    fn profile_of(&self, deployment: &str) -> PathBuf {
        self.root
            .join("profiles")
            .join(deployment)
            .with_extension("toml")
    }

    /// A path as a person would type it: relative to the root package where it lies in there.
    fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// What a build depends on: the profile, and the shape that it names.
pub fn tracked_files(profile: &Path) -> Vec<PathBuf> {
    let mut files = vec![profile.to_owned()];
    let text = std::fs::read_to_string(profile).unwrap_or_default();
    let (understood, _) = Profile::recover(&profile.display().to_string(), &text);
    let shape = understood.and_then(|profile| profile.model.shape);
    let folder = profile.parent().unwrap_or(Path::new(""));
    files.extend(shape.map(|shape| folder.join(&shape.value.path)));
    files
}

/// As cargo writes a feature's name in a variable.
fn as_variable(feature: &str) -> String {
    feature.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(features: &[&str], variable: Option<&str>) -> CargoCall {
        CargoCall {
            root: PathBuf::from("/repository"),
            variable: variable.map(PathBuf::from),
            features: features.iter().map(|name| (*name).to_owned()).collect(),
            ..CargoCall::default()
        }
    }

    fn selected(features: &[&str], variable: Option<&str>) -> Result<PathBuf, Conflict> {
        call(features, variable).select()
    }

    #[test]
    fn a_plain_call_builds_the_default_profile() {
        assert_eq!(
            selected(&["CUDA"], None),
            Ok(PathBuf::from("/repository/profiles/default.toml"))
        );
    }

    #[test]
    fn a_deployment_or_the_variable_names_another() {
        let chat = PathBuf::from("/repository/profiles/v100-chat.toml");
        assert_eq!(selected(&["DEPLOY_V100_CHAT"], None), Ok(chat.clone()));
        assert_eq!(
            selected(&[], Some("profiles/v100-chat.toml")),
            Ok(chat.clone())
        );
        assert_eq!(
            selected(&["DEPLOY_V100_CHAT"], Some("profiles/v100-chat.toml")),
            Ok(chat)
        );
        assert_eq!(
            selected(&[], Some("/elsewhere/mine.toml")),
            Ok(PathBuf::from("/elsewhere/mine.toml"))
        );
    }

    #[test]
    fn a_profile_for_another_machine_names_its_target() {
        let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/epyc-9654-chat.toml");
        let on = |machine: &str| {
            let call = CargoCall {
                machine: machine.to_owned(),
                ..call(&[], None)
            };
            call.admit(&profile)
        };
        assert_eq!(on("x86_64"), Ok(()));
        let conflict = on("aarch64").unwrap_err();
        assert!(
            conflict
                .to_string()
                .ends_with("is for x86_64, and cargo compiles for aarch64")
        );
        assert!(
            conflict.commands(false)[0].ends_with("cargo build --target x86_64-unknown-linux-gnu")
        );
    }

    #[test]
    fn a_feature_that_is_off_is_named_with_the_command_that_turns_it_on() {
        let conflict = Conflict::Features {
            profile: PathBuf::from("profiles/v100-chat.toml"),
            missing: vec!["cuda".to_owned(), "server".to_owned()],
        };
        assert_eq!(
            conflict.to_string(),
            "profiles/v100-chat.toml needs Cargo features that are off: cuda, server"
        );
        assert_eq!(
            conflict.commands(true),
            ["LATHE_PROFILE=profiles/v100-chat.toml cargo build --release --features cuda,server"]
        );
    }

    #[test]
    fn two_deployments_are_two_calls() {
        let conflict = selected(&["DEPLOY_A", "DEPLOY_B"], None).unwrap_err();
        assert_eq!(
            conflict.to_string(),
            "two deployments at once, `deploy-a` and `deploy-b`: one cargo call builds one engine"
        );
        assert_eq!(
            conflict.commands(true),
            [
                "cargo build --release --features deploy-a",
                "cargo build --release --features deploy-b"
            ]
        );
    }

    #[test]
    fn the_variable_must_agree_with_the_deployment() {
        let conflict = selected(&["DEPLOY_A"], Some("profiles/b.toml")).unwrap_err();
        assert_eq!(
            conflict.to_string(),
            "LATHE_PROFILE names profiles/b.toml and the feature `deploy-a` another profile"
        );
        assert_eq!(
            conflict.commands(false),
            [
                "LATHE_PROFILE=profiles/b.toml cargo build",
                "cargo build --features deploy-a"
            ]
        );
    }
}
