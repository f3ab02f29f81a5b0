//! Output text: tokens in, text out, with the stop strings cut off.
//!
//! The tokenizer is behind two small traits, because the engine needs nothing of it but this direction.

mod bytes;
mod output;
mod stop;

pub use bytes::ByteText;
pub(crate) use bytes::Characters;
pub use output::{AtStop, OutputText, Piece};
pub use stop::StopStrings;

/// Whether special tokens have text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialTokens {
    Keep,
    Skip,
}

/// Turns tokens into text.
pub trait Detokenize: Send + Sync {
    /// A stream for the output of one sequence.
    fn stream(&self, special: SpecialTokens) -> Box<dyn TextStream>;
}

/// The text of one growing sequence of tokens.
pub trait TextStream: Send {
    /// Appends to `text` what is now certain: a token that ends inside a character adds nothing yet, and one that the
    /// tokenizer does not know never adds anything.
    fn push(&mut self, token: u32, text: &mut String);

    /// Appends what was held back, with U+FFFD for characters that never became whole.
    fn finish(&mut self, text: &mut String);

    /// A stream that goes on from here by itself, as the outputs of one prompt do after its last common token.
    fn fork(&self) -> Box<dyn TextStream>;
}
