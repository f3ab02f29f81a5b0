//! Prompt logprobs: log probabilities of the prompt's own tokens.

use super::logprobs::MOST_ALTERNATIVES;
use super::{Definition, Known, Part, settings};

pub static DEFINITION: Definition = Definition {
    name: "prompt-logprobs",
    title: "Prompt logprobs",
    aliases: &["prmpt-logP"],
    summary: "log probabilities of the prompt's own tokens",
    part: Part {
        name: "PromptLogprobs",
        on: &["PromptTop"],
        off: "Off",
    },
    fields: PromptLogprobs::FIELDS,
    // `alternatives` is with `logprobs`.
    rules: &[],
};

settings! {
    /// How much a request may ask for.
    PromptLogprobs(known: &Known<'_>) {
        /// alternatives a request may ask for at each prompt token
        max: u64(0..=MOST_ALTERNATIVES) = 20,
    }
}
