//! Best-of: several samples of one prompt, of which the likeliest are returned.

use super::{Definition, Feature, Known, MOST, Part, settings};
use crate::diagnostics::{Code, Diagnostics};
use crate::rules::{Case, Check, Rule};

pub static DEFINITION: Definition = Definition {
    name: "best-of",
    title: "Best-of",
    aliases: &["bestof"],
    summary: "several samples of one prompt, of which the likeliest are returned",
    part: Part {
        name: "BestOf",
        on: &["Ranked"],
        off: "Off",
    },
    fields: BestOf::FIELDS,
    rules: &[&SAMPLES],
};

settings! {
    /// How many.
    BestOf(known: &Known<'_>) {
        /// samples of one prompt at most
        max: u64(2..=MOST) = known.limits.max_seqs.clamp(2, 8) => "8, or max-seqs where that is less",
    }
}

static SAMPLES: Rule = Rule {
    code: Code(213),
    name: "samples",
    doc: "all samples of a prompt run side by side: best-of's max is at most max-seqs, or such a request could never be scheduled",
    check: Check::Case(samples),
};

fn samples(case: &Case<'_>, found: &mut Diagnostics) {
    if let Some(&BestOf { max }) = case.answers.features.best_of.on() {
        let wanted = (max, "samples");
        found.extend(case.side_by_side(&SAMPLES, Feature::BestOf, "max", wanted));
    }
}
