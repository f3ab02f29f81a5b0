//! The pages of `docs/` that are made from the tables: what is known, and what a profile may say.
//!
//! The committed files are compared with these by a test; `LATHE_BLESS=1` writes them anew.

mod matrix;
mod profile;

use std::fmt::Write;

pub use matrix::matrix;
pub use profile::profile;

/// What stands at the top of each page.
const GENERATED: &str = "<!-- Made from the tables of engine-spec. Change those, then run: LATHE_BLESS=1 cargo test -p engine-spec -->\n";

/// A page that is written line by line.
#[derive(Default)]
struct Page(String);

impl Page {
    fn titled(title: &str, lead: &str) -> Page {
        Page(format!("{GENERATED}# {title}\n\n{lead}\n"))
    }

    fn section(&mut self, title: &str, lead: &str) {
        self.line(&format!("\n## {title}\n\n{lead}\n"));
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A table's head; each column is left-aligned, or centred if its name ends in a colon.
    fn head(&mut self, columns: &[&str]) {
        self.row(columns.iter().map(|name| name.trim_end_matches(':')));
        self.row(
            columns
                .iter()
                .map(|name| if name.ends_with(':') { ":-:" } else { "---" }),
        );
    }

    fn row(&mut self, cells: impl IntoIterator<Item = impl std::fmt::Display>) {
        self.0.push('|');
        for cell in cells {
            write!(self.0, " {} |", cell.to_string().replace('|', "\\|"))
                .expect("a string takes everything");
        }
        self.0.push('\n');
    }
}
