//! The cargo call of one profile.

use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::Message;
use engine_spec::Plan;
use engine_spec::cargo::VARIABLE;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;

/// Builds the engine of a profile and says where cargo put it.
pub fn build(profile: &Path, plan: &Plan, debug: bool, label: &str) -> Result<PathBuf, Failure> {
    let mut cargo = command(&absolute(profile)?, plan, debug);
    let program = cargo.get_program().to_string_lossy().into_owned();
    let failed = |error| Failure::Program {
        program: program.clone(),
        error,
    };
    let mut child = cargo.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut executable = None;
    let progress = progress(label);
    if let Some(stdout) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(stdout)) {
            if let Message::CompilerArtifact(artifact) = message.map_err(failed)? {
                progress.inc(1);
                executable = artifact.executable.or(executable);
            }
        }
    }
    let status = child.wait().map_err(failed)?;
    progress.finish_and_clear();
    match executable {
        Some(executable) if status.success() => Ok(executable.into()),
        _ => Err(Failure::Cargo {
            profile: profile.to_owned(),
        }),
    }
}

/// `--target` is always given, or cargo would compile build scripts for the engine's CPU too.
fn command(profile: &Path, plan: &Plan, debug: bool) -> Command {
    let rustc = plan.rustc();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "lathe", "--bin", "engine"]);
    cargo.args([
        "--message-format",
        "json-render-diagnostics",
        "--target",
        &rustc.triple,
    ]);
    if !debug {
        cargo.arg("--release");
    }
    let features = plan.cargo_features();
    if !features.is_empty() {
        cargo.args(["--features", &features.join(",")]);
    }
    cargo
        .env(VARIABLE, profile)
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&rustc.flags()));
    cargo
}

/// The user's own flags first, so that the plan's have the last word.
fn flags(plan: &[String]) -> OsString {
    let encoded = std::env::var("CARGO_ENCODED_RUSTFLAGS").ok();
    let plain = std::env::var("RUSTFLAGS").ok();
    let own: Vec<String> = match (encoded, plain) {
        (Some(encoded), _) => encoded
            .split('\x1f')
            .filter(|flag| !flag.is_empty())
            .map(str::to_owned)
            .collect(),
        (None, Some(plain)) => plain.split_whitespace().map(str::to_owned).collect(),
        (None, None) => Vec::new(),
    };
    own.iter()
        .chain(plan)
        .cloned()
        .collect::<Vec<_>>()
        .join("\x1f")
        .into()
}

/// A relative `LATHE_PROFILE` would be looked for in the root package, not here.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::Unreadable {
        path: path.to_owned(),
        error,
    })
}

/// Counts compiled crates, where someone is looking.
fn progress(label: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target).with_prefix(label.to_owned());
    match ProgressStyle::with_template("{prefix}: {pos} crates compiled, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
