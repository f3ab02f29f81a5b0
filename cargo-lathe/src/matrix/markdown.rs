//! The matrix for a document: the triangle, the hardware, and the reason of every cell that is not a plain yes.

use std::io::{self, Write};

use engine_spec::Feature;
use engine_spec::matrix::Cell;

use super::{GLYPHS, View, glyph};

pub fn write(view: &View, out: &mut impl Write) -> io::Result<()> {
    let features: Vec<Feature> = view.features.iter().collect();
    let before = features.split_last().map_or(&[][..], |(_, before)| before);
    head(out, before.iter().map(|feature| feature.name()))?;
    for feature in &features {
        let (pairs, _) = view.row(*feature);
        row(out, *feature, &pairs, before.len())?;
    }
    writeln!(out)?;
    head(out, view.families.iter().map(|family| family.title()))?;
    for feature in &features {
        let (_, hardware) = view.row(*feature);
        row(out, *feature, &hardware, view.families.len())?;
    }
    writeln!(out)?;
    let shown: Vec<char> = view.cells().map(glyph).collect();
    for (glyph, meaning) in GLYPHS.iter().filter(|(glyph, _)| shown.contains(glyph)) {
        writeln!(out, "{glyph} {meaning}  ")?;
    }
    writeln!(out)?;
    for cell in view.cells().filter(|cell| !cell.reason.is_empty()) {
        writeln!(
            out,
            "- {} {}: {}{}",
            glyph(cell),
            cell.id,
            cell.reason,
            tracked(cell)
        )?;
    }
    Ok(())
}

fn head<'a>(out: &mut impl Write, columns: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let columns: Vec<&str> = columns.collect();
    writeln!(
        out,
        "| |{}",
        columns
            .iter()
            .map(|name| format!(" {name} |"))
            .collect::<String>()
    )?;
    writeln!(out, "|---|{}", ":-:|".repeat(columns.len()))
}

fn row(out: &mut impl Write, feature: Feature, cells: &[&Cell], width: usize) -> io::Result<()> {
    write!(out, "| {feature} |")?;
    for cell in cells {
        match cell.link {
            "" => write!(out, " {} |", glyph(cell))?,
            link => write!(out, " [{}]({link}) |", glyph(cell))?,
        }
    }
    writeln!(out, "{}", " |".repeat(width.saturating_sub(cells.len())))
}

fn tracked(cell: &Cell) -> String {
    match cell.link {
        "" => String::new(),
        link => format!(" ({link})"),
    }
}
