//! The files of this checkout, and how a rule says what breaks it.

use std::fs;
use std::path::Path;
use std::process::Command;

pub struct File {
    /// Relative to the root, with `/`.
    pub name: String,
    pub text: String,
}

impl File {
    pub fn is_test(&self) -> bool {
        self.name
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
    }

    /// The lines for which `breaks` holds, as `file:line: text`.
    pub fn lines(&self, mut breaks: impl FnMut(&str) -> bool) -> Vec<String> {
        self.text
            .lines()
            .enumerate()
            .filter(|(_, line)| breaks(line))
            .map(|(number, line)| format!("{}:{}: {}", self.name, number + 1, line.trim()))
            .collect()
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `under` with this ending that git tracks or would track.
pub fn files(under: &str, ending: &str) -> Vec<File> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .expect("the house rules need git on the PATH");
    assert!(
        output.status.success(),
        "the house rules need a git checkout: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut names: Vec<String> = output
        .stdout
        .split(|byte| *byte == 0)
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| name.starts_with(under) && name.ends_with(ending))
        .filter(|name| root().join(name).is_file())
        .collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| File {
            text: String::from_utf8_lossy(
                &fs::read(root().join(&name)).expect("a listed file can be read"),
            )
            .into_owned(),
            name,
        })
        .collect()
}

pub fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
pub fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// A rule that finds nothing to look at would pass for the wrong reason.
#[track_caller]
pub fn looked_at(count: usize, least: usize) {
    assert!(
        count >= least,
        "looked at {count} places only: the rule has lost its subject"
    );
}
