//! The matrix for a document: the triangle, the hardware, and the reason of every cell that is not a plain yes.
//!
//! `docs/matrix.md` is made of the same pieces.

use engine_spec::Feature;
use engine_spec::matrix::{Cell, Verdict};

use super::View;
use crate::docs::page::Page;

pub fn markdown(view: &View) -> String {
    let mut page = Page::default();
    pairs(&mut page, view);
    page.line("");
    hardware(&mut page, view);
    page.line("");
    legend(&mut page, view);
    page.line("");
    reasons(&mut page, view);
    page.text()
}

/// Each feature's pairs with the features before it.
pub fn pairs(page: &mut Page, view: &View) {
    let features: Vec<Feature> = view.features.iter().collect();
    let before = features.split_last().map_or(&[][..], |(_, before)| before);
    head(page, before.iter().map(|feature| feature.name()));
    for feature in &features {
        row(page, view, *feature, before.len(), &view.row(*feature).0);
    }
}

/// Each feature on each family.
pub fn hardware(page: &mut Page, view: &View) {
    head(page, view.families.iter().map(|family| family.title()));
    for feature in view.features.iter() {
        row(
            page,
            view,
            feature,
            view.families.len(),
            &view.row(feature).1,
        );
    }
}

/// What the glyphs in sight mean.
pub fn legend(page: &mut Page, view: &View) {
    for (glyph, meaning) in view.legend() {
        page.line(&format!("{glyph} {meaning}  "));
    }
}

/// Why, for every cell of vLLM's matrix that is not yes.
pub fn reasons(page: &mut Page, view: &View) {
    page.head(&["cell", "vLLM", "why"]);
    for cell in view.cells().filter(|cell| cell.vllm != Verdict::Yes) {
        page.row([
            cell.id.to_string(),
            mark(view, cell),
            cell.reason.to_owned(),
        ]);
    }
}

fn head<'a>(page: &mut Page, columns: impl Iterator<Item = &'a str>) {
    let columns: Vec<String> = columns.map(|name| format!("{name}:")).collect();
    let columns = columns.iter().map(String::as_str);
    page.head(&["feature"].into_iter().chain(columns).collect::<Vec<_>>());
}

fn row(page: &mut Page, view: &View, feature: Feature, width: usize, cells: &[&Cell]) {
    let empty = std::iter::repeat_n(String::new(), width.saturating_sub(cells.len()));
    let cells = cells.iter().map(|cell| mark(view, cell)).chain(empty);
    page.row([format!("`{feature}`")].into_iter().chain(cells));
}

/// A cell's glyph, which leads to where vLLM tracks it, and where this engine proves it.
fn mark(view: &View, cell: &Cell) -> String {
    let glyph = match cell.link {
        "" => view.glyph(cell).to_string(),
        link => format!("[{}]({link})", view.glyph(cell)),
    };
    format!("{glyph} {}", view.places(cell))
        .trim_end()
        .to_owned()
}
