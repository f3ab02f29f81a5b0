//! The target itself: whether this engine has its backend, whether it names one architecture, and who compiles for it.

use super::{Case, Check, Rule};
use crate::arch::Arch;
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::features::Feature;
use crate::matrix::Mode;
use crate::spell;
use crate::toolkit::Toolkit;

pub static BACKEND: Rule = Rule {
    code: Code(106),
    name: "backend",
    doc: "the target's backend must be built in this engine; `cargo lathe plan` still plans a profile for one that is not",
    check: Check::Case(backend),
};

pub static VAGUE: Rule = Rule {
    code: Code(107),
    name: "vague-target",
    doc: "AMD code objects run on the very chip they were made for, so the family `amd` does not say what to build",
    check: Check::Case(vague),
};

pub static TOOLKIT: Rule = Rule {
    code: Code(401),
    name: "toolkit",
    doc: "the device compiler that a profile insists on must make code for the target's architecture",
    check: Check::Case(toolkit),
};

/// One finding for the target and not one for each cell; what of the profile's cells is proven all the same is counted
/// where this engine's verdicts are all that was asked for.
fn backend(case: &Case<'_>, found: &mut Diagnostics) {
    if case.is_built() {
        return;
    }
    let name = case.backend().name();
    let checked = match case.profile.terms().mode {
        Mode::Vllm => "vLLM's matrix and the rules are checked for it all the same".to_owned(),
        Mode::Engine => format!(
            "matrix = \"engine\" asks this engine alone, which {}; the rules are checked all the same",
            standing(case)
        ),
    };
    found.push(
        Diagnostic::new(
            BACKEND.code,
            format!("the `{name}` backend is not built yet"),
        )
        .at(&case.profile.target.span, case.answers.target.describe())
        .note(checked)
        .help(
            "`cargo lathe plan` shows what would be built; `native` is a target that builds today",
        )
        .not_built(),
    );
}

/// How many of the profile's cells this engine proves on its backend.
fn standing(case: &Case<'_>) -> String {
    let cells: Vec<_> = case.matrix.touched(case.set(), case.family()).collect();
    let proven = cells
        .iter()
        .filter(|cell| cell.engine.on(case.backend()).is_yes());
    let names: Vec<_> = case.set().iter().map(Feature::name).collect();
    let (backend, names) = (case.backend().name(), names.join(", "));
    match (proven.count(), cells.len()) {
        (_, 0) => "is asked for no feature".to_owned(),
        (0, 1) => format!("does not prove {names} on `{backend}`"),
        (0, all) => format!("proves none of the {all} cells of {names} on `{backend}`"),
        (some, all) => format!("proves {some} of the {all} cells of {names} on `{backend}`"),
    }
}

fn vague(case: &Case<'_>, found: &mut Diagnostics) {
    let target = &case.answers.target;
    if !target.name.is_one_architecture() {
        let names: Vec<_> = Arch::of(target.family()).map(Arch::name).collect();
        found.push(
            Diagnostic::new(
                VAGUE.code,
                format!("`{}` is not one architecture", target.name),
            )
            .at(
                &case.profile.target.span,
                "several chips that run no code of each other",
            )
            .help(format!(
                "name a device, as in \"mi300x\", or {}",
                spell::one_of(names)
            )),
        );
    }
}

fn toolkit(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(toolkit) = &case.profile.toolkit else {
        return;
    };
    let arch = case.answers.target.arch;
    if let Err(why) = toolkit.value.builds(arch) {
        let able: Vec<_> = Toolkit::ALL
            .iter()
            .filter(|other| other.builds(arch).is_ok())
            .map(|other| other.name())
            .collect();
        let help = if able.is_empty() {
            "remove `toolkit`".to_owned()
        } else {
            format!("remove `toolkit`, or use {}", spell::one_of(able))
        };
        found.push(
            Diagnostic::new(
                TOOLKIT.code,
                format!("`{}` makes no code for `{arch}`", toolkit.value),
            )
            .at(&toolkit.span, "cannot build the target")
            .beside(&case.profile.target.span, case.answers.target.describe())
            .note(why)
            .help(help),
        );
    }
}
