//! Chunked prefill: a long prompt is read in pieces.

use super::{Definition, Feature, Known, MOST, Part, settings};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::profile::Profile;
use crate::rules::{Case, Check, Rule};

pub static DEFINITION: Definition = Definition {
    name: "chunked-prefill",
    title: "Chunked prefill",
    aliases: &["CP", "enable-chunked-prefill"],
    summary: "a long prompt is prefilled in pieces that share each step with the sequences that decode",
    part: Part {
        name: "Prefill",
        on: &["Chunked"],
        off: "Whole",
    },
    fields: ChunkedPrefill::FIELDS,
    rules: &[&CHUNK_STEP],
};

settings! {
    /// How long a piece is.
    ChunkedPrefill(known: &Known<'_>) {
        /// tokens of one prompt in one step at most
        tokens: u64(1..=MOST) = whole_step(known) => "max-batched-tokens, in whole blocks with prefix-caching",
    }
}

/// The whole step, in whole blocks if those are to be cached.
fn whole_step(known: &Known<'_>) -> u64 {
    let (step, block) = (known.limits.max_batched_tokens, known.limits.block_size);
    match known.profile.chosen(Feature::PrefixCaching) {
        Some(_) if step > block => step - step % block,
        _ => step,
    }
}

/// Tokens of a step where the feature is on and `max-batched-tokens` is not written: the chunk, or 512 as in vLLM 0.6.
pub(crate) fn step(profile: &Profile) -> Option<u64> {
    let chosen = profile.chosen(Feature::ChunkedPrefill)?;
    let tokens = chosen.settings.integer("tokens");
    Some(tokens.map_or(512, |tokens| tokens.value))
}

static CHUNK_STEP: Rule = Rule {
    code: Code(203),
    name: "chunk-step",
    doc: "a chunk must fit a step: chunked-prefill's tokens are at most max-batched-tokens",
    check: Check::Case(chunk_step),
};

fn chunk_step(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(&ChunkedPrefill { tokens }) = case.answers.features.chunked_prefill.on() else {
        return;
    };
    let step = case.answers.limits.max_batched_tokens;
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
