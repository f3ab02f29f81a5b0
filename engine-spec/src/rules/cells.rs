//! The matrix: pairs of features, and features on hardware.
//!
//! Every finding here is an objection of [`Terms`](crate::matrix::Terms) put into words; what stands against a cell is
//! decided there, for these rules and for the search for a way out alike. One finding a cell, vLLM's verdict before the
//! engine's. A pair of which one half is not built on the target is not reported for the pair as well, and on a
//! backend that is not built at all [`super::target::BACKEND`] says for all cells at once that nothing is proven.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::family::Family;
use crate::features::{Feature, FeatureSet};
use crate::matrix::{Cell, CellId, Objection, Verdict};
use crate::nearest;
use crate::spell;

pub static PAIR: Rule = Rule {
    code: Code(101),
    name: "pair",
    doc: "two features whose cell in vLLM's matrix is no; with `matrix = \"engine\"` vLLM's matrix is not asked",
    check: Check::Case(pair),
};

pub static HARDWARE: Rule = Rule {
    code: Code(102),
    name: "hardware",
    doc: "a feature whose cell for the target's family is no in vLLM's matrix; with `matrix = \"engine\"` vLLM's matrix is not asked",
    check: Check::Case(hardware),
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
    doc: "two features that no test of this engine runs together on the target's backend yet; its verdicts are proofs and not promises",
    check: Check::Case(unproven_pair),
};

pub static UNPROVEN_HARDWARE: Rule = Rule {
    code: Code(105),
    name: "unproven-hardware",
    doc: "a feature that no test of this engine runs on the target's family yet; its verdicts are proofs and not promises",
    check: Check::Case(unproven_hardware),
};

/// The rule that puts an objection into words.
pub fn rule(id: CellId, objection: Objection) -> &'static Rule {
    match (objection, id) {
        (Objection::No, CellId::Pair(..)) => &PAIR,
        (Objection::No, CellId::Hardware(..)) => &HARDWARE,
        (Objection::Unknown, _) => &UNKNOWN,
        (Objection::Unproven, CellId::Pair(..)) => &UNPROVEN_PAIR,
        (Objection::Unproven, CellId::Hardware(..)) => &UNPROVEN_HARDWARE,
    }
}

/// What is not built yet, in words.
pub const NOT_BUILT: &str = "not built yet";

fn pair(case: &Case<'_>, found: &mut Diagnostics) {
    for (cell, a, b) in pairs(case, Objection::No) {
        let title = format!("`{a}` does not work with `{b}`");
        let finding = because(
            together(PAIR.code, case, (a, b), title, "not together with"),
            cell,
        );
        found.push(
            finding
                .help(format!("remove `{a}` or `{b}`"))
                .helps(ours(case, cell)),
        );
    }
}

fn hardware(case: &Case<'_>, found: &mut Diagnostics) {
    for (cell, feature) in alone_in(case, Objection::No) {
        let title = format!("`{feature}` does not work on `{}`", case.family());
        let finding = because(
            alone(HARDWARE.code, case, feature, title, "not available here"),
            cell,
        );
        found.push(
            finding
                .help(elsewhere(case, feature))
                .helps(ours(case, cell)),
        );
    }
}

fn unknown(case: &Case<'_>, found: &mut Diagnostics) {
    for (cell, a, b) in pairs(case, Objection::Unknown) {
        let title = format!("nobody knows whether `{a}` works with `{b}`");
        let finding = because(
            together(UNKNOWN.code, case, (a, b), title, "untried with"),
            cell,
        );
        let finding = finding.help(format!("remove `{a}` or `{b}`"));
        let unproven = case.is_built() && !cell.engine.on(case.backend()).is_yes();
        found.push(match unproven {
            // Accepted or not, this engine does not run it.
            true => finding,
            false => finding
                .help(format!("or take it knowingly: `[[accept]]` with `pair = [\"{a}\", \"{b}\"]` and a `reason`"))
                .helps(ours(case, cell)),
        });
    }
}

fn unproven_pair(case: &Case<'_>, found: &mut Diagnostics) {
    if !case.is_built() {
        return;
    }
    let runs = |feature| {
        let id = CellId::Hardware(feature, case.family());
        case.matrix.engine(id, case.backend()).is_yes()
    };
    for (cell, a, b) in pairs(case, Objection::Unproven) {
        if runs(a) && runs(b) {
            let title = format!("this engine does not run `{a}` with `{b}`: {NOT_BUILT}");
            let code = UNPROVEN_PAIR.code;
            found.push(
                together(code, case, (a, b), title, "not yet together with")
                    .note(vllm_says(cell))
                    .helps(proven_elsewhere(cell))
                    .help(format!("remove `{a}` or `{b}`"))
                    .not_built(),
            );
        }
    }
}

fn unproven_hardware(case: &Case<'_>, found: &mut Diagnostics) {
    if !case.is_built() {
        return;
    }
    for (cell, feature) in alone_in(case, Objection::Unproven) {
        let family = case.family();
        let title = format!("this engine does not run `{feature}` on `{family}`: {NOT_BUILT}");
        let code = UNPROVEN_HARDWARE.code;
        found.push(
            alone(code, case, feature, title, "no test runs it here")
                .note(vllm_says(cell))
                .help(format!(
                    "remove `{feature}`; what this engine runs: {}",
                    built(case)
                ))
                .not_built(),
        );
    }
}

