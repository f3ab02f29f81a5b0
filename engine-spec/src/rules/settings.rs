//! Settings of one feature, alone and against limits and shape.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::feature::Feature;
use crate::plan::{Adapters, Beam, BestOf, Dims, Draft, Launch, Logprobs, Prefill, PromptAdapters};

pub static CHUNK_STEP: Rule = Rule {
    code: Code(203),
    name: "chunk-step",
    doc: "a chunk must fit a step: chunked-prefill's tokens are at most max-batched-tokens",
    check: Check::Case(chunk_step),
};

pub static LORA_RANK: Rule = Rule {
    code: Code(204),
    name: "lora-rank",
    doc: "adapter kernels are made for ranks of 8, 16, 32, 64, 128 and 256; smaller adapters are padded",
    check: Check::Case(lora_rank),
};

pub static LORA_VOCAB: Rule = Rule {
    code: Code(205),
    name: "lora-vocab",
    doc: "room for added tokens comes in steps that keep the output projection aligned: 0, 256 or 512",
    check: Check::Case(lora_vocab),
};

pub static LORA_RESIDENT: Rule = Rule {
    code: Code(206),
    name: "lora-resident",
    doc: "every adapter of a step is also kept in host memory: max-cpu-loras is at least max-loras",
    check: Check::Case(lora_resident),
};

pub static LOOKUP_ORDER: Rule = Rule {
    code: Code(207),
    name: "lookup-order",
    doc: "n-grams are looked for from the longest to the shortest: lookup-max is at least lookup-min",
    check: Check::Case(lookup_order),
};

pub static LOOKUP_METHOD: Rule = Rule {
    code: Code(208),
    name: "lookup-method",
    doc: "only the `ngram` method looks n-grams up; with a draft model the settings would do nothing",
    check: Check::Case(lookup_method),
};

pub static DRAFT_LENGTH: Rule = Rule {
    code: Code(209),
    name: "draft-length",
    doc: "the drafted tokens and the one after them are scored in one step and stand in one sequence, so both must have room",
    check: Check::Case(draft_length),
};

pub static GRAPH_BATCH: Rule = Rule {
    code: Code(210),
    name: "graph-batch",
    doc: "a graph captured for more sequences than max-seqs would never be replayed",
    check: Check::Case(graph_batch),
};

pub static PROMPT_ADAPTER_LENGTH: Rule = Rule {
    code: Code(211),
    name: "prompt-adapter-length",
    doc: "virtual tokens count as tokens of the sequence: there must be room for them and at least one more",
    check: Check::Case(prompt_adapter_length),
};

pub static ALTERNATIVES: Rule = Rule {
    code: Code(212),
    name: "alternatives",
    doc: "no token has more alternatives than the vocabulary has tokens; a beam search needs two for each beam",
    check: Check::Case(alternatives),
};

pub static SAMPLES: Rule = Rule {
    code: Code(213),
    name: "samples",
    doc: "all samples of a prompt run side by side: best-of's max is at most max-seqs, or such a request could never be scheduled",
    check: Check::Case(samples),
};

fn chunk_step(case: &Case<'_>, found: &mut Diagnostics) {
    let Prefill::Chunked { tokens } = case.plan.features.prefill else {
        return;
    };
    let step = case.plan.limits.max_batched_tokens;
    if tokens > step {
        let span = case.setting(Feature::ChunkedPrefill, "tokens");
        found.push(
            Diagnostic::new(
                CHUNK_STEP.code,
                format!("a chunk of {tokens} tokens does not fit a step of {step}"),
            )
            .at(&span, "more than max-batched-tokens")
            .beside(
                &case.limit("max-batched-tokens", &span),
                format!("{step} tokens"),
            )
            .help(format!(
                "set tokens to {step} or less, or max-batched-tokens to {tokens} or more"
            )),
        );
    }
}

/// One setting that must be one of a few numbers.
fn one_of(
    case: &Case<'_>,
    found: &mut Diagnostics,
    rule: &Rule,
    setting: (Feature, &str),
    is: u64,
    allowed: &[u64],
    note: &str,
) {
    if !allowed.contains(&is) {
        let (feature, key) = setting;
        let names: Vec<_> = allowed.iter().map(u64::to_string).collect();
        found.push(
            Diagnostic::new(rule.code, format!("`{key}` of `{feature}` cannot be {is}"))
                .at(&case.setting(feature, key), "no kernel has it")
                .note(note)
                .help(format!("use one of {}", names.join(", "))),
        );
    }
}

fn lora_rank(case: &Case<'_>, found: &mut Diagnostics) {
    if let Adapters::Lora { max_rank, .. } = case.plan.features.adapters {
        let note = "adapters of a smaller rank are padded to it";
        one_of(
            case,
            found,
            &LORA_RANK,
            (Feature::Lora, "max-rank"),
            max_rank,
            &[8, 16, 32, 64, 128, 256],
            note,
        );
    }
}

fn lora_vocab(case: &Case<'_>, found: &mut Diagnostics) {
    if let Adapters::Lora { extra_vocab, .. } = case.plan.features.adapters {
        let note = "the output projection stays aligned only in such steps";
        one_of(
            case,
            found,
            &LORA_VOCAB,
            (Feature::Lora, "extra-vocab"),
            extra_vocab,
            &[0, 256, 512],
            note,
        );
    }
}

