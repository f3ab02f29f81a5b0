//! The compiler that a profile goes through, with real cargo calls: what it says of a profile that is wrong, of a call
//! that cannot build a sound one, and that it looks again when something has changed.
//!
//! The calls only check, in the target folder of this test, where a `cargo check` may have been before.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use engine_spec::{Machine, Manifest};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Cargo works on one call at a time, and a test that waits for the other's lock would say so on standard error.
static CARGO: Mutex<()> = Mutex::new(());

/// A file of this test's alone.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The errors of `cargo check`; empty if it succeeds.
fn check(profile: Option<&Path>, features: &str) -> String {
    let tests = std::env::current_exe().unwrap();
    let target = tests.ancestors().nth(3).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(ROOT).args([
        "check",
        "--quiet",
        "--package",
        "lathe",
        "--bin",
        "engine",
        "--features",
        features,
    ]);
    cargo
        .arg("--target-dir")
        .arg(target)
        .env("CARGO_TERM_COLOR", "never")
        .env_remove("LATHE_PROFILE");
    cargo.envs(profile.map(|path| ("LATHE_PROFILE", path)));
    let output = cargo.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.success(),
        !errors.contains("error"),
        "{errors}"
    );
    if output.status.success() {
        return String::new();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let shown = folder.strip_prefix(ROOT).unwrap_or(folder);
    errors.replace(&shown.display().to_string(), "TMP")
}

const SOUND: &str = r#"
name   = "changing"
target = "portable"

[model]
family = "llama"
dtype  = "f32"
"#;

#[test]
fn a_wrong_profile_shows_its_errors_and_nothing_else() {
    let _one = CARGO.lock().unwrap();
    let path = file("wrong.toml");
    let features = "\n[features]\nlora = true\ncuda-graph = { max-batch = 4, streams = 2 }\n";
    std::fs::write(&path, SOUND.to_owned() + features).unwrap();
    let errors = check(Some(&path), "");
    assert!(
        errors.contains("src/main.rs"),
        "each error is at the name that the user gave"
    );
    // Without the place in src/main.rs, which moves with every edit there.
    let own = |line: &&str| line.starts_with("error") || line.starts_with("       ");
    let errors = errors.lines().filter(own).collect::<Vec<_>>();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn a_changed_profile_or_shape_is_seen() {
    let _one = CARGO.lock().unwrap();
    let (path, shape) = (file("changing.toml"), file("changing.json"));
    let with_shape = SOUND.to_owned() + "shape  = \"changing.json\"\n";
    let config =
        std::fs::read_to_string(Path::new(ROOT).join("tests/profiles/shapes/qwen2.5-0.5b.json"))
            .unwrap();
    std::fs::write(&shape, &config).unwrap();

    std::fs::write(&path, with_shape.replace("llama", "qwen2")).unwrap();
    assert_eq!(check(Some(&path), ""), "");
    std::fs::write(&path, &with_shape).unwrap();
    assert!(
        check(Some(&path), "").contains("changing.toml:"),
        "the shape is another family's"
    );
    std::fs::write(&path, with_shape.replace("llama", "qwen2")).unwrap();
    assert_eq!(check(Some(&path), ""), "");
    std::fs::write(
        &shape,
        config.replace("\"hidden_size\"", "\"hidden_sighs\""),
    )
    .unwrap();
    assert!(
        check(Some(&path), "").contains("hidden_size"),
        "the shape has changed"
    );
    assert_eq!(check(None, ""), "", "the variable has changed");
}

#[test]
fn a_call_that_cannot_build_a_profile_names_the_one_that_can() {
    let _one = CARGO.lock().unwrap();
    let two = check(None, "deploy-portable,deploy-default");
    assert!(two.contains("error: lathe@0.1.0: two deployments at once, `deploy-default` and `deploy-portable`: one cargo call builds one engine"), "{two}");
    assert!(
        two.contains("error: lathe@0.1.0: run: cargo build --features deploy-portable"),
        "{two}"
    );
    let other = check(Some(Path::new("profiles/default.toml")), "deploy-portable");
    assert!(other.contains("error: lathe@0.1.0: LATHE_PROFILE names profiles/default.toml and the feature `deploy-portable` another profile"), "{other}");
    assert!(
        other.contains("error: lathe@0.1.0: run: LATHE_PROFILE=profiles/default.toml cargo build"),
        "{other}"
    );
    for message in [two, other] {
        assert!(
            !message.contains("could not compile"),
            "nothing is compiled after it: {message}"
        );
    }
}

#[test]
fn the_engine_carries_its_manifest() {
    let profile = std::env::var_os("LATHE_PROFILE")
        .map_or(PathBuf::from("profiles/default.toml"), PathBuf::from);
    let checked = engine_spec::check_file(&Path::new(ROOT).join(profile), &Machine::detect());
    let plan = checked.plan().unwrap_or_else(|found| panic!("{found}"));
    let manifest = Manifest::of(&plan).json();
    let binary = std::fs::read(env!("CARGO_BIN_EXE_engine")).unwrap();
    let found = binary
        .windows(manifest.len())
        .filter(|bytes| *bytes == manifest.as_bytes())
        .count();
    assert_eq!(found, 1, "the manifest stands in the binary, once");
}
