//! Head size and attention kernel.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::family::BackendKind;

pub static HEAD_SIZE: Rule = Rule {
    code: Code(303),
    name: "head-size",
    doc: "an attention kernel is made for certain head sizes: on a GPU for multiples of 8 from 16 to 256, on a CPU for every even one up to 512",
    check: Check::Case(head_size),
};

fn head_size(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(written) = &case.profile.model.shape else {
        return;
    };
    let size = written.value.config.dims.head_dim;
    let backend = case.plan.backend.kind();
    let (fits, sizes) = match backend {
        BackendKind::Cpu => (size % 2 == 0 && size <= 512, "even sizes up to 512"),
        BackendKind::Cuda | BackendKind::Hip => (
            size % 8 == 0 && (16..=256).contains(&size),
            "multiples of 8 from 16 to 256",
        ),
    };
    if !fits {
        found.push(
            Diagnostic::new(
                HEAD_SIZE.code,
                format!("no attention kernel has heads of {size}"),
            )
            .at(&written.span, format!("head_dim is {size}"))
            .beside(&case.profile.target.span, case.plan.target.describe())
            .note(format!(
                "the {} backend's attention has {sizes}",
                backend.name()
            ))
            .help("use a model with such heads, or another target"),
        );
    }
}
