//! The matrix for scripts: one line a cell, in the order of `cells.tsv`, with the engine's verdict beside the page's.

use std::io::{self, Write};

use super::View;

pub fn write(view: &View, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "kind\ta\tb\tvllm\tengine\tlink\treason")?;
    for cell in view.cells() {
        writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            cell.id.kind(),
            cell.id.a(),
            cell.id.b(),
            cell.vllm.name(),
            cell.engine.name(),
            cell.link,
            cell.reason
        )?;
    }
    Ok(())
}
