//! What was executed, and what was not because this machine lacks something. The standard test harness has no
//! verdict between passed and failed, so a test that cannot run says so here.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Mutex;

use crate::seed::aloud;

/// Notes that the running test executes on `what`: an instruction set, a backend, a tool.
pub fn executed(what: &str) {
    static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if known.insert(what.to_owned()) {
        note(&format!("executed\t{what}"));
    }
}

/// Notes that the running test does not run, since this machine has no `what`; the caller returns after it. The line
/// `skipped: TEST: this machine has no WHAT (REASON)` is printed even though the test passes, and written to the file
/// that `LATHE_REPORT` names, which `.ci/run` ends with.
///
/// # Panics
///
/// If `LATHE_MUST_RUN`, a list with commas, names `what`: then a skip is a failure.
pub fn skipped(what: &str, reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    aloud(&format!(
        "skipped: {test}: this machine has no {what} ({reason})"
    ));
    note(&format!("skipped\t{what}\t{test}\t{reason}"));
    let must_run = std::env::var("LATHE_MUST_RUN").unwrap_or_default();
    assert!(
        !names(&must_run, what),
        "{test} must run (LATHE_MUST_RUN={must_run}), and this machine has no {what}: {reason}"
    );
}

/// Opens what a test runs on, or notes that it cannot: `None` where the test has nothing to do.
pub fn here<T, E: std::fmt::Display>(what: &str, opened: Result<T, E>) -> Option<T> {
    match opened {
        Ok(opened) => {
            executed(what);
            Some(opened)
        }
        Err(error) => {
            skipped(what, &error.to_string());
            None
        }
    }
}

fn names(list: &str, what: &str) -> bool {
    list.split(',').any(|name| name.trim() == what)
}

fn note(line: &str) {
    let Some(path) = std::env::var_os("LATHE_REPORT") else {
        return;
    };
    let file = OpenOptions::new().create(true).append(true).open(&path);
    // One write, so that lines of tests side by side stay whole.
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.unwrap_or_else(|error| panic!("LATHE_REPORT is {}: {error}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn must_run_is_a_list_of_whole_names() {
        assert!(names("avx2, avx512bf16", "avx512bf16"));
        assert!(!names("avx512bf16", "avx512"));
        assert!(!names("", "avx2"));
    }
}
