//! One seed for the whole workspace. `cargo test` always draws the same numbers, so that it cannot fail by chance;
//! `.ci/run` draws fresh ones, and a failure names the seed that repeats it.

use std::io::Write;

use proptest::test_runner::{Config, RngSeed};

/// `LATHE_SEED`, or 0 without it. A test that calls this shows the seed when it fails.
pub fn seed() -> u64 {
    let seed = from_environment();
    // The test harness shows what is printed by a test that failed, and hides it otherwise.
    println!("LATHE_SEED={seed} repeats these random numbers");
    seed
}

/// How a property is tested: `cases` random cases (`PROPTEST_CASES` overrides them) from the workspace's seed.
pub fn properties(cases: u32) -> Config {
    let cases = match std::env::var("PROPTEST_CASES") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("PROPTEST_CASES is `{text}`: {error}")),
        Err(_) => cases,
    };
    Config {
        cases,
        rng_seed: RngSeed::Fixed(seed()),
        // The seed repeats a failure; a file beside the sources would make runs differ from checkout to checkout.
        failure_persistence: None,
        ..Config::default()
    }
}

fn from_environment() -> u64 {
    match std::env::var("LATHE_SEED") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("LATHE_SEED is `{text}`, not a whole number: {error}")),
        Err(_) => 0,
    }
}

/// Writes past the test harness, which would hide what a test that passes prints.
pub(crate) fn aloud(line: &str) {
    let written = writeln!(std::io::stderr(), "{line}");
    written.expect("a test can write to standard error");
}
