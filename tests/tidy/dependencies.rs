//! How many crates each program is made of.

use std::collections::BTreeSet;
use std::process::Command;

use crate::checkout::root;

/// Crates of a package's normal build on this machine, itself and the other ones of this repository among them.
fn crates(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--package", package])
        .args([
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs, as it runs this");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "cargo tree: {said}");
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    });
    crates.collect()
}

#[test]
fn programs_stay_small() {
    for (package, most) in [("lathe", 150), ("cargo-lathe", 60)] {
        let crates = crates(package);
        assert!(crates.len() > 20, "{package}: only {crates:?}");
        assert!(
            crates.len() < most,
            "{package} is made of {} crates and must stay under {most}: {crates:?}",
            crates.len()
        );
    }
}
