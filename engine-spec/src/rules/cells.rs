//! The matrix: pairs of features, and features on hardware.
//!
//! One finding a cell, the page's before the engine's: where the page says no, that this engine has not built it
//! either is no news. A pair of which one half is not built on the target is not reported for the pair as well.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::family::Family;
use crate::feature::{Feature, FeatureSet};
use crate::matrix::{Cell, CellId, EngineVerdict, Mode, Verdict};
use crate::nearest;

pub static PAIR: Rule = Rule {
    code: Code(101),
    name: "pair",
    doc: "two features whose cell on the page is no; with `matrix = \"engine\"` the page is not asked",
    check: Check::Case(|case, found| page(case, found, |id| matches!(id, CellId::Pair(..)))),
};

pub static HARDWARE: Rule = Rule {
    code: Code(102),
    name: "hardware",
    doc: "a feature whose cell for the target's family is no on the page; with `matrix = \"engine\"` the page is not asked",
    check: Check::Case(|case, found| page(case, found, |id| matches!(id, CellId::Hardware(..)))),
};

pub static UNKNOWN: Rule = Rule {
    code: Code(103),
    name: "unknown-pair",
    doc: "two features of which nobody has said whether they work together; a profile may take the pair by name and say why",
    check: Check::Case(unknown),
};

pub static UNPROVEN_PAIR: Rule = Rule {
    code: Code(104),
    name: "unproven-pair",
    doc: "two features that no test of this engine runs together yet; its verdicts are proofs and not promises",
    check: Check::Case(unproven_pair),
};

pub static UNPROVEN_HARDWARE: Rule = Rule {
    code: Code(105),
    name: "unproven-hardware",
    doc: "a feature that no test of this engine runs on the target's family yet; its verdicts are proofs and not promises",
    check: Check::Case(unproven_hardware),
};

/// The page's `no` in one kind of cell.
fn page(case: &Case<'_>, found: &mut Diagnostics, kind: fn(CellId) -> bool) {
    let family = case.plan.target.family();
    if case.plan.mode != Mode::Vllm {
        return;
    }
    let refused = |cell: &&Cell| kind(cell.id) && cell.vllm == Verdict::No;
    for cell in case.matrix.touched(case.set(), family).filter(refused) {
        let mut diagnostic = match cell.id {
            CellId::Pair(a, b) => {
                let title = format!("`{a}` does not work with `{b}`");
                together(PAIR.code, case, (a, b), title, "not together with")
            }
            CellId::Hardware(feature, family) => {
                let others = nearest::families_of(case.matrix, feature);
                alone(
                    HARDWARE.code,
                    case,
                    feature,
                    format!("`{feature}` does not work on `{family}`"),
                    "not available here",
                )
                .help(elsewhere(&others))
            }
        };
        diagnostic = because(diagnostic, cell);
        if let CellId::Pair(a, b) = cell.id {
            diagnostic = diagnostic.help(format!("remove `{a}` or `{b}`"));
        }
        if cell.engine.is_yes() && family.backend().is_built() {
            diagnostic = diagnostic.help("this engine's own kernels can: set matrix = \"engine\"");
        }
        found.push(diagnostic);
    }
}

fn unknown(case: &Case<'_>, found: &mut Diagnostics) {
    if case.plan.mode != Mode::Vllm {
        return;
    }
    let accepted = case.accepted();
    for (a, b) in case.set().pairs() {
        let cell = case.matrix.cell(CellId::Pair(a, b));
        if cell.vllm == Verdict::Unknown && !accepted.contains(&cell.id) {
            let title = format!("nobody knows whether `{a}` works with `{b}`");
            found.push(
                because(together(UNKNOWN.code, case, (a, b), title, "untried with"), cell)
                    .help(format!("remove `{a}` or `{b}`"))
                    .help(format!("or take it knowingly: `[[accept]]` with `pair = [\"{a}\", \"{b}\"]` and a `reason`")),
            );
        }
    }
}

fn unproven_pair(case: &Case<'_>, found: &mut Diagnostics) {
    let family = case.plan.target.family();
    if !family.backend().is_built() {
        return;
    }
    let runs = |feature| {
        case.matrix
            .cell(CellId::Hardware(feature, family))
            .engine
            .is_yes()
    };
    for (a, b) in case.set().pairs() {
        let cell = case.matrix.cell(CellId::Pair(a, b));
        if let EngineVerdict::No { why } = cell.engine
            && runs(a)
            && runs(b)
            && !said_by_page(case, cell)
        {
            let title = format!("this engine does not run `{a}` with `{b}`: {why}");
            found.push(
                together(
                    UNPROVEN_PAIR.code,
                    case,
                    (a, b),
                    title,
                    "not yet together with",
                )
                .note(page_says(cell))
                .help(format!("remove `{a}` or `{b}`"))
                .not_built(),
            );
        }
    }
}

