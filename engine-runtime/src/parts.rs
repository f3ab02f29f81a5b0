//! The parts of an engine that a profile chooses: one trait for each feature of vLLM's matrix.
//!
//! A part that is off is a zero-sized neutral type with empty bodies, so that callers never ask whether it is on. A
//! part reads its settings from the recipe's constant of its feature's name. A part that is known but not built yet
//! is a type without its trait: a recipe that names it does not compile, and rustc says so in our words.

mod logprobs;
mod output;
mod prefill;
mod prefix;
mod unbuilt;

pub use logprobs::{Logprobs, LogprobsSettings, TokenLogprobs, Top};
pub use output::{Async, Inline, Output};
pub use prefill::{Chunked, ChunkedPrefillSettings, Prefill, Whole};
pub use prefix::{Hashed, Prefix};
pub use unbuilt::*;

use crate::legal::mark;

/// Any part. `Mark` is the matrix feature that it switches on, [`mark::Nothing`] for a neutral type;
/// [`crate::legal`] holds the marks of a recipe against the matrix.
pub trait Part: Send + 'static {
    type Mark;
}

/// The feature is not in this engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Off;

impl Part for Off {
    type Mark = mark::Nothing;
}

/// Declares the settings of a feature, which a recipe gives as a constant. `OFF` stands in recipes without the feature.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: usize,)+
        }

        impl $name {
            /// Of a recipe without the feature; nothing reads it there.
            pub const OFF: Self = Self { $($field: 0),+ };
        }
    };
}
use settings;
