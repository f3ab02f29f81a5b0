//! Multi-step scheduling: one schedule serves several decode steps.

use super::{Definition, Feature, Known, Part, settings};
use crate::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::rules::{Case, Check, Rule};

pub static DEFINITION: Definition = Definition {
    name: "multi-step",
    title: "Multi-step scheduling",
    aliases: &["multistep"],
    summary: "one schedule serves several decode steps",
    part: Part {
        name: "Steps",
        on: &["Multi"],
        off: "Single",
    },
    fields: MultiStep::FIELDS,
    rules: &[&MULTI_STEP_LENGTH],
};

settings! {
    /// How many.
    MultiStep(known: &Known<'_>) {
        /// decode steps for one schedule
        steps: u64(2..=64) = 8,
    }
}

static MULTI_STEP_LENGTH: Rule = Rule {
    code: Code(215),
    name: "multi-step-length",
    doc: "each step of a schedule adds a token to a sequence of at least one, so fewer than max-model-len can ever be of use",
    check: Check::Case(multi_step_length),
};

fn multi_step_length(case: &Case<'_>, found: &mut Diagnostics) {
    let Some(&MultiStep { steps }) = case.answers.features.multi_step.on() else {
        return;
    };
    let len = case.answers.limits.max_model_len;
    if steps >= len {
        let span = case.setting(Feature::MultiStep, "steps");
        found.push(
            Diagnostic::new(
                MULTI_STEP_LENGTH.code,
                format!(
                    "{steps} steps for one schedule are more than a sequence of {len} tokens has"
                ),
            )
            .at(&span, "too many")
            .beside(&case.limit("max-model-len", &span), format!("{len} tokens"))
            .help(format!(
                "set max-model-len to {} or more, or steps to less",
                steps + 1
            )),
        );
    }
}
