//! Number formats and weight formats on an architecture.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::model::{Dtype, WeightFormat};

pub static DTYPE: Rule = Rule {
    code: Code(301),
    name: "dtype",
    doc: "the hardware must multiply the model's number format: bf16 starts with sm_80 and gfx908, and RDNA 2 has none",
    check: Check::Case(dtype),
};

pub static WEIGHTS: Rule = Rule {
    code: Code(302),
    name: "weights",
    doc: "a weight format needs instructions: fp8 starts with sm_89 and gfx942, int8 with sm_72, AWQ's kernels with sm_75",
    check: Check::Case(weights),
};

pub static WEIGHTS_BUILT: Rule = Rule {
    code: Code(304),
    name: "weights-built",
    doc: "the weight format must be built in this engine",
    check: Check::Case(weights_built),
};

fn dtype(case: &Case<'_>, found: &mut Diagnostics) {
    let (dtype, arch) = (case.plan.model.dtype, case.plan.target.arch);
    if dtype.runs_on(arch) {
        return;
    }
    let span = case
        .profile
        .model
        .dtype
        .as_ref()
        .map_or(&case.profile.model.family.span, |dtype| &dtype.span);
    let able = Dtype::ALL
        .iter()
        .filter(|other| other.runs_on(arch))
        .map(|other| other.name());
    found.push(
        Diagnostic::new(DTYPE.code, format!("`{arch}` does not multiply `{dtype}`"))
            .at(span, "no instruction for it here")
            .beside(&case.profile.target.span, case.plan.target.describe())
            .note("bf16 products start with sm_80 (Ampere), gfx908 and gfx1100")
            .help(format!(
                "set dtype to one of {}",
                able.collect::<Vec<_>>().join(", ")
            )),
    );
}

fn weights(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(weights) = &case.profile.model.weights else {
        return;
    };
    let arch = case.plan.target.arch;
    if let Err(why) = weights.value.runs_on(arch) {
        let able = WeightFormat::ALL
            .iter()
            .filter(|other| other.runs_on(arch).is_ok())
            .map(|other| other.name());
        found.push(
            Diagnostic::new(
                WEIGHTS.code,
                format!("`{}` weights do not run on `{arch}`", weights.value),
            )
            .at(&weights.span, "no kernel can exist here")
            .beside(&case.profile.target.span, case.plan.target.describe())
            .note(why)
            .help(format!(
                "set weights to one of {}",
                able.collect::<Vec<_>>().join(", ")
            )),
        );
    }
}

fn weights_built(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(weights) = &case.profile.model.weights else {
        return;
    };
    if !weights.value.is_built() && weights.value.runs_on(case.plan.target.arch).is_ok() {
        found.push(
            Diagnostic::new(
                WEIGHTS_BUILT.code,
                format!("`{}` weights are not built yet", weights.value),
            )
            .at(&weights.span, "no kernel of this engine reads them")
            .help("set weights = \"dense\"")
            .not_built(),
        );
    }
}
