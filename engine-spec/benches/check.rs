//! How long checking a profile takes, against the limit of 10 ms: reading, all rules, the search for ways out, and rendering.
//!
//! `cargo bench -p engine-spec`. A plain program: the times are far from the limit, and the middle of many runs is steady enough.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine_spec::{Arch, Machine};

const LIMIT: Duration = Duration::from_millis(10);
const RUNS: usize = 51;

fn main() {
    let machine = Machine::imagined(Arch::X86V4Bf16);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut slowest = (Duration::ZERO, String::new());
    for folder in ["profiles", "tests/profiles/good", "tests/profiles/bad"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("the repository has this folder");
        for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
            if path.extension().is_none_or(|end| end != "toml") {
                continue;
            }
            let mut times: Vec<_> = (0..RUNS).map(|_| time(&path, &machine)).collect();
            times.sort();
            let middle = times[RUNS / 2];
            if middle > slowest.0 {
                slowest = (
                    middle,
                    format!(
                        "{folder}/{}",
                        path.file_name().unwrap_or_default().display()
                    ),
                );
            }
        }
    }
    let (time, path) = slowest;
    let share = 100.0 * time.as_secs_f64() / LIMIT.as_secs_f64();
    println!(
        "slowest profile: {path}, {:.3} ms of {} ms ({share:.1} %)",
        time.as_secs_f64() * 1e3,
        LIMIT.as_millis()
    );
    assert!(time < LIMIT, "checking a profile must take less than 10 ms");
}

fn time(path: &std::path::Path, machine: &Machine) -> Duration {
    let start = Instant::now();
    let found = engine_spec::check_file(path, machine).found();
    std::hint::black_box(found.to_string());
    start.elapsed()
}
