//! Head sizes and attention kernels.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::family::BackendKind;

pub static HEAD_SIZE: Rule = Rule {
    code: Code(303),
    name: "head-size",
    doc: "an attention kernel is made for certain head sizes: on a GPU for multiples of 8 from 16 to 256, on a CPU for every even one up to 512",
    check: Check::Case(head_size),
};

pub static HEAD_DIMS: Rule = Rule {
    code: Code(306),
    name: "head-dims",
    doc: "`head-dims` stands for what a shape would say, so a profile has one of them at most",
    check: Check::Case(head_dims),
};

pub static HEADS_MISSING: Rule = Rule {
    code: Code(307),
    name: "heads-missing",
    doc: "attention kernels of a GPU are compiled for certain head sizes, so a GPU profile has `head-dims` or a shape",
    check: Check::Case(heads_missing),
};

fn head_size(case: &Case<'_>, found: &mut Diagnostics) {
    let model = &case.profile.model;
    let (span, key) = match (&model.shape, &model.head_dims) {
        (Some(shape), _) => (&shape.span, "head_dim"),
        (None, Some(written)) => (&written.span, "one of them"),
        (None, None) => return,
    };
    let backend = case.answers.backend.kind();
    let (fits, sizes): (fn(u64) -> bool, _) = match backend {
        BackendKind::Cpu => (|size| size % 2 == 0 && size <= 512, "even sizes up to 512"),
        BackendKind::Cuda | BackendKind::Hip => (
            |size| size % 8 == 0 && (16..=256).contains(&size),
            "multiples of 8 from 16 to 256",
        ),
    };
    for size in case.answers.model.shape.head_dims() {
        if !fits(size) {
            found.push(
                Diagnostic::new(
                    HEAD_SIZE.code,
                    format!("no attention kernel has heads of {size}"),
                )
                .at(span, format!("{key} is {size}"))
                .beside(&case.profile.target.span, case.answers.target.describe())
                .note(format!(
                    "the {} backend's attention has {sizes}",
                    backend.name()
                ))
                .help("use a model with such heads, or another target"),
            );
        }
    }
}

fn head_dims(case: &Case<'_>, found: &mut Diagnostics) {
    let model = &case.profile.model;
    if let (Some(shape), Some(written)) = (&model.shape, &model.head_dims) {
        let size = shape.value.config.dims.head_dim;
        found.push(
            Diagnostic::new(HEAD_DIMS.code, "`head-dims` beside a shape")
                .at(&written.span, "the shape says which heads there are")
                .beside(&shape.span, format!("head_dim is {size}"))
                .help("remove head-dims"),
        );
    }
}

/// What is written and cannot be read is not missing: that has its own finding.
fn heads_missing(case: &Case<'_>, found: &mut Diagnostics) {
    let model = &case.profile.model;
    if case.backend() == BackendKind::Cpu || model.says_heads {
        return;
    }
    let family = model.family.value;
    let usual: Vec<_> = family.usual_heads().iter().map(u64::to_string).collect();
    let usual = usual.join(", ");
    found.push(
        Diagnostic::new(
            HEADS_MISSING.code,
            "the profile does not say which heads its model has",
        )
        .at(&model.family.span, "neither `head-dims` nor `shape` beside it")
        .beside(&case.profile.target.span, case.answers.target.describe())
        .note(format!(
            "the {} backend's attention is compiled for certain head sizes, and the engine refuses a model with others",
            case.backend().name()
        ))
        .help(format!(
            "set head-dims = [{usual}], which the usual models of `{family}` have, or shape to the model's config.json"
        )),
    );
}
