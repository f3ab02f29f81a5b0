//! The model family: whether its code is built, and whether it is of the kind that the features ask for.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics, Span};
use crate::features::Feature;
use crate::matrix::Mode;
use crate::model::{ModelFamily, WeightFormat};
use crate::spell;

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
    doc: "vLLM caches no prefixes of a model with a sliding window: it drops blocks that slid out of it, where this engine keeps them",
    check: Check::Case(window),
};

pub static UNSERVED: Rule = Rule {
    code: Code(607),
    name: "model-unserved",
    doc: "what a model's config.json asks for must be built in this engine, as its engine asks again of the checkpoint",
    check: Check::Case(unserved),
};

pub static CHECKPOINT: Rule = Rule {
    code: Code(608),
    name: "model-checkpoint",
    doc: "the weights of the checkpoint must be stored as `model.weights` says: an engine reads one format",
    check: Check::Case(checkpoint),
};

pub static CROSS: Rule = Rule {
    code: Code(609),
    name: "model-cross",
    doc: "a model that has an encoder runs with `encoder-decoder` alone",
    check: Check::Case(cross),
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
                names(|other| other.code().is_some()).join(", ")
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
    if shape.value.config.family != family.value {
        let is = shape.value.config.family;
        found.push(
            Diagnostic::new(
                SHAPE.code,
                format!(
                    "`{}` is the shape of a `{is}`, not of a `{}`",
                    shape.value.path, family.value
                ),
            )
            .at(
                &shape.span,
                format!("its architecture is {}", shape.value.config.architecture),
            )
            .beside(&family.span, "the family")
            .help(format!("set family = \"{is}\", or use another shape")),
        );
    }
}

fn images(case: &Case<'_>, found: &mut Diagnostics) {
    kind(
        case,
        found,
        IMAGES.code,
        Feature::Multimodal,
        ModelFamily::sees,
        "sees no images",
    );
}

fn encoder(case: &Case<'_>, found: &mut Diagnostics) {
    kind(
        case,
        found,
        ENCODER.code,
        Feature::EncoderDecoder,
        ModelFamily::has_encoder,
        "has no encoder",
    );
}

fn kind(
    case: &Case<'_>,
    found: &mut Diagnostics,
    code: Code,
    feature: Feature,
    has: fn(ModelFamily) -> bool,
    lacks: &str,
) {
    let family = &case.profile.model.family;
    if case.set().contains(feature) && !has(family.value) {
        found.push(
            Diagnostic::new(
                code,
                format!("`{feature}` is on, and a `{}` {lacks}", family.value),
            )
            .at(&case.key(feature), "nothing here would use it")
            .beside(&family.span, lacks)
            .help(format!(
                "remove it, or set family to {}",
                spell::one_of(names(has))
            )),
        );
    }
}

fn unserved(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(shape) = &case.profile.model.shape else {
        return;
    };
    if let Err(error) = shape.value.config.served() {
        found.push(
            Diagnostic::new(
                UNSERVED.code,
                format!("what `{}` asks for is not built yet", shape.value.path),
            )
            .at(&shape.span, error.reason.to_string())
            .note("the engine would refuse the checkpoint when it starts")
            .help("use a model without it")
            .not_built(),
        );
    }
}

fn checkpoint(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(shape) = &case.profile.model.shape else {
        return;
    };
    let weights = case.answers.model.weights;
    let stored = shape.value.config.quantization.as_ref();
    let (is, help) = match stored.map(|stored| stored.method.as_str()) {
        Some(method) if method == weights.name() => return,
        Some(method) => {
            let help = match WeightFormat::named(method) {
                Some(format) => {
                    format!(
                        "set weights = \"{format}\", or use the config.json of another checkpoint"
                    )
                }
                None => "use the config.json of a checkpoint that is stored otherwise".to_owned(),
            };
            (format!("`{method}`"), help)
        }
        // Rounded when they are loaded.
        None if !weights.is_made_beforehand() => return,
        None => (
            "plain".to_owned(),
            format!("use the config.json of the `{weights}` checkpoint, or leave `weights` out"),
        ),
    };
    let why = match stored {
        Some(_) => "as its quantization_config says",
        None => "it has no quantization_config",
    };
    let title = format!("the checkpoint's weights are {is}, the engine reads `{weights}`");
    let diagnostic = Diagnostic::new(CHECKPOINT.code, title).at(&shape.span, why);
    let diagnostic = match &case.profile.model.weights {
        Some(written) => diagnostic.beside(&written.span, "what the engine reads"),
        None => diagnostic.note("`weights` is \"dense\" where a profile does not say"),
    };
    found.push(diagnostic.help(help));
}

fn cross(case: &Case<'_>, found: &mut Diagnostics) {
    let family = &case.profile.model.family;
    if family.value.has_encoder() && !case.set().contains(Feature::EncoderDecoder) {
        found.push(
            Diagnostic::new(
                CROSS.code,
                format!(
                    "a `{}` has an encoder, and `encoder-decoder` is off",
                    family.value
                ),
            )
            .at(&family.span, "its decoder attends to the encoder's output")
            .help(format!(
                "set encoder-decoder = true, or family to one without an encoder: {}",
                names(|other| !other.has_encoder()).join(", ")
            )),
        );
    }
}

fn window(case: &Case<'_>, found: &mut Diagnostics) {
    let Some((window, written)) = sliding(case) else {
        return;
    };
    if case.answers.mode == Mode::Vllm && case.set().contains(Feature::PrefixCaching) {
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
            .note("vLLM drops blocks that slid out of the window, and cannot find them again")
            .help(format!(
                "remove it, or set max-model-len to {window} or less"
            ))
            .help("this engine keeps all blocks: set matrix = \"engine\""),
        );
    }
}

/// The window of a shape whose sequences grow past it, and where the shape is written.
fn sliding(case: &Case<'_>) -> Option<(u64, Span)> {
    let shape = case.profile.model.shape.as_ref()?;
    let window = shape.value.config.shortest_window()? as u64;
    (window < case.answers.limits.max_model_len).then(|| (window, shape.span.clone()))
}

fn names(wanted: impl Fn(ModelFamily) -> bool) -> Vec<&'static str> {
    let names = ModelFamily::ALL
        .iter()
        .filter(|family| wanted(**family))
        .map(|family| family.name());
    names.collect()
}
