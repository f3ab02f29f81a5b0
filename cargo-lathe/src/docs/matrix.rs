//! `docs/matrix.md`: both verdicts of every cell, the reasons, the proofs and the counts.

use std::collections::BTreeMap;

use engine_spec::matrix::{MATRIX, Unknown, counts, files};

use super::page::Page;
use crate::matrix::{View, markdown};

/// The page as Markdown.
pub fn matrix() -> String {
    let view = View::whole();
    let mut page = Page::titled(
        "The compatibility matrix",
        "What vLLM's matrix says, and what this engine proves. A profile with `matrix = \"vllm\"`, the default, needs ● for all its cells; one with \
         `matrix = \"engine\"` needs a filled sign of any shape. Beside a filled sign stands where it is proven, by backend and evidence: `here` on the processor that runs the \
         tests, in an `emulator`, or on the `device`. A profile is held to the backend of its target. Each sign leads to where vLLM tracks the combination.\n",
    );
    markdown::legend(&mut page, &view);
    page.section(
        "Features with each other",
        "Each row is a feature, each column a feature before it.",
    );
    markdown::pairs(&mut page, &view);
    page.section(
        "Features on hardware",
        "Each row is a feature, each column a family.",
    );
    markdown::hardware(&mut page, &view);
    totals(&mut page);
    proofs(&mut page);
    page.section("Why not", "Every cell of vLLM's matrix that is not yes.");
    markdown::reasons(&mut page, &view);
    page.text()
}

fn totals(page: &mut Page) {
    page.section(
        "How many profiles vLLM's matrix allows",
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
    page.section(
        "What this engine proves",
        "Each of these cells has a test that runs the combination and declares it with `proves!`; every other verdict of this engine is no: not built yet.",
    );
    page.head(&["cell", "vLLM", "proven", "tests"]);
    let tables = [files::proofs(files::PROOFS), files::device(files::DEVICE)];
    let mut tests: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (cell, backend, proof) in tables.into_iter().flatten().flatten() {
        let place = tests.entry((cell, backend, proof.evidence)).or_default();
        place.push(format!("`{}`", proof.test));
    }
    for ((cell, backend, evidence), tests) in tests {
        page.row([
            cell.to_string(),
            MATRIX.cell(cell).vllm.name().to_owned(),
            format!("{}:{}", backend.name(), evidence.name()),
            tests.join(", "),
        ]);
    }
}
