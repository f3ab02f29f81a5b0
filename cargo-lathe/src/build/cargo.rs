//! The cargo call of one profile.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine_spec::Plan;
use engine_spec::cargo::VARIABLE;
use serde::Deserialize;

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
    let mut progress = Progress::new(label);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let Ok(message) = serde_json::from_str::<Message>(&line.map_err(failed)?) else {
                continue;
            };
            progress.compiled();
            executable = message.executable.or(executable);
        }
    }
    let status = child.wait().map_err(failed)?;
    progress.clear();
    match executable {
        Some(executable) if status.success() => Ok(executable),
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

/// One of cargo's messages; those about anything but a compiled artifact have other fields.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "package_id")]
    _package: String,
    #[serde(rename = "filenames")]
    _files: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

/// A line that counts compiled crates, where someone is looking.
struct Progress<'a> {
    label: &'a str,
    crates: usize,
    shown: bool,
}

impl Progress<'_> {
    fn new(label: &str) -> Progress<'_> {
        let progress = Progress {
            label,
            crates: 0,
            shown: io::stderr().is_terminal(),
        };
        progress.show();
        progress
    }

    fn compiled(&mut self) {
        self.crates += 1;
        self.show();
    }

    fn show(&self) {
        if self.shown {
            eprint!("\r{}: {} crates compiled\x1b[K", self.label, self.crates);
            // A progress line that cannot be shown is no reason to stop.
            let _ = io::stderr().flush();
        }
    }

    fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
