//! Markdown, line by line.

use std::fmt::{Display, Write};

/// What stands at the top of each committed page.
const GENERATED: &str = "<!-- Made from the tables of engine-spec. Change those, then run: LATHE_BLESS=1 cargo test -p cargo-lathe --test docs -->\n";

/// A page that is written line by line.
#[derive(Default)]
pub struct Page(String);

impl Page {
    pub fn titled(title: &str, lead: &str) -> Page {
        Page(format!("{GENERATED}# {title}\n\n{lead}\n"))
    }

    pub fn text(self) -> String {
        self.0
    }

    pub fn section(&mut self, title: &str, lead: &str) {
        self.line(&format!("\n## {title}\n\n{lead}\n"));
    }

    pub fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A table's head; each column is left-aligned, or centred if its name ends in a colon.
    pub fn head(&mut self, columns: &[&str]) {
        self.row(columns.iter().map(|name| name.trim_end_matches(':')));
        self.row(
            columns
                .iter()
                .map(|name| if name.ends_with(':') { ":-:" } else { "---" }),
        );
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Display>) {
        self.0.push('|');
        for cell in cells {
            write!(self.0, " {} |", cell.to_string().replace('|', "\\|"))
                .expect("a string takes everything");
        }
        self.0.push('\n');
    }
}
