//! `[limits]` among themselves, and against the model's shape.

use super::{Case, Check, Rule};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};

pub static STEP_SEQS: Rule = Rule {
    code: Code(504),
    name: "step-seqs",
    doc: "a step must have room for one token of every sequence: max-batched-tokens is at least max-seqs",
    check: Check::Case(step_seqs),
};

pub static STEP_LEN: Rule = Rule {
    code: Code(505),
    name: "step-len",
    doc: "without chunked prefill a whole prompt goes through in one step: max-batched-tokens is at least max-model-len",
    check: Check::Case(step_len),
};

pub static BLOCK_SIZE: Rule = Rule {
    code: Code(506),
    name: "block-size",
    doc: "a KV block has a power of two of tokens, at most 256: GPU kernels find block and place by shift and mask, and all backends go by one rule",
    check: Check::Case(block_size),
};

pub static POSITIONS: Rule = Rule {
    code: Code(507),
    name: "positions",
    doc: "a sequence cannot be longer than the positions that the model was made for",
    check: Check::Case(positions),
};

fn step_seqs(case: &Case<'_>, found: &mut Diagnostics) {
    let (step, seqs) = (
        case.answers.limits.max_batched_tokens,
        case.answers.limits.max_seqs,
    );
    if step < seqs {
        let span = case.limit("max-batched-tokens", &case.profile.name.span);
        found.push(
            Diagnostic::new(
                STEP_SEQS.code,
                format!("a step of {step} tokens has no room for {seqs} sequences"),
            )
            .at(&span, "fewer than max-seqs")
            .beside(&case.limit("max-seqs", &span), format!("{seqs} sequences"))
            .note("each sequence that decodes takes one token of the step")
            .help(format!(
                "set max-batched-tokens to {seqs} or more, or max-seqs to {step} or less"
            )),
        );
    }
}

fn step_len(case: &Case<'_>, found: &mut Diagnostics) {
    let (step, len) = (
        case.answers.limits.max_batched_tokens,
        case.answers.limits.max_model_len,
    );
    if case.answers.features.chunked_prefill.on().is_none() && step < len {
        let span = case.limit("max-batched-tokens", &case.profile.name.span);
        found.push(
            Diagnostic::new(
                STEP_LEN.code,
                format!("a step of {step} tokens has no room for a prompt of {len}"),
            )
            .at(&span, "fewer than max-model-len")
            .beside(&case.limit("max-model-len", &span), format!("{len} tokens"))
            .note("without chunked prefill a whole prompt goes through in one step")
            .help(format!(
                "set max-batched-tokens to {len} or more, or turn chunked-prefill on"
            )),
        );
    }
}

fn block_size(case: &Case<'_>, found: &mut Diagnostics) {
    let size = case.answers.limits.block_size;
    if !size.is_power_of_two() || size > 256 {
        let near = (size.min(256) + 1).next_power_of_two() / 2;
        found.push(
            Diagnostic::new(
                BLOCK_SIZE.code,
                format!("a KV block cannot have {size} tokens"),
            )
            .at(
                &case.limit("block-size", &case.profile.name.span),
                "not a power of two up to 256",
            )
            .note("GPU kernels find a token's block and its place in it by shift and mask")
            .help(format!("set block-size = {near}; 16 is the default")),
        );
    }
}

fn positions(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(written) = &case.profile.model.shape else {
        return;
    };
    let len = case.answers.limits.max_model_len;
    let most = written.value.config.max_positions as u64;
    if len > most {
        found.push(
            Diagnostic::new(
                POSITIONS.code,
                format!("the model was made for {most} positions, not for {len}"),
            )
            .at(
                &case.limit("max-model-len", &written.span),
                "past the model's last position",
            )
            .beside(&written.span, format!("{most} positions"))
            .help(format!("set max-model-len to {most} or less")),
        );
    }
}
