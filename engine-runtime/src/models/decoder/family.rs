//! What the families differ in that costs code in an engine; the rest is data of the config.

use engine_model::ModelCode;

/// What a family adds to the decoder.
pub trait Family: Send + 'static {
    const NAME: &'static str;
    /// Its row in the table of families, which says what it accepts.
    const CODE: ModelCode;
    /// Each head of q and k is normalised before it is rotated.
    const HEAD_NORM: bool;
}
