//! The matrix for scripts: one line a cell, in the order of `cells.tsv`, with the engine's verdict beside vLLM's: `no`,
//! or `yes` and where it is proven, as in `yes cpu:here`.

use std::io::{self, Write};

use engine_spec::matrix::Cell;

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
            engine(view, cell),
            cell.link,
            cell.reason
        )?;
    }
    Ok(())
}

fn engine(view: &View, cell: &Cell) -> String {
    match view.places(cell).as_str() {
        "" => "no".to_owned(),
        places => format!("yes {places}"),
    }
}
