//! Logprobs: log probabilities of the generated tokens.

use super::{Definition, Feature, Known, Part, settings};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::rules::{Case, Check, Rule};

pub static DEFINITION: Definition = Definition {
    name: "logprobs",
    title: "Logprobs",
    aliases: &["logP", "top-logprobs"],
    summary: "log probabilities of the generated tokens and of their best alternatives",
    part: Part {
        name: "Logprobs",
        on: &["Top"],
        off: "Off",
    },
    fields: Logprobs::FIELDS,
    rules: &[&ALTERNATIVES],
};

settings! {
    /// How much a request may ask for.
    Logprobs(known: &Known<'_>) {
        /// alternatives a request may ask for at each generated token
        max: u64(0..=MOST_ALTERNATIVES) = 20,
    }
}

/// Most alternatives at one token, whatever the vocabulary: the results of a step have room for them in every row, and
/// 2048 of them are 16 KiB a row. OpenAI allows 20, and vLLM no more than that unless it is told.
pub(super) const MOST_ALTERNATIVES: u64 = 2048;

static ALTERNATIVES: Rule = Rule {
    code: Code(212),
    name: "alternatives",
    doc: "no token has more alternatives than the vocabulary has tokens; a beam search needs two for each beam",
    check: Check::Case(alternatives),
};

/// For all features that look at the likeliest tokens: they share the reason, so they share the rule.
fn alternatives(case: &Case<'_>, found: &mut Diagnostics) {
    let (Some(written), Some(vocab)) = (&case.profile.model.shape, case.vocab()) else {
        return;
    };
    let features = &case.answers.features;
    let beams = features.beam_search.on().map(|beam| beam.max_width);
    for (feature, key, wanted, fits) in [
        (
            Feature::Logprobs,
            "max",
            features.logprobs.on().map(|top| top.max),
            vocab,
        ),
        (
            Feature::PromptLogprobs,
            "max",
            features.prompt_logprobs.on().map(|top| top.max),
            vocab,
        ),
        (
            Feature::BeamSearch,
            "max-width",
            beams.map(|beams| beams.saturating_mul(2)),
            vocab / 2,
        ),
    ] {
        if let Some(wanted) = wanted.filter(|wanted| *wanted > vocab) {
            found.push(
                Diagnostic::new(
                    ALTERNATIVES.code,
                    format!("`{feature}` wants {wanted} alternatives of a vocabulary of {vocab}"),
                )
                .at(&case.setting(feature, key), "more than there are")
                .beside(&written.span, format!("vocab_size is {vocab}"))
                .help(format!("set {key} to {fits} or less")),
            );
        }
    }
}
