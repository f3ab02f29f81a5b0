//! Speculative decoding: tokens proposed cheaply and verified together.

use super::{Definition, Feature, Known, MOST, Part, settings};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::named::named;
use crate::rules::{Case, Check, Rule};

pub static DEFINITION: Definition = Definition {
    name: "speculative-decoding",
    title: "Speculative decoding",
    aliases: &["SD", "spec-decode", "draft", "speculative-model"],
    summary: "a cheap proposer drafts tokens that the model scores in one pass",
    part: Part {
        name: "Draft",
        on: &["NGram", "DraftModel"],
        off: "Off",
    },
    fields: SpeculativeDecoding::FIELDS,
    rules: &[&LOOKUP_ORDER, &LOOKUP_METHOD, &DRAFT_LENGTH, &DRAFT_MODEL],
};

named! {
    /// Who proposes, in the order of the part's types.
    Method {
        NGram = "ngram",
        DraftModel = "draft-model",
    }
}

settings! {
    /// Who proposes, and how much.
    SpeculativeDecoding(known: &Known<'_>) {
        /// who proposes: the prompt's own n-grams, or a smaller model with the same vocabulary
        method: Method = Method::NGram => "`ngram`",
        /// tokens drafted for each pass of the model
        tokens: u64(1..=MOST) = 4,
        /// shortest n-gram looked for
        lookup_min: u64(1..=64) = method.with_ngrams(1) => "1 with `ngram`",
        /// longest n-gram looked for
        lookup_max: u64(1..=64) = method.with_ngrams(lookup_min.max(4))
            => "4 with `ngram`, or lookup-min where that is more",
    }
}

impl Method {
    /// A length of n-grams, or 0 where nothing is looked up.
    fn with_ngrams(self, len: u64) -> u64 {
        match self {
            Method::NGram => len,
            Method::DraftModel => 0,
        }
    }
}

static LOOKUP_ORDER: Rule = Rule {
    code: Code(207),
    name: "lookup-order",
    doc: "n-grams are looked for from the longest to the shortest: lookup-max is at least lookup-min",
    check: Check::Case(lookup_order),
};

static LOOKUP_METHOD: Rule = Rule {
    code: Code(208),
    name: "lookup-method",
    doc: "only the `ngram` method looks n-grams up; with a draft model the settings would do nothing",
    check: Check::Case(lookup_method),
};

static DRAFT_LENGTH: Rule = Rule {
    code: Code(209),
    name: "draft-length",
    doc: "the drafted tokens and the one after them are scored in one step and stand in one sequence, so both must have room",
    check: Check::Case(draft_length),
};

static DRAFT_MODEL: Rule = Rule {
    code: Code(214),
    name: "draft-model",
    doc: "a draft model has a family, weights and keys of its own, and a profile cannot name it yet: its memory is not planned",
    check: Check::Case(draft_model),
};

fn lookup_order(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(draft) = case.answers.features.speculative_decoding.on() else {
        return;
    };
    let (shortest, longest) = (draft.lookup_min, draft.lookup_max);
    if draft.method == Method::NGram && shortest > longest {
        found.push(
            Diagnostic::new(
                LOOKUP_ORDER.code,
                format!("n-grams from {longest} down to {shortest} are none"),
            )
            .at(
                &case.setting(Feature::SpeculativeDecoding, "lookup-max"),
                "less than lookup-min",
            )
            .beside(
                &case.setting(Feature::SpeculativeDecoding, "lookup-min"),
                "the shortest",
            )
            .help(format!("set lookup-max to {shortest} or more")),
        );
    }
}

fn lookup_method(case: &Case<'_>, found: &mut Diagnostics) {
    let draft = case.answers.features.speculative_decoding.on();
    if draft.is_none_or(|draft| draft.method == Method::NGram) {
        return;
    }
    let Some(chosen) = case.profile.chosen(Feature::SpeculativeDecoding) else {
        return;
    };
    for key in ["lookup-min", "lookup-max"] {
        if let Some(span) = chosen.settings.span(key) {
            found.push(
                Diagnostic::new(
                    LOOKUP_METHOD.code,
                    format!("`{key}` does nothing with a draft model"),
                )
                .at(span, "looks nothing up")
                .beside(
                    &case.setting(Feature::SpeculativeDecoding, "method"),
                    "a model proposes",
                )
                .help(format!("remove `{key}`, or set method = \"ngram\"")),
            );
        }
    }
}

fn draft_length(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(&SpeculativeDecoding { tokens, .. }) = case.answers.features.speculative_decoding.on()
    else {
        return;
    };
    let limits = &case.answers.limits;
    for (key, room) in [
        ("max-batched-tokens", limits.max_batched_tokens),
        ("max-model-len", limits.max_model_len),
    ] {
        if tokens >= room {
            let span = case.setting(Feature::SpeculativeDecoding, "tokens");
            found.push(
                Diagnostic::new(
                    DRAFT_LENGTH.code,
                    format!("{tokens} drafted tokens and one more do not fit {key} = {room}"),
                )
                .at(&span, "too many")
                .beside(&case.limit(key, &span), format!("{room} tokens"))
                .help(format!(
                    "draft fewer: past about 8 tokens most are rejected; at most {} fit",
                    room - 1
                )),
            );
        }
    }
}

fn draft_model(case: &Case<'_>, found: &mut Diagnostics) {
    let draft = case.answers.features.speculative_decoding.on();
    if draft.is_some_and(|draft| draft.method == Method::DraftModel) {
        found.push(
            Diagnostic::new(
                DRAFT_MODEL.code,
                "no profile can say which model drafts yet",
            )
            .at(
                &case.setting(Feature::SpeculativeDecoding, "method"),
                "a smaller model with the same vocabulary",
            )
            .note(
                "its weights, keys and values take memory of the same device, which is not planned",
            )
            .help("set method = \"ngram\", which needs no second model")
            .not_built(),
        );
    }
}
