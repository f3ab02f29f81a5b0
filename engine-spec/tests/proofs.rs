//! An engine verdict of yes names a test; this test looks for it in the repository's test sources.

use std::path::Path;

use engine_spec::MATRIX;
use engine_spec::matrix::EngineVerdict;

/// Where tests may be: the product's, and those of the runtime.
const FOLDERS: [&str; 3] = [
    "../tests",
    "../engine-runtime/tests",
    "../engine-runtime/src",
];

fn collect(folder: &Path, sources: &mut String) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether the sources have a test of this name: a `fn` under a `#[test]` that is not ignored.
fn has_test(sources: &str, name: &str) -> bool {
    sources
        .match_indices(&format!("fn {name}("))
        .any(|(at, _)| {
            let before = sources[..at].trim_end();
            let attributes: Vec<_> = before
                .lines()
                .rev()
                .take_while(|line| line.trim_start().starts_with("#["))
                .collect();
            attributes.iter().any(|line| line.contains("#[test]"))
                && !attributes.iter().any(|line| line.contains("ignore"))
        })
}

#[test]
fn every_proof_is_a_test_that_exists() {
    let mut sources = String::new();
    FOLDERS
        .iter()
        .for_each(|folder| collect(Path::new(folder), &mut sources));
    for cell in MATRIX.cells() {
        if let EngineVerdict::Yes { test } = cell.engine {
            assert!(
                has_test(&sources, test),
                "{} is proven by `{test}`, which is no test here",
                cell.id
            );
        }
    }
}

#[test]
fn a_missing_test_would_be_noticed() {
    let sources =
        "#[test]\nfn there() {}\n\n#[test]\n#[ignore]\nfn asleep() {}\n\nfn helper() {}\n";
    assert!(has_test(sources, "there"));
    for absent in ["asleep", "helper", "gone"] {
        assert!(!has_test(sources, absent), "{absent}");
    }
}
