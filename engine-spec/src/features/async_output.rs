//! Asynchronous output: the text of one step is made while the device runs the next.

use super::{Definition, Known, Part, settings};

pub static DEFINITION: Definition = Definition {
    name: "async-output",
    title: "Async output processing",
    aliases: &["async", "async-scheduling"],
    summary: "the text of one step is made while the device runs the next",
    part: Part {
        name: "Output",
        on: &["Async"],
        off: "Inline",
    },
    fields: AsyncOutput::FIELDS,
    rules: &[],
};

settings! {
    /// Nothing to set.
    AsyncOutput(known: &Known<'_>) {}
}
