//! The table of what was measured of each golden in each type on each backend.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

const BACKENDS: [&str; 5] = ["reference", "portable", "avx2", "avx512", "avx512bf16"];

/// Largest differences from the golden logits.
#[derive(Debug, Default)]
pub struct Rounding {
    /// By golden and type, then by backend.
    rows: BTreeMap<(String, String), BTreeMap<String, f32>>,
}

impl Rounding {
    pub fn note(&mut self, golden: &str, dtype: &str, backend: &str, difference: f32) {
        assert!(BACKENDS.contains(&backend), "{backend} has no column");
        let row = (golden.to_owned(), dtype.to_owned());
        let columns = self.rows.entry(row).or_default();
        columns.insert(backend.to_owned(), difference);
    }

    /// Fails where something is beyond twice what stands in the committed table for this backend, or for the worst one
    /// where this one was never measured. `LATHE_BLESS` rewrites the table first.
    pub fn hold(&self) {
        // Tests of several backends share the file.
        static FILE: Mutex<()> = Mutex::new(());
        let _alone = FILE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut committed = Self::read();
        if std::env::var_os("LATHE_BLESS").is_some() {
            for ((golden, dtype), columns) in &self.rows {
                for (backend, &difference) in columns {
                    committed.note(golden, dtype, backend, difference);
                }
            }
            std::fs::write(path(), committed.text()).unwrap();
        }
        for (row @ (golden, dtype), columns) in &self.rows {
            let known = committed.rows.get(row);
            let known = known.unwrap_or_else(|| {
                panic!("{golden} in {dtype} was never measured: set LATHE_BLESS=1")
            });
            let most = known.values().copied().fold(0.0, f32::max);
            for (backend, &difference) in columns {
                let bound = 2.0 * known.get(backend).copied().unwrap_or(most);
                assert!(
                    difference <= bound,
                    "{golden} in {dtype} on {backend}: {difference:.2e} is more than twice what was measured, {bound:.2e}"
                );
            }
        }
    }

    fn read() -> Self {
        let text = std::fs::read_to_string(path()).unwrap_or_default();
        let mut table = Self::default();
        for line in text.lines().skip(1) {
            let mut cells = line.split('\t');
            let (golden, dtype) = (cells.next().unwrap(), cells.next().unwrap());
            for (backend, cell) in BACKENDS.into_iter().zip(cells) {
                if let Ok(difference) = cell.parse() {
                    table.note(golden, dtype, backend, difference);
                }
            }
        }
        table
    }

    fn text(&self) -> String {
        let mut text = format!("golden\tdtype\t{}\n", BACKENDS.join("\t"));
        for ((golden, dtype), columns) in &self.rows {
            let cells = BACKENDS.map(|backend| {
                let measured = columns.get(backend);
                measured.map_or("-".to_owned(), |difference| format!("{difference:.2e}"))
            });
            writeln!(text, "{golden}\t{dtype}\t{}", cells.join("\t")).unwrap();
        }
        text
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/rounding.tsv")
}
