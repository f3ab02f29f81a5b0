//! The parts of an engine that a profile chooses: one trait for each feature row of the matrix.
//!
//! A part that is off is a zero-sized neutral type with empty bodies, so that callers never ask whether it is on.
//! A part that is known but not built yet is a type without its trait: a recipe that names it does not compile, and
//! rustc says so in our words.

mod logprobs;
mod prefill;
mod prefix;

pub use logprobs::{Logprobs, TokenLogprobs, Top};
pub use prefill::{Chunked, Prefill, Whole};
pub use prefix::{Hashed, Prefix};

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

/// Declares the trait of a part that is known but not built yet: its neutral type implements it, its other types
/// are only named.
macro_rules! unbuilt {
    ($(#[$doc:meta])* $part:ident: $neutral:ident; $($(#[$on_doc:meta])* $on:ident $(<$($param:ident),+>)? is $mark:ident),+ $(,)?) => {
        $(#[$doc])*
        #[diagnostic::on_unimplemented(
            message = "`{Self}` is not built yet in this engine",
            label = "no kernels and no code for this part",
            note = "`cargo lathe matrix` shows what is built"
        )]
        pub trait $part: Part {}

        impl $part for $neutral {}

        $(
            $(#[$on_doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $on $(<$(const $param: usize),+>)?;

            impl $(<$(const $param: usize),+>)? Part for $on $(<$($param),+>)? {
                type Mark = mark::$mark;
            }
        )+
    };
}

/// Declares a neutral type with a name of its own.
macro_rules! neutral {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name;

        impl Part for $name {
            type Mark = mark::Nothing;
        }
    )+};
}

neutral! {
    /// Ops are launched one by one.
    Eager,
    /// One token for each schedule.
    Single,
    /// Output is processed before the next step is launched.
    Inline,
}

unbuilt! {
    /// Low-rank adapters (Hu et al., arXiv 2106.09685).
    Adapters: Off;
    /// Up to `LORAS` adapters in a batch, of rank `RANK` at most.
    Lora<LORAS, RANK> is Lora
}
unbuilt! {
    /// Trained virtual tokens in front of a prompt (Lester et al., arXiv 2104.08691).
    SoftPrompts: Off;
    /// Up to `ADAPTERS` adapters of `TOKENS` virtual tokens at most.
    PromptTuning<ADAPTERS, TOKENS> is PromptAdapter
}
unbuilt! {
    /// Tokens proposed cheaply and verified together (Leviathan et al., arXiv 2211.17192).
    Draft: Off;
    /// `TOKENS` tokens copied from an earlier match in the context.
    NGram<TOKENS> is SpeculativeDecoding,
    /// `TOKENS` tokens from a smaller model.
    DraftModel<TOKENS> is SpeculativeDecoding,
}
unbuilt! {
    /// How the ops of a step reach the device.
    Launch: Eager;
    /// Decode steps are captured once and replayed.
    Graphs is CudaGraph
}
unbuilt! {
    /// An encoder in front of the decoder.
    Encoder: Off;
    /// Cross-attention to an encoder's output.
    CrossAttention is EncoderDecoder
}
unbuilt! {
    /// Logprobs of prompt tokens.
    PromptLogprobs: Off;
    /// Up to `MAX` candidates for each prompt token.
    PromptTop<MAX> is PromptLogprobs
}
unbuilt! {
    /// When sampled tokens are turned into output.
    Output: Inline;
    /// While the next step runs.
    Async is AsyncOutput
}
unbuilt! {
    /// Decode steps for each schedule.
    Steps: Single;
    /// `STEPS` of them.
    Multi<STEPS> is MultiStep
}
unbuilt! {
    /// Input other than text.
    Media: Off;
    /// Images, up to `IMAGES` in a prompt.
    Images<IMAGES> is Multimodal
}
unbuilt! {
    /// Several samples of which the best are returned.
    BestOf: Off;
    /// Ranked by cumulative logprob.
    Ranked is BestOf
}
unbuilt! {
    /// Search for the likeliest sequences.
    Beam: Off;
    /// Up to `WIDTH` beams.
    Beams<WIDTH> is BeamSearch
}
unbuilt! {
    /// Output held to a grammar.
    Guide: Off;
    /// JSON schema, regular expression, choice or Lark grammar.
    Grammar is GuidedDecoding
}
