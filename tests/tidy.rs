//! The house rules that a machine can hold: one test a rule, each naming every place that breaks it.

use std::fs;
use std::path::Path;
use std::process::Command;

struct File {
    /// Relative to the root, with `/`.
    name: String,
    text: String,
}

impl File {
    fn is_test(&self) -> bool {
        self.name.split('/').any(|part| part == "tests")
    }

    /// The lines for which `breaks` holds, as `file:line: text`.
    fn lines(&self, breaks: impl Fn(&str) -> bool) -> Vec<String> {
        self.text
            .lines()
            .enumerate()
            .filter(|(_, line)| breaks(line))
            .map(|(number, line)| format!("{}:{}: {}", self.name, number + 1, line.trim()))
            .collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `under` with this ending that git tracks or would track.
fn files(under: &str, ending: &str) -> Vec<File> {
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

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// A rule that finds nothing to look at would pass for the wrong reason.
#[track_caller]
fn looked_at(count: usize, least: usize) {
    assert!(
        count >= least,
        "looked at {count} places only: the rule has lost its subject"
    );
}

#[test]
fn a_file_is_a_noun_of_the_domain() {
    let files = files("", "");
    looked_at(files.len(), 100);
    let broken = files
        .into_iter()
        .map(|file| file.name)
        .filter(|name| {
            let stem = Path::new(name)
                .file_stem()
                .map(|stem| stem.to_string_lossy());
            matches!(
                stem.as_deref(),
                Some("utils" | "util" | "helpers" | "helper" | "common" | "misc" | "mod")
            )
        })
        .collect();
    none("no utils, helpers, common, misc or mod.rs", broken);
}

#[test]
fn files_are_small() {
    /// Tables, which the eye holds against their source in one piece.
    const TABLES: &[&str] = &["engine-spec/src/matrix/cells.rs", "engine-spec/src/sku.rs"];
    let files = files("", ".rs");
    looked_at(files.len(), 60);
    let broken = files
        .iter()
        .filter(|file| !file.is_test() && !TABLES.contains(&file.name.as_str()))
        .map(|file| (&file.name, file.text.lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    none("past 400 lines it is two files", broken);
}

#[test]
fn the_build_script_only_asks() {
    let lines = read("build.rs").lines().count();
    assert!(lines <= 40, "build.rs has {lines} lines, 40 are allowed");
}

#[test]
fn a_model_is_a_shape_and_a_composition() {
    let models: Vec<File> = files("engine-runtime/src/models/", ".rs")
        .into_iter()
        // The blocks that families are composed of.
        .filter(|file| !file.name.starts_with("engine-runtime/src/models/decoder"))
        .collect();
    looked_at(models.len(), 3);
    let broken = models
        .iter()
        .map(|file| (&file.name, file.text.lines().count()))
        .filter(|(_, lines)| *lines > 150)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    none("a model file has at most 150 lines", broken);
}

#[test]
fn cfg_stands_only_where_a_dependency_or_an_instruction_set_would_be_missing() {
    /// The only files of the runtime that may ask how they are compiled.
    const ALLOWED: &[&str] = &[
        "engine-runtime/src/backend.rs",
        "engine-runtime/src/backend/cpu.rs",
        "engine-runtime/src/backend/cpu/",
        "engine-runtime/src/lib.rs",
    ];
    let runtime = files("engine-runtime/src/", ".rs");
    looked_at(runtime.len(), 30);
    let broken = runtime
        .iter()
        .filter(|file| !ALLOWED.iter().any(|allowed| file.name.starts_with(allowed)))
        .flat_map(|file| {
            file.lines(|line| {
                (line.trim_start().starts_with("#[cfg(") || line.contains("cfg!("))
                    && !line.contains("cfg(test)")
                    && !line.contains("debug_assertions")
            })
        })
        .collect();
    none("absence is a type, not a cfg", broken);
}

#[test]
fn unsafe_says_why_it_is_sound() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for file in files("", ".rs") {
        if file.name == "tests/tidy.rs" {
            continue;
        }
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains("unsafe {") || code.contains("unsafe impl") {
                seen += 1;
                let near = &lines[number.saturating_sub(8)..=number];
                let before = &lines[..number];
                if !near.iter().any(|line| line.contains("SAFETY:"))
                    && !before
                        .iter()
                        .any(|line| line.contains("SAFETY, for all that follow:"))
                {
                    broken.push(format!("{}:{}", file.name, number + 1));
                }
            }
        }
    }
    looked_at(seen, 10);
    none(
        "an unsafe block says `// SAFETY:` on or above itself",
        broken,
    );
}

#[test]
fn unsafe_stays_in_the_runtime() {
    for crate_root in [
        "engine-spec/src/lib.rs",
        "engine-macros/src/lib.rs",
        "cargo-lathe/src/main.rs",
    ] {
        assert!(
            read(crate_root).contains("#![forbid(unsafe_code)]"),
            "{crate_root} forbids unsafe code"
        );
    }
}

#[test]
fn nothing_is_left_to_do() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("unimplemented", "!("),
        concat!("to", "do!("),
        concat!("db", "g!("),
    ];
    let broken = [".rs", ".py", ".toml"]
        .into_iter()
        .flat_map(|ending| files("", ending))
        .flat_map(|file| file.lines(|line| words.iter().any(|word| line.contains(word))))
        .collect();
    none("no leftovers", broken);
}

#[test]
fn errors_are_lower_case_without_a_full_stop() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for file in files("", ".rs") {
        broken.extend(file.lines(|line| {
            line.trim_start()
                .strip_prefix("#[error(\"")
                .is_some_and(|message| {
                    message.starts_with(|first: char| first.is_ascii_uppercase())
                        || message.trim_end_matches(")]").ends_with(".\"")
                })
        }));
        seen += file.text.matches("#[error(\"").count();
    }
    looked_at(seen, 10);
    none("an error starts lower case and ends without a stop", broken);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let words = [
        concat!("/work", "/"),
        concat!("/root", "/"),
        concat!("shared", "/design"),
        concat!("shared", "/matrix"),
    ];
    let broken = files("", "")
        .into_iter()
        .filter(|file| words.iter().any(|word| file.text.contains(word)))
        .map(|file| file.name)
        .collect();
    none("a clone stands alone", broken);
}

#[test]
fn the_readme_has_a_line_for_each_folder() {
    let readme = read("README.md");
    let mut folders: Vec<String> = files("", "")
        .iter()
        .filter_map(|file| file.name.split_once('/'))
        .map(|(folder, _)| folder.to_owned())
        .filter(|folder| !folder.starts_with('.'))
        .collect();
    folders.dedup();
    looked_at(folders.len(), 8);
    let broken = folders
        .into_iter()
        .filter(|folder| !readme.contains(&format!("`{folder}/`")))
        .collect();
    none("one line a folder in the README", broken);
}

#[test]
fn a_script_says_what_it_is_for() {
    let scripts = files("tools/", ".py");
    looked_at(scripts.len(), 3);
    let broken = scripts
        .into_iter()
        .filter(|file| {
            !file
                .text
                .lines()
                .find(|line| !line.starts_with('#') && !line.trim().is_empty())
                .is_some_and(|line| line.contains("\"\"\""))
        })
        .map(|file| file.name)
        .collect();
    none("a script starts with what it is for", broken);
}
