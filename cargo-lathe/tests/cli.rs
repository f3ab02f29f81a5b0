//! What `cargo lathe` says, case by case: arguments in, what is printed and the exit status out.
//!
//! Every case runs in the repository's root and as in a pipe, so that nothing is coloured.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn lathe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-lathe"));
    command
        .args(arguments)
        .current_dir(ROOT)
        .env_remove("CLICOLOR_FORCE")
        // A plan names the toolkit that a machine has; this one has none.
        .envs(["LATHE_NVCC", "LATHE_NVRTC", "LATHE_CLANG"].map(|variable| (variable, "")))
        .stdin(Stdio::null());
    command
}

/// Arguments, exit status, standard output, standard error: one text.
fn say(arguments: &[&str]) -> String {
    let output = lathe(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    let status = output.status.code().unwrap();
    let err = if err.is_empty() {
        String::new()
    } else {
        format!("--- standard error\n{err}")
    };
    format!(
        "$ cargo lathe {}\n{out}{err}--- exit {status}\n",
        arguments.join(" ")
    )
}

macro_rules! cases {
    ($($name:ident: $($argument:literal)+;)+) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(say(&[$($argument),+]));
        }
    )+};
}

cases! {
    check_sound: "check" "profiles/portable.toml" "profiles/epyc-9654-chat.toml";
    check_refused: "check" "tests/profiles/bad/pair.toml" "profiles/portable.toml";
    check_short: "check" "--format" "short" "tests/profiles/bad/pair.toml" "tests/profiles/bad/hardware.toml" "no/such.toml";
    check_json: "check" "--format" "json" "profiles/portable.toml" "tests/profiles/bad/hardware.toml";
    check_nothing: "check";
    explain_rules: "explain";
    explain_rule: "explain" "e0102";
    explain_rule_by_name: "explain" "unknown-pair";
    explain_no_rule: "explain" "E0999";
    explain_feature: "explain" "lora";
    explain_alias: "explain" "APC";
    explain_family: "explain" "volta";
    explain_ampere: "explain" "ampere";
    explain_device: "explain" "t4";
    explain_device_with_its_host: "explain" "gh200-96gb";
    explain_cpu: "explain" "epyc-9654";
    explain_architecture: "explain" "gfx942";
    explain_device_not_named_whole: "explain" "h100";
    explain_unknown_device: "explain" "b200";
    explain_pair: "explain" "chunked-prefill" "lora";
    explain_pair_as_rustc_names_it: "explain" "legal::mark::Lora" "ChunkedPrefill";
    explain_unknown_pair: "explain" "guided" "LoRA";
    explain_hardware: "explain" "chunked-prefill" "v100-sxm2-16gb";
    explain_hardware_backwards: "explain" "cpu" "cuda-graph";
    explain_typo: "explain" "chunked-prefil" "volta";
    explain_two_targets: "explain" "volta" "cpu";
    explain_refused_profile: "explain" "tests/profiles/bad/pair.toml";
    explain_sound_profile: "explain" "profiles/portable.toml";
    matrix: "matrix";
    matrix_of_a_device: "matrix" "--target" "v100-sxm2-16gb";
    matrix_of_a_typo: "matrix" "--target" "volto";
    matrix_of_a_profile: "matrix" "--profile" "tests/profiles/good/t4-rag.toml";
    matrix_markdown: "matrix" "--profile" "tests/profiles/good/t4-rag.toml" "--format" "markdown";
    matrix_count: "matrix" "--count";
    matrix_count_of_a_family: "matrix" "--count" "--target" "cpu";
    plan: "plan" "profiles/portable.toml";
    plan_with_memory: "plan" "tests/profiles/good/v100-chat.toml";
    plan_json: "plan" "profiles/portable.toml" "--format" "json";
    plan_refused: "plan" "tests/profiles/bad/hardware.toml";
    expand: "expand" "profiles/portable.toml";
    expand_with_manifest: "expand" "--manifest" "profiles/portable.toml";
    diff: "diff" "tests/profiles/good/t4-rag.toml" "tests/profiles/good/a100-adapters.toml";
    diff_of_the_same: "diff" "profiles/portable.toml" "profiles/portable.toml";
    build_refused: "build" "tests/profiles/bad/hardware.toml";
    build_of_one_name: "build" "profiles/portable.toml" "profiles/epyc-9654-chat.toml" "./profiles/portable.toml";
    inspect_no_object: "inspect" "Cargo.toml";
    inspect_no_file: "inspect" "no/such/engine";
    help: "--help";
}

