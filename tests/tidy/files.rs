//! Files: names, sizes, words.

use std::path::Path;

use crate::checkout::{File, files, looked_at, none, read};

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
    /// Tables that are longer, if there are any.
    const TABLES: &[&str] = &[];
    let files = files("", ".rs");
    looked_at(files.len(), 60);
    let long: Vec<(&str, usize)> = files
        .iter()
        .filter(|file| !file.is_test())
        .map(|file| (file.name.as_str(), file.text.lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .collect();
    let broken = long
        .iter()
        .filter(|(name, _)| !TABLES.contains(name))
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    none("past 400 lines it is two files", broken);
    for table in TABLES {
        assert!(
            long.iter().any(|(name, _)| name == table),
            "{table} needs no exception: take it off the list"
        );
    }
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

/// Clippy counts them where nobody forbids it to.
#[test]
fn no_function_asks_to_be_let_off_its_arguments() {
    let words = concat!("too_many", "_arguments");
    let broken = files("", ".rs")
        .iter()
        .flat_map(|file| file.lines(|line| line.contains(words)))
        .collect();
    none(
        "rows, weights and caches are types, and then few arguments are enough",
        broken,
    );
}
