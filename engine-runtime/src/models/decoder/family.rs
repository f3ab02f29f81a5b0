//! What the families differ in, where it costs code.

use engine_model::{Activation, ModelFamily};

/// What a family adds to the decoder. All else that families differ in is data: which tensors have a bias, how far a
/// layer sees, how it is rotated; see [`engine_model::Config`].
pub trait Family: Send + 'static {
    /// Its row in the table of families, which says what it accepts. Others may share its code.
    const FAMILY: ModelFamily;
    /// Each head of q and k is normalised before it is rotated.
    const HEAD_NORMS: bool = false;
    /// What a block adds to the row is normalised first.
    const POST_NORMS: bool = false;
    /// Some layers have experts.
    const EXPERTS: bool = false;
    /// Of the feed-forward blocks.
    const ACTIVATION: Activation = Activation::Silu;
}
