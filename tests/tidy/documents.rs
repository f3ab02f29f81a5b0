//! Documents: what `docs/architecture.md` promises is held by tests that exist.

use std::path::Path;

use crate::checkout::{looked_at, none, read, root};

/// The lines of a section, up to the next one of its level.
fn section(text: &str, heading: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .map(str::to_owned)
        .collect()
}

/// The list items, each with its continuation lines.
fn items(lines: &[String]) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in lines {
        if line.starts_with("- ") {
            items.push(line.clone());
        } else if line.starts_with("  ")
            && let Some(item) = items.last_mut()
        {
            item.push(' ');
            item.push_str(line.trim());
        }
    }
    items
}

/// What stands in backticks as `path::test`.
fn tests_named(item: &str) -> Vec<(&str, &str)> {
    let quoted = item.split('`').skip(1).step_by(2);
    quoted.filter_map(|word| word.split_once(".rs::")).collect()
}

#[test]
fn every_invariant_names_tests_that_exist() {
    let invariants = items(&section(&read("docs/architecture.md"), "## Invariants"));
    looked_at(invariants.len(), 12);
    let mut broken = Vec::new();
    for invariant in &invariants {
        let named = tests_named(invariant);
        if named.is_empty() {
            broken.push(format!("no test: {invariant}"));
        }
        for (file, test) in named {
            let path = format!("{file}.rs");
            if !root().join(Path::new(&path)).is_file() {
                broken.push(format!("there is no {path}"));
            } else if !is_test(&read(&path), test) {
                broken.push(format!("{path} has no test `{test}`"));
            }
        }
    }
    none("a line under Invariants names tests that exist", broken);
}

/// Whether the text has a function of this name that the harness runs, alone or as the property of a `proptest!`.
fn is_test(text: &str, name: &str) -> bool {
    text.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let attributes: Vec<&str> = text[..line]
            .lines()
            .rev()
            .map(str::trim_start)
            .take_while(|line| line.starts_with("#[") || line.starts_with("///"))
            .collect();
        attributes.contains(&"#[test]")
            && !attributes.iter().any(|line| line.starts_with("#[ignore"))
    })
}

#[test]
fn a_missing_test_would_be_noticed() {
    let text = "#[test]\nfn there() {}\n\n#[test]\n#[ignore]\nfn asleep() {}\n\nfn no_test() {}\n";
    assert!(is_test(text, "there"));
    for absent in ["asleep", "no_test", "gone"] {
        assert!(!is_test(text, absent), "{absent}");
    }
    let item = "- A row is `a row` (`tests/a.rs::one`, `b/src/c.rs::two`).";
    assert_eq!(tests_named(item), [("tests/a", "one"), ("b/src/c", "two")]);
    assert!(tests_named("- Nothing is held.").is_empty());
}
