//! Prompt adapters: trained virtual tokens in front of a prompt.

use super::{Definition, Feature, Known, MOST, Part, settings};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::rules::{Case, Check, Rule};

pub static DEFINITION: Definition = Definition {
    name: "prompt-adapter",
    title: "Prompt adapter",
    aliases: &["prmpt-adptr", "soft-prompt", "enable-prompt-adapter"],
    summary: "learned rows stand in for the first token embeddings of a prompt",
    part: Part {
        name: "PromptAdapters",
        on: &["PromptAdapter"],
        off: "Off",
    },
    fields: PromptAdapter::FIELDS,
    rules: &[&PROMPT_ADAPTER_LENGTH],
};

settings! {
    /// Room for prompt adapters.
    PromptAdapter(known: &Known<'_>) {
        /// prompt adapters resident at once
        max_adapters: u64(1..=4096) = 1,
        /// virtual tokens of an adapter at most
        max_tokens: u64(1..=MOST) = 128,
    }
}

static PROMPT_ADAPTER_LENGTH: Rule = Rule {
    code: Code(211),
    name: "prompt-adapter-length",
    doc: "virtual tokens count as tokens of the sequence: there must be room for them and at least one more",
    check: Check::Case(prompt_adapter_length),
};

fn prompt_adapter_length(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(&PromptAdapter { max_tokens, .. }) = case.answers.features.prompt_adapter.on() else {
        return;
    };
    let len = case.answers.limits.max_model_len;
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
