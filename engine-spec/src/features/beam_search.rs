//! Beam search: the likeliest continuations are followed side by side.

use super::{Definition, Feature, Known, MOST, Part, settings};
use crate::diagnostics::{Code, Diagnostics};
use crate::rules::{Case, Check, Rule};

pub static DEFINITION: Definition = Definition {
    name: "beam-search",
    title: "Beam search",
    aliases: &["beam", "use-beam-search"],
    summary: "the likeliest continuations are followed side by side",
    part: Part {
        name: "BeamSearch",
        on: &["Beams"],
        off: "Off",
    },
    fields: BeamSearch::FIELDS,
    rules: &[&BEAMS],
};

settings! {
    /// How many.
    BeamSearch(known: &Known<'_>) {
        /// beams at most
        max_width: u64(2..=MOST) = known.limits.max_seqs.clamp(2, 8) => "8, or max-seqs where that is less",
    }
}

static BEAMS: Rule = Rule {
    code: Code(216),
    name: "beams",
    doc: "all beams of a prompt run side by side: beam-search's max-width is at most max-seqs, or such a request could never be scheduled",
    check: Check::Case(beams),
};

fn beams(case: &Case<'_>, found: &mut Diagnostics) {
    if let Some(&BeamSearch { max_width }) = case.answers.features.beam_search.on() {
        let wanted = (max_width, "beams");
        found.extend(case.side_by_side(&BEAMS, Feature::BeamSearch, "max-width", wanted));
    }
}
