//! Why a subcommand did not do what was asked, and the exit status that says so.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use engine_spec::codegen::SECTION;

/// Everything that can go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A profile does not plan. That is an answer; its diagnostics have been shown by now.
    #[error("the profile is refused")]
    Refused,
    #[error("unknown {what} `{name}`{hint}")]
    Unknown {
        what: &'static str,
        name: String,
        hint: String,
    },
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("cannot write {}: {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    #[error("{} is not a Lathe engine: {reason}", path.display())]
    NotAnEngine { path: PathBuf, reason: String },
    #[error("{} exists already; give another name or remove it", path.display())]
    Exists { path: PathBuf },
    #[error("{} and {} are both called `{name}`, so that one engine would take the other's place; rename one, or build them in two calls with another --out", paths[0].display(), paths[1].display())]
    SameName { name: String, paths: [PathBuf; 2] },
    #[error("cannot run {program}: {error}")]
    Program { program: String, error: io::Error },
    #[error("cargo did not build {}", profile.display())]
    Cargo { profile: PathBuf },
    #[error("{} was built from another profile, perhaps one that has changed meanwhile: by its manifest `{field}` is {found}, by the plan {expected}; build again", binary.display())]
    Mismatch {
        binary: PathBuf,
        field: String,
        found: String,
        expected: String,
    },
    #[error("the generated code is not Rust, which is an error of this tool: {error}")]
    Generated { error: syn::Error },
    #[error("cannot read JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl Failure {
    /// Says it on standard error. 1: the answer is no; 2: there is no answer.
    pub fn report(&self) -> ExitCode {
        match self {
            Failure::Refused => ExitCode::from(1),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            failure => {
                let style = crate::paint::BAD.bold();
                anstream::eprintln!("{style}error{style:#}: {failure}{}", failure.hint());
                ExitCode::from(2)
            }
        }
    }

    fn hint(&self) -> String {
        match self {
            Failure::NotAnEngine { .. } => {
                format!(
                    "\nhelp: an engine carries its manifest in the section {SECTION}; `cargo lathe build` makes one"
                )
            }
            _ => String::new(),
        }
    }
}