fn lora_resident(case: &Case<'_>, found: &mut Diagnostics) {
    let Adapters::Lora {
        max_loras,
        max_cpu_loras,
        ..
    } = case.plan.features.adapters
    else {
        return;
    };
    if max_cpu_loras < max_loras {
        let span = case.setting(Feature::Lora, "max-cpu-loras");
        found.push(
            Diagnostic::new(
                LORA_RESIDENT.code,
                format!(
                    "{max_cpu_loras} adapters in host memory cannot feed {max_loras} in a step"
                ),
            )
            .at(&span, "fewer than max-loras")
            .beside(
                &case.setting(Feature::Lora, "max-loras"),
                format!("{max_loras} in a step"),
            )
            .help(format!(
                "set max-cpu-loras to {max_loras} or more, or leave it out"
            )),
        );
    }
}

fn lookup_order(case: &Case<'_>, found: &mut Diagnostics) {
    let Draft::NGram {
        lookup_min,
        lookup_max,
        ..
    } = case.plan.features.draft
    else {
        return;
    };
    if lookup_min > lookup_max {
        let span = case.setting(Feature::SpeculativeDecoding, "lookup-max");
        found.push(
            Diagnostic::new(
                LOOKUP_ORDER.code,
                format!("n-grams from {lookup_max} down to {lookup_min} are none"),
            )
            .at(&span, "less than lookup-min")
            .beside(
                &case.setting(Feature::SpeculativeDecoding, "lookup-min"),
                "the shortest",
            )
            .help(format!("set lookup-max to {lookup_min} or more")),
        );
    }
}

fn lookup_method(case: &Case<'_>, found: &mut Diagnostics) {
    if !matches!(case.plan.features.draft, Draft::Model { .. }) {
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
    let tokens = match case.plan.features.draft {
        Draft::Off => return,
        Draft::NGram { tokens, .. } | Draft::Model { tokens } => tokens,
    };
    let limits = &case.plan.limits;
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

fn graph_batch(case: &Case<'_>, found: &mut Diagnostics) {
    let Launch::Graphs { max_batch } = case.plan.features.launch else {
        return;
    };
    let seqs = case.plan.limits.max_seqs;
    if max_batch > seqs {
        let span = case.setting(Feature::CudaGraph, "max-batch");
        found.push(
            Diagnostic::new(
                GRAPH_BATCH.code,
                format!("a graph for {max_batch} sequences is never replayed with {seqs}"),
            )
            .at(&span, "more than max-seqs")
            .beside(&case.limit("max-seqs", &span), format!("{seqs} sequences"))
            .help(format!("set max-batch to {seqs} or less, or leave it out")),
        );
    }
}

fn prompt_adapter_length(case: &Case<'_>, found: &mut Diagnostics) {
    let PromptAdapters::Tuned { max_tokens, .. } = case.plan.features.prompt_adapters else {
        return;
    };
    let len = case.plan.limits.max_model_len;
    if max_tokens >= len {
        let span = case.setting(Feature::PromptAdapter, "max-tokens");
        found.push(
            Diagnostic::new(
                PROMPT_ADAPTER_LENGTH.code,
                format!("{max_tokens} virtual tokens leave no room in {len}"),
            )
            .at(&span, "they count as tokens of the sequence")
            .beside(&case.limit("max-model-len", &span), format!("{len} tokens"))
            .help(format!("set max-tokens to {} or less", len - 1)),
        );
    }
}

fn alternatives(case: &Case<'_>, found: &mut Diagnostics) {
    let (Some(written), Dims::Baked(shape)) = (&case.profile.model.shape, &case.plan.model.dims)
    else {
        return;
    };
    let top = |logprobs| match logprobs {
        Logprobs::Off => 0,
        Logprobs::Top { max } => max,
    };
    let beams = match case.plan.features.beam {
        Beam::Off => 0,
        Beam::Width { max } => max.saturating_mul(2),
    };
    for (feature, key, wanted, fits) in [
        (
            Feature::Logprobs,
            "max",
            top(case.plan.features.logprobs),
            shape.vocab,
        ),
        (
            Feature::PromptLogprobs,
            "max",
            top(case.plan.features.prompt_logprobs),
            shape.vocab,
        ),
        (Feature::BeamSearch, "max-width", beams, shape.vocab / 2),
    ] {
        if wanted > shape.vocab {
            found.push(
                Diagnostic::new(
                    ALTERNATIVES.code,
                    format!(
                        "`{feature}` wants {wanted} alternatives of a vocabulary of {}",
                        shape.vocab
                    ),
                )
                .at(&case.setting(feature, key), "more than there are")
                .beside(&written.span, format!("vocab_size is {}", shape.vocab))
                .help(format!("set {key} to {fits} or less")),
            );
        }
    }
}

fn samples(case: &Case<'_>, found: &mut Diagnostics) {
    let BestOf::Ranked { max } = case.plan.features.best_of else {
        return;
    };
    let seqs = case.plan.limits.max_seqs;
    if max > seqs {
        let span = case.setting(Feature::BestOf, "max");
        found.push(
            Diagnostic::new(
                SAMPLES.code,
                format!("{max} samples of one prompt do not fit {seqs} sequences"),
            )
            .at(&span, "more than max-seqs")
            .beside(&case.limit("max-seqs", &span), format!("{seqs} sequences"))
            .help(format!(
                "set max to {seqs} or less, or max-seqs to {max} or more"
            )),
        );
    }
}
