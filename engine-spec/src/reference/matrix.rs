//! `docs/matrix.md`: both verdicts of every cell, the reasons, the proofs and the counts.

use super::Page;
use crate::family::Family;
use crate::feature::Feature;
use crate::matrix::{Cell, CellId, EngineVerdict, MATRIX, Unknown, Verdict, counts};

/// The page as Markdown.
pub fn matrix() -> String {
    let mut page = Page::titled(
        "The compatibility matrix",
        "What vLLM's compatibility page says, and what this engine proves. ✅ yes, ❌ no, ❔ unknown are the page's verdicts, linked to where the page \
         tracks them; ★ marks a cell that a test of this engine runs. A profile with `matrix = \"vllm\"`, the default, needs ✅ and ★ for all its cells; one with \
         `matrix = \"engine\"` needs ★.",
    );
    features(&mut page);
    hardware(&mut page);
    totals(&mut page);
    proofs(&mut page);
    reasons(&mut page);
    page.0
}

fn features(page: &mut Page) {
    page.section(
        "Features with each other",
        "Each row is a feature, each column a feature before it.",
    );
    let columns = Feature::ALL.map(Feature::name);
    let columns = &columns[..Feature::COUNT - 1];
    grid(page, columns, |at, a| {
        let before = Feature::ALL[..at]
            .iter()
            .map(|b| mark(MATRIX.cell(CellId::Pair(a, *b))));
        before
            .chain(std::iter::repeat_n(
                String::new(),
                columns.len().saturating_sub(at),
            ))
            .collect()
    });
}

fn hardware(page: &mut Page) {
    page.section(
        "Features on hardware",
        "Each row is a feature, each column a family.",
    );
    grid(page, &Family::ALL.map(Family::title), |_, a| {
        Family::ALL
            .iter()
            .map(|family| mark(MATRIX.cell(CellId::Hardware(a, *family))))
            .collect()
    });
}

/// A row for each feature, by its place and itself.
fn grid(page: &mut Page, columns: &[&str], cells: impl Fn(usize, Feature) -> Vec<String>) {
    let columns: Vec<_> = columns.iter().map(|name| format!("{name}:")).collect();
    page.head(
        &["feature"]
            .into_iter()
            .chain(columns.iter().map(String::as_str))
            .collect::<Vec<_>>(),
    );
    for (at, feature) in Feature::ALL.into_iter().enumerate() {
        page.row(
            [format!("`{feature}`")]
                .into_iter()
                .chain(cells(at, feature)),
        );
    }
}

fn mark(cell: &Cell) -> String {
    let verdict = match cell.vllm {
        Verdict::Yes => "✅",
        Verdict::No => "❌",
        Verdict::Unknown => "❔",
    };
    let verdict = if cell.link.is_empty() {
        verdict.to_owned()
    } else {
        format!("[{verdict}]({})", cell.link)
    };
    if cell.engine.is_yes() {
        verdict + " ★"
    } else {
        verdict
    }
}

fn totals(page: &mut Page) {
    page.section(
        "How many profiles the page allows",
        "Feature sets of each family, of 32,768: all legal ones, and the maximal ones, to which nothing can be added. A subset of a legal set is legal, so the \
         maximal ones describe all.",
    );
    page.head(&[
        "family",
        "legal",
        "maximal",
        "legal, unknown accepted",
        "maximal, unknown accepted",
    ]);
    let (refused, accepted) = (
        counts(&MATRIX, Unknown::Refused),
        counts(&MATRIX, Unknown::Accepted),
    );
    let mut sums = [0; 4];
    for (refused, accepted) in refused.iter().zip(&accepted) {
        let numbers = [
            refused.legal,
            refused.maximal,
            accepted.legal,
            accepted.maximal,
        ];
        sums.iter_mut()
            .zip(numbers)
            .for_each(|(sum, number)| *sum += number);
        page.row(
            [refused.family.title().to_owned()]
                .into_iter()
                .chain(numbers.map(|number| number.to_string())),
        );
    }
    page.row(
        ["all".to_owned()]
            .into_iter()
            .chain(sums.map(|sum| sum.to_string())),
    );
}

fn proofs(page: &mut Page) {
    let proven: Vec<_> = MATRIX
        .cells()
        .iter()
        .filter(|cell| cell.engine.is_yes())
        .collect();
    page.section(
        "What this engine proves",
        "Each of these cells has a test that runs the combination; every other verdict of this engine is no: not built yet.",
    );
    if proven.is_empty() {
        page.line("None yet.");
        return;
    }
    page.head(&["cell", "page", "test"]);
    for cell in proven {
        if let EngineVerdict::Yes { test } = cell.engine {
            page.row([
                cell.id.to_string(),
                cell.vllm.name().to_owned(),
                format!("`{test}`"),
            ]);
        }
    }
}

fn reasons(page: &mut Page) {
    page.section("Why not", "Every cell of the page that is not yes.");
    page.head(&["cell", "page", "why"]);
    for cell in MATRIX
        .cells()
        .iter()
        .filter(|cell| cell.vllm != Verdict::Yes)
    {
        page.row([cell.id.to_string(), mark(cell), cell.reason.to_owned()]);
    }
}
