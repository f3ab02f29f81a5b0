//! Number formats and weight formats on an architecture.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::matrix::Mode;
use crate::model::{Dtype, WeightFormat};
use crate::spell;

pub static DTYPE: Rule = Rule {
    code: Code(301),
    name: "dtype",
    doc: "the hardware must multiply the model's number format: bf16 starts with sm_80 and gfx908, and RDNA 2 has none",
    check: Check::Case(dtype),
};

pub static WEIGHTS: Rule = Rule {
    code: Code(302),
    name: "weights",
    doc: "a weight format needs kernels for the hardware: which ones vLLM has, its table for 0.6.6 says; with `matrix = \"engine\"` it is not asked",
    check: Check::Case(weights),
};

pub static WEIGHTS_BUILT: Rule = Rule {
    code: Code(304),
    name: "weights-built",
    doc: "the weight format must be built in this engine",
    check: Check::Case(weights_built),
};

pub static WEIGHTS_DTYPE: Rule = Rule {
    code: Code(305),
    name: "weights-dtype",
    doc: "the kernels of a weight format take certain number formats: vLLM's for AWQ f16, those for GPTQ and fp8 halves",
    check: Check::Case(weights_dtype),
};

fn weights_dtype(case: &Case<'_>, found: &mut Diagnostics) {
    let (model, written) = (&case.answers.model, &case.profile.model);
    let Some(weights) = &written.weights else {
        return;
    };
    if case.answers.mode != Mode::Vllm || weights.value.takes(model.dtype) {
        return;
    }
    let able = Dtype::ALL
        .iter()
        .filter(|other| weights.value.takes(**other) && other.runs_on(case.answers.target.arch));
    let able = able.map(|other| other.name());
    let span = written
        .dtype
        .as_ref()
        .map_or(&weights.span, |dtype| &dtype.span);
    found.push(
        Diagnostic::new(
            WEIGHTS_DTYPE.code,
            format!(
                "`{}` weights do not multiply `{}`",
                weights.value, model.dtype
            ),
        )
        .at(span, format!("activations are {}", model.dtype))
        .beside(
            &weights.span,
            "the kernels of vLLM for this format take others",
        )
        .help(format!("set dtype to {}", spell::one_of(able))),
    );
}

fn dtype(case: &Case<'_>, found: &mut Diagnostics) {
    let (dtype, arch) = (case.answers.model.dtype, case.answers.target.arch);
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
            .beside(&case.profile.target.span, case.answers.target.describe())
            .note("bf16 products start with sm_80 (Ampere), gfx908 and gfx1100")
            .help(format!("set dtype to {}", spell::one_of(able))),
    );
}

fn weights(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(weights) = &case.profile.model.weights else {
        return;
    };
    let (format, arch) = (weights.value, case.answers.target.arch);
    if case.profile.terms().mode == Mode::Engine || format.is_in_vllm(arch) {
        return;
    }
    let able = WeightFormat::ALL
        .iter()
        .filter(|other| other.is_in_vllm(arch) && (other.is_built() || !case.is_built()))
        .map(|other| other.name());
    let ours = format.is_built() && case.is_built();
    found.push(
        Diagnostic::new(
            WEIGHTS.code,
            format!("vLLM has no kernels for `{format}` weights on `{arch}`"),
        )
        .at(&weights.span, "a missing kernel, not a limit of the chip")
        .beside(&case.profile.target.span, case.answers.target.describe())
        .note(format!(
            "vLLM 0.6.6 has them on {}",
            format.hardware_in_vllm()
        ))
        .help(format!("set weights to {}", spell::one_of(able)))
        .helps(ours.then(|| "this engine's own kernels can: set matrix = \"engine\"".to_owned())),
    );
}

fn weights_built(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(weights) = &case.profile.model.weights else {
        return;
    };
    // Where vLLM has no kernels, that this engine has none either is no news.
    let said = case.profile.terms().mode == Mode::Vllm
        && !weights.value.is_in_vllm(case.answers.target.arch);
    if !weights.value.is_built() && !said {
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
