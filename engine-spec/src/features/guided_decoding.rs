//! Guided decoding: what may follow is held to a grammar, a schema, an expression or a choice.

use super::{Definition, Known, Part, settings};

pub static DEFINITION: Definition = Definition {
    name: "guided-decoding",
    title: "Guided decoding",
    aliases: &["guided", "grammar", "structured-output"],
    summary: "a grammar, schema, expression or choice says which tokens may follow",
    part: Part {
        name: "Guide",
        on: &["Grammar"],
        off: "Off",
    },
    fields: GuidedDecoding::FIELDS,
    rules: &[],
};

settings! {
    /// Nothing to set.
    GuidedDecoding(known: &Known<'_>) {}
}