#[test]
fn the_tsv_is_the_table_with_the_engine_beside_it() {
    let output = lathe(&["matrix", "--format", "tsv"]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let without_engine = printed.lines().map(|line| {
        let mut cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), 7, "{line}");
        cells.remove(4);
        cells.join("\t") + "\n"
    });
    let table =
        std::fs::read_to_string(Path::new(ROOT).join("engine-spec/matrix/cells.tsv")).unwrap();
    assert_eq!(without_engine.collect::<String>(), table);
}

/// The engine's column is `no`, or `yes` and the places that the committed proofs name.
#[test]
fn the_tsv_says_where_each_cell_is_proven() {
    let committed = |file: &str| {
        let path = Path::new(ROOT).join("engine-spec/matrix").join(file);
        std::fs::read_to_string(path).unwrap()
    };
    let proofs = committed("proofs.tsv");
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in proofs.lines().skip(1) {
        let [kind, a, b, backend, evidence, _] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let cell = places.entry([kind, a, b].join("\t")).or_default();
        cell.insert(format!("{backend}:{evidence}"));
    }
    assert!(
        committed("device.tsv").lines().count() == 1,
        "add devices to this test"
    );
    let output = lathe(&["matrix", "--format", "tsv"]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    for line in printed.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let wanted = match places.remove(&cells[..3].join("\t")) {
            None => "no".to_owned(),
            Some(places) => format!("yes {}", Vec::from_iter(places).join(" ")),
        };
        assert_eq!(cells[4], wanted, "{line}");
    }
    assert!(places.is_empty(), "{places:?}");
}

/// What is said of a file is the same whoever is asked; `explain` adds the ways out.
#[test]
fn explain_says_of_a_profile_what_check_says() {
    let folder = Path::new(ROOT).join("tests/profiles/bad");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".toml") {
            continue;
        }
        let path = format!("tests/profiles/bad/{name}");
        let said = |verb: &str| lathe(&[verb, &path]).output().unwrap();
        let (check, explain) = (said("check"), said("explain"));
        assert_eq!(check.status.code(), explain.status.code(), "{name}");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (check, explain) = (text(check.stdout), text(explain.stdout));
        let errors = check.split("\n\n").filter(|part| part.starts_with("error"));
        for error in errors {
            assert!(explain.contains(error), "{name}: {error}\n\n{explain}");
            compared += 1;
        }
    }
    assert!(compared > 50, "only {compared} errors were compared");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for arguments in [
        &["matrix", "--format", "tsv"][..],
        &["explain"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = lathe(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "",
            "{arguments:?}"
        );
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let coloured = |arguments: &[&str]| lathe(arguments).output().unwrap().stdout.contains(&0x1b);
    assert!(!coloured(&["matrix"]));
    assert!(!coloured(&["matrix", "--color", "never"]));
    assert!(coloured(&["matrix", "--color", "always"]));
    assert!(coloured(&[
        "check",
        "--color",
        "always",
        "tests/profiles/bad/pair.toml"
    ]));
}

#[test]
fn it_also_runs_as_cargo_runs_it_from_the_path() {
    assert_eq!(
        say(&["lathe", "matrix", "--count"])
            .lines()
            .skip(1)
            .collect::<Vec<_>>(),
        say(&["matrix", "--count"])
            .lines()
            .skip(1)
            .collect::<Vec<_>>()
    );
}