/// Where cells are refused in twos and more, the way out of all of them at once stands with the last: the smallest
/// sets of features to remove, the families where the whole profile works, and what this engine's own verdicts allow.
pub(super) fn way_out(case: &Case<'_>, found: &mut Diagnostics) {
    let cells = [
        &PAIR,
        &HARDWARE,
        &UNKNOWN,
        &UNPROVEN_PAIR,
        &UNPROVEN_HARDWARE,
    ];
    let conflict = |one: &Diagnostic| cells.iter().any(|rule| rule.code == one.code);
    let conflicts = found.iter().filter(|one| conflict(one)).count();
    if conflicts < 2 {
        return;
    }
    let terms = case.profile.terms();
    let ways = nearest::nearest(case.matrix, &terms, case.set(), case.family());
    let Some(last) = found.last_mut(conflict) else {
        return;
    };
    last.helps.push(format!(
        "the smallest way out of all {conflicts}: remove {}",
        any_of(&ways.drop)
    ));
    match ways.by_engine.as_slice() {
        [] => {}
        [only] if only.is_empty() => last
            .helps
            .push("this engine runs all of it: set matrix = \"engine\"".to_owned()),
        drops => last.helps.push(format!(
            "with matrix = \"engine\" it is enough to remove {}",
            any_of(drops)
        )),
    }
    if !ways.families.is_empty() {
        last.helps.push(format!(
            "with all its features it works on {}",
            names(&ways.families)
        ));
    }
}

/// More ways than these are no help.
const MOST_WAYS: usize = 3;

/// Some of these sets, each as a list.
fn any_of(sets: &[FeatureSet]) -> String {
    let listed = |set: &FeatureSet| {
        let names: Vec<_> = set.iter().map(|feature| format!("`{feature}`")).collect();
        names.join(" and ")
    };
    let ways: Vec<_> = sets.iter().take(MOST_WAYS).map(listed).collect();
    ways.join(", or ")
}

fn names(families: &[Family]) -> String {
    families
        .iter()
        .map(|family| family.name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The cells of this kind against which this is the objection.
fn objected<'a>(case: &'a Case<'_>, why: Objection) -> impl Iterator<Item = &'a Cell> {
    let terms = case.profile.terms();
    let touched = case.matrix.touched(case.set(), case.family());
    touched.filter(move |cell| terms.objection(cell, case.backend()) == Some(why))
}

fn pairs<'a>(
    case: &'a Case<'_>,
    why: Objection,
) -> impl Iterator<Item = (&'a Cell, Feature, Feature)> {
    objected(case, why).filter_map(|cell| match cell.id {
        CellId::Pair(a, b) => Some((cell, a, b)),
        CellId::Hardware(..) => None,
    })
}

fn alone_in<'a>(case: &'a Case<'_>, why: Objection) -> impl Iterator<Item = (&'a Cell, Feature)> {
    objected(case, why).filter_map(|cell| match cell.id {
        CellId::Pair(..) => None,
        CellId::Hardware(feature, _) => Some((cell, feature)),
    })
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
        .beside(&case.profile.target.span, case.answers.target.describe())
}

/// Why vLLM's matrix says so, and where it is tracked.
fn because(diagnostic: Diagnostic, cell: &Cell) -> Diagnostic {
    let diagnostic = diagnostic.note(cell.reason);
    if cell.link.is_empty() {
        diagnostic
    } else {
        diagnostic.note(format!("tracked at {}", cell.link))
    }
}

fn vllm_says(cell: &Cell) -> String {
    match cell.vllm {
        Verdict::Yes => {
            "vLLM's matrix says yes; a verdict of this engine needs a test that runs it".to_owned()
        }
        Verdict::No => format!("vLLM's matrix says no too: {}", cell.reason),
        Verdict::Unknown => format!("in vLLM's matrix it is unknown: {}", cell.reason),
    }
}

/// That this engine proves the cell, if it does so on the target's backend.
fn ours(case: &Case<'_>, cell: &Cell) -> Option<String> {
    let proven = case.is_built() && cell.engine.on(case.backend()).is_yes();
    proven.then(|| "this engine's own kernels can: set matrix = \"engine\"".to_owned())
}

/// On which other backends a pair is proven.
fn proven_elsewhere(cell: &Cell) -> Option<String> {
    let backends: Vec<_> = cell
        .engine
        .proofs()
        .map(|(backend, _)| backend.name())
        .collect();
    (!backends.is_empty()).then(|| format!("it is proven on {}", backends.join(" and ")))
}

/// Where else a feature works: families of which `check` would not say more than it does here, else those that vLLM's
/// matrix names.
fn elsewhere(case: &Case<'_>, feature: Feature) -> String {
    let terms = case.profile.terms();
    let only = FeatureSet::EMPTY.with(feature);
    let works = nearest::nearest(case.matrix, &terms, only, case.family()).families;
    if !works.is_empty() {
        return format!("remove it, or set target to {}", spell::one_of(works));
    }
    let named = nearest::families_of(case.matrix, feature, case.family());
    format!(
        "remove it; by vLLM's matrix it works on {}, for which this engine has not built it yet",
        names(&named)
    )
}

/// What the engine runs on the target's family, in words.
fn built(case: &Case<'_>) -> String {
    let runs = |feature: &Feature| {
        let id = CellId::Hardware(*feature, case.family());
        case.matrix.engine(id, case.backend()).is_yes()
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