fn unproven_hardware(case: &Case<'_>, found: &mut Diagnostics) {
    let family = case.plan.target.family();
    if !family.backend().is_built() {
        return;
    }
    for feature in case.set().iter() {
        let cell = case.matrix.cell(CellId::Hardware(feature, family));
        if let EngineVerdict::No { why } = cell.engine
            && !said_by_page(case, cell)
        {
            let title = format!("this engine does not run `{feature}` on `{family}`: {why}");
            found.push(
                alone(
                    UNPROVEN_HARDWARE.code,
                    case,
                    feature,
                    title,
                    "no test runs it here",
                )
                .note(page_says(cell))
                .help(format!(
                    "remove `{feature}`; what this engine runs: {}",
                    built(case, family)
                ))
                .not_built(),
            );
        }
    }
}

/// Where cells are refused in twos and more, the way out of all of them at once stands with the last: the smallest
/// sets of features to remove, and the families where the whole profile works.
pub(super) fn way_out(case: &Case<'_>, found: &mut Diagnostics) {
    let conflict = |one: &Diagnostic| [PAIR.code, HARDWARE.code, UNKNOWN.code].contains(&one.code);
    let conflicts = found.iter().filter(|one| conflict(one)).count();
    if conflicts < 2 {
        return;
    }
    let ways = nearest::by_page(
        case.matrix,
        case.set(),
        case.plan.target.family(),
        &case.accepted(),
    );
    let Some(last) = found.last_mut(conflict) else {
        return;
    };
    let drops: Vec<_> = ways
        .drop
        .iter()
        .take(MOST_WAYS)
        .map(|drop| listed(*drop))
        .collect();
    last.helps.push(format!(
        "the smallest way out of all {conflicts}: remove {}",
        drops.join(", or ")
    ));
    if !ways.families.is_empty() {
        last.helps.push(format!(
            "with all its features it works on {}",
            names(&ways.families)
        ));
    }
}

/// More ways than these are no help.
const MOST_WAYS: usize = 3;

fn listed(set: FeatureSet) -> String {
    set.iter()
        .map(|feature| format!("`{feature}`"))
        .collect::<Vec<_>>()
        .join(" and ")
}

fn names(families: &[Family]) -> String {
    families
        .iter()
        .map(|family| family.name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether the page's own verdict is already a finding.
fn said_by_page(case: &Case<'_>, cell: &Cell) -> bool {
    case.plan.mode == Mode::Vllm
        && match cell.vllm {
            Verdict::Yes => false,
            Verdict::No => true,
            Verdict::Unknown => !case.accepted().contains(&cell.id),
        }
}

fn together(
    code: Code,
    case: &Case<'_>,
    (a, b): (Feature, Feature),
    title: String,
    how: &str,
) -> Diagnostic {
    Diagnostic::new(code, title)
        .at(&case.key(a), format!("{how} `{b}`"))
        .beside(&case.key(b), "chosen here")
}

fn alone(code: Code, case: &Case<'_>, feature: Feature, title: String, what: &str) -> Diagnostic {
    Diagnostic::new(code, title)
        .at(&case.key(feature), what)
        .beside(&case.profile.target.span, case.plan.target.describe())
}

/// Why the page says so, and where it is tracked.
fn because(diagnostic: Diagnostic, cell: &Cell) -> Diagnostic {
    let diagnostic = diagnostic.note(cell.reason);
    if cell.link.is_empty() {
        diagnostic
    } else {
        diagnostic.note(format!("tracked at {}", cell.link))
    }
}

fn page_says(cell: &Cell) -> String {
    match cell.vllm {
        Verdict::Yes => {
            "the page says yes; a verdict of this engine needs a test that runs it".to_owned()
        }
        Verdict::No => format!("the page says no too: {}", cell.reason),
        Verdict::Unknown => format!("on the page it is unknown: {}", cell.reason),
    }
}

fn elsewhere(families: &[Family]) -> String {
    format!("remove it, or set target to one of {}", names(families))
}

/// What the engine runs on a family, in words.
fn built(case: &Case<'_>, family: Family) -> String {
    let runs = |feature: &Feature| {
        case.matrix
            .cell(CellId::Hardware(*feature, family))
            .engine
            .is_yes()
    };
    let names: Vec<_> = Feature::ALL
        .into_iter()
        .filter(runs)
        .map(Feature::name)
        .collect();
    if names.is_empty() {
        "no optional feature yet".to_owned()
    } else {
        names.join(", ")
    }
}
