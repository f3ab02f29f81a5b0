//! Encoder-decoder models: a decoder attends to what an encoder made of another prompt.

use super::{Definition, Known, MOST, Part, settings};

pub static DEFINITION: Definition = Definition {
    name: "encoder-decoder",
    title: "Encoder-decoder",
    aliases: &["enc-dec"],
    summary: "models with an encoder whose output the decoder attends to",
    part: Part {
        name: "Encoder",
        on: &["CrossAttention"],
        off: "Off",
    },
    fields: EncoderDecoder::FIELDS,
    rules: &[],
};

settings! {
    /// Room for encoder prompts.
    EncoderDecoder(known: &Known<'_>) {
        /// tokens of an encoder prompt at most
        max_encoder_len: u64(1..=MOST) = known.limits.max_model_len => "max-model-len",
    }
}
