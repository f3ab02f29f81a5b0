//! Automatic prefix caching: what was computed for the start of a prompt is used again.

use super::{Definition, Known, Part, settings};

pub static DEFINITION: Definition = Definition {
    name: "prefix-caching",
    title: "Automatic prefix caching",
    aliases: &[
        "APC",
        "prefix-cache",
        "automatic-prefix-caching",
        "enable-prefix-caching",
    ],
    summary: "full KV blocks of a prompt are kept and found again by their hash",
    part: Part {
        name: "Prefix",
        on: &["Hashed"],
        off: "Off",
    },
    fields: PrefixCaching::FIELDS,
    rules: &[],
};

settings! {
    /// Nothing to set: its blocks are those of `limits.block-size`.
    PrefixCaching(known: &Known<'_>) {}
}
