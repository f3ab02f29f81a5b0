//! The model family: whether its code is built, and whether it is of the kind that the features ask for.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics, Span};
use crate::features::Feature;
use crate::model::{ModelFamily, ModelKind};
use crate::plan::Dims;
use crate::shape::Attention;

pub static BUILT: Rule = Rule {
    code: Code(601),
    name: "model-built",
    doc: "the model family's code must be built in this engine",
    check: Check::Case(built),
};

pub static SHAPE: Rule = Rule {
    code: Code(602),
    name: "model-shape",
    doc: "`model.shape` must be of the family that `model.family` names",
    check: Check::Case(shape),
};

pub static IMAGES: Rule = Rule {
    code: Code(603),
    name: "model-images",
    doc: "`multimodal` needs a model that sees",
    check: Check::Case(images),
};

pub static ENCODER: Rule = Rule {
    code: Code(604),
    name: "model-encoder",
    doc: "`encoder-decoder` needs a model that has an encoder",
    check: Check::Case(encoder),
};

pub static WINDOW: Rule = Rule {
    code: Code(605),
    name: "model-window",
    doc: "prefix caching needs full attention: with a sliding window old blocks are dropped, and a block's content depends on what was",
    check: Check::Case(window),
};

pub static WINDOW_LENGTH: Rule = Rule {
    code: Code(606),
    name: "model-window-length",
    doc: "attention over a sliding window must be built in this engine, or sequences no longer than the window, where it never slides",
    check: Check::Case(window_length),
};

fn built(case: &Case<'_>, found: &mut Diagnostics) {
    let family = &case.profile.model.family;
    if family.value.code().is_none() {
        found.push(
            Diagnostic::new(
                BUILT.code,
                format!("the model family `{}` is not built yet", family.value),
            )
            .at(&family.span, "no code of this engine runs it")
            .help(format!(
                "built are {}",
                names(|other| other.code().is_some())
            ))
            .not_built(),
        );
    }
}

fn shape(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(shape) = &case.profile.model.shape else {
        return;
    };
    let family = &case.profile.model.family;
    if shape.value.model_type != family.value.model_type() {
        let is = &shape.value.model_type;
        let near = ModelFamily::ALL
            .iter()
            .find(|other| other.model_type() == *is);
        found.push(
            Diagnostic::new(
                SHAPE.code,
                format!(
                    "`{}` is the shape of a `{is}`, not of a `{}`",
                    shape.value.path, family.value
                ),
            )
            .at(&shape.span, format!("its model_type is {is}"))
            .beside(&family.span, "the family")
            .help(match near {
                Some(near) => format!("set family = \"{near}\", or use another shape"),
                None => "use another shape".to_owned(),
            }),
        );
    }
}

fn images(case: &Case<'_>, found: &mut Diagnostics) {
    kind(
        case,
        found,
        IMAGES.code,
        Feature::Multimodal,
        ModelKind::Multimodal,
        "sees no images",
    );
}

fn encoder(case: &Case<'_>, found: &mut Diagnostics) {
    kind(
        case,
        found,
        ENCODER.code,
        Feature::EncoderDecoder,
        ModelKind::EncoderDecoder,
        "has no encoder",
    );
}

fn kind(
    case: &Case<'_>,
    found: &mut Diagnostics,
    code: Code,
    feature: Feature,
    kind: ModelKind,
    lacks: &str,
) {
    let family = &case.profile.model.family;
    if case.set().contains(feature) && family.value.kind() != kind {
        found.push(
            Diagnostic::new(
                code,
                format!("`{feature}` is on, and a `{}` {lacks}", family.value),
            )
            .at(&case.key(feature), "nothing here would use it")
            .beside(&family.span, lacks)
            .help(format!(
                "remove it, or set family to one of {}",
                names(|other| other.kind() == kind)
            )),
        );
    }
}

fn window(case: &Case<'_>, found: &mut Diagnostics) {
    let Some((window, written)) = sliding(case) else {
        return;
    };
    if case.set().contains(Feature::PrefixCaching) {
        found.push(
            Diagnostic::new(
                WINDOW.code,
                "`prefix-caching` does not work with a sliding window",
            )
            .at(
                &case.key(Feature::PrefixCaching),
                "not available with this shape",
            )
            .beside(&written, format!("sliding_window is {window}"))
            .note("blocks that slid out of the window are dropped, and cannot be found again")
            .help(format!(
                "remove it, or set max-model-len to {window} or less"
            )),
        );
    }
}

fn window_length(case: &Case<'_>, found: &mut Diagnostics) {
    let Some((window, written)) = sliding(case) else {
        return;
    };
    let len = case.plan.limits.max_model_len;
    found.push(
        Diagnostic::new(
            WINDOW_LENGTH.code,
            "attention over a sliding window is not built yet",
        )
        .at(
            &case.limit("max-model-len", &written),
            format!("{len} tokens"),
        )
        .beside(&written, format!("sliding_window is {window}"))
        .help(format!(
            "set max-model-len to {window} or less: then the window never slides"
        ))
        .not_built(),
    );
}

/// The window of a shape whose sequences grow past it, and where the shape is written.
fn sliding(case: &Case<'_>) -> Option<(u64, Span)> {
    let Dims::Baked(shape) = &case.plan.model.dims else {
        return None;
    };
    match shape.attention {
        Attention::Sliding(window) if window < case.plan.limits.max_model_len => {
            Some((window, case.profile.model.shape.as_ref()?.span.clone()))
        }
        Attention::Sliding(_) | Attention::Full => None,
    }
}

fn names(wanted: impl Fn(ModelFamily) -> bool) -> String {
    let names = ModelFamily::ALL
        .iter()
        .filter(|family| wanted(**family))
        .map(|family| family.name());
    names.collect::<Vec<_>>().join(", ")
}
