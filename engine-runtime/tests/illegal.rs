//! Recipes that must not compile, and what rustc says of them: our own words.
//!
//! Each file of `tests/illegal` is given to rustc with the runtime that this test is linked with; the snapshot beside
//! it holds every error's message, label and notes. One file is sound, so that a failure means what it says.

use std::path::{Path, PathBuf};
use std::process::Command;

use engine_runtime::testing::tiny::TinyLlama;
use serde_json::Value;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/illegal");

#[test]
fn what_the_matrix_or_the_kernels_forbid_does_not_compile() {
    let runtime = runtime();
    assert_eq!(errors("sound", &runtime), "", "the sound case compiles");
    for case in [
        "pair", "backend", "hardware", "proof", "unbuilt", "format", "recipe",
    ] {
        let errors = errors(case, &runtime);
        assert!(!errors.is_empty(), "{case} compiles");
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "illegal" }, {
            insta::assert_snapshot!(case, errors);
        });
    }
}

/// The runtime's library that this test is linked with. Cargo keeps several beside the test, built for other commands;
/// the compiler's name of one and the same function differs between them.
fn runtime() -> PathBuf {
    let write: fn(u64) -> _ = TinyLlama::write;
    std::hint::black_box(write);
    let test = std::env::current_exe().unwrap();
    let name = symbol(&std::fs::read(&test).unwrap());
    let name = name.expect("the test holds the names of the functions that it is linked with");
    let beside = std::fs::read_dir(test.parent().unwrap()).unwrap();
    let mut libraries = beside.map(|entry| entry.unwrap().path()).filter(|path| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.starts_with("libengine_runtime-") && file.ends_with(".rlib")
    });
    let linked = libraries.find(|path| symbol(&std::fs::read(path).unwrap()) == Some(name.clone()));
    linked.expect("the runtime that this test is linked with lies beside it")
}

/// The name that the compiler gave to `TinyLlama::write`, its hash included, in a binary or library.
fn symbol(file: &[u8]) -> Option<Vec<u8>> {
    const START: &[u8] = b"9TinyLlama5write17h";
    const HASH: usize = 16;
    let at = file
        .windows(START.len())
        .position(|window| window == START)?;
    file.get(at..at + START.len() + HASH).map(<[u8]>::to_vec)
}

/// What rustc says of a case, empty if it compiles.
fn errors(case: &str, runtime: &Path) -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(CASES)
        .args([
            "--edition=2024",
            "--emit=metadata",
            "--error-format=json",
            "--out-dir",
        ])
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .arg("-L")
        .arg(format!(
            "dependency={}",
            runtime.parent().unwrap().display()
        ))
        .arg("--extern")
        .arg(format!("engine_runtime={}", runtime.display()))
        .arg(format!("{case}.rs"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let messages = stderr
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let errors: String = messages
        .filter(|message| message["level"] == "error" && message["code"].is_object())
        .map(|error| words(&error))
        .collect();
    assert_eq!(output.status.success(), errors.is_empty(), "{stderr}");
    errors
}

/// An error without places, which move with every edit: message, labels, notes.
fn words(error: &Value) -> String {
    let mut words = format!("error: {}\n", error["message"].as_str().unwrap());
    let labels = error["spans"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|span| span["label"].as_str());
    words.extend(labels.map(|label| format!("   ^ {label}\n")));
    let notes = error["children"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|note| note["level"] == "note");
    let own = notes.filter(|note| note["spans"].as_array().unwrap().is_empty());
    words.extend(own.map(|note| format!("   = note: {}\n", note["message"].as_str().unwrap())));
    words + "\n"
}
