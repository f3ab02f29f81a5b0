//! Head size and attention kernel.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::family::BackendKind;
use crate::plan::Dims;

pub static HEAD_SIZE: Rule = Rule {
    code: Code(303),
    name: "head-size",
    doc: "an attention kernel is made for certain head sizes: on a GPU for those of vLLM's paged attention, on a CPU for every even one up to 512",
    check: Check::Case(head_size),
};

/// The head sizes that the paged attention kernels of vLLM 0.6 are compiled for.
const GPU: &[u64] = &[64, 80, 96, 112, 120, 128, 192, 256];

fn head_size(case: &Case<'_>, found: &mut Diagnostics) {
    let (Some(written), Dims::Baked(shape)) = (&case.profile.model.shape, &case.plan.model.dims)
    else {
        return;
    };
    let size = shape.head_dim;
    let backend = case.plan.backend.kind();
    let (fits, sizes) = match backend {
        BackendKind::Cpu => (
            size % 2 == 0 && size <= 512,
            "even sizes up to 512".to_owned(),
        ),
        BackendKind::Cuda | BackendKind::Hip => (
            GPU.contains(&size),
            GPU.iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(", "),
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
