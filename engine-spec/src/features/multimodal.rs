//! Multimodal input: images among the prompt's tokens.

use super::{Definition, Known, Part, settings};

pub static DEFINITION: Definition = Definition {
    name: "multimodal",
    title: "Multimodal input",
    aliases: &["MM", "vision"],
    summary: "images among the prompt's tokens",
    part: Part {
        name: "Multimodal",
        on: &["Images"],
        off: "Off",
    },
    fields: Multimodal::FIELDS,
    rules: &[],
};

settings! {
    /// Room for images.
    Multimodal(known: &Known<'_>) {
        /// images in one prompt at most
        max_images: u64(1..=4096) = 1,
    }
}
