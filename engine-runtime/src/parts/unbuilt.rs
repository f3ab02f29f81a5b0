//! The parts that are known and not built yet: named, with their settings, and without code.
//!
//! Their settings stand in a recipe all the same, so that `cargo lathe expand` shows what an engine will be.

use super::{Off, Part, settings};
use crate::legal::mark;
use crate::recipe::Recipe;

/// Declares the trait of such a part: its neutral type implements it, its other types are only named.
macro_rules! unbuilt {
    ($(#[$doc:meta])* $part:ident: $neutral:ident; $($(#[$on_doc:meta])* $on:ident is $mark:ident),+ $(,)?) => {
        $(#[$doc])*
        #[diagnostic::on_unimplemented(
            message = "`{Self}` is not built yet in this engine",
            label = "no kernels and no code for this part",
            note = "`cargo lathe matrix` shows what is built"
        )]
        pub trait $part<R: Recipe>: Part {}

        impl<R: Recipe> $part<R> for $neutral {}

        $(
            $(#[$on_doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $on;

            impl Part for $on {
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
}

unbuilt! {
    /// Low-rank adapters (Hu et al., arXiv 2106.09685).
    Adapters: Off;
    /// Several of them in one batch.
    Lora is Lora
}
settings! {
    LoraSettings {
        /// Adapters in a step.
        max_loras,
        /// Rank of an adapter; smaller ones are padded to it.
        max_rank,
        /// Adapters in host memory.
        max_cpu_loras,
        /// Tokens that an adapter may add to the vocabulary.
        extra_vocab,
    }
}

unbuilt! {
    /// Trained virtual tokens in front of a prompt (Lester et al., arXiv 2104.08691).
    PromptAdapters: Off;
    /// Their rows stand in for the first embeddings of a prompt.
    PromptAdapter is PromptAdapter
}
settings! {
    PromptAdapterSettings {
        /// Adapters in device memory.
        max_adapters,
        /// Virtual tokens of an adapter.
        max_tokens,
    }
}

unbuilt! {
    /// Tokens proposed cheaply and verified together (Leviathan et al., arXiv 2211.17192).
    Draft: Off;
    /// Tokens copied from an earlier match in the context.
    NGram is SpeculativeDecoding,
    /// Tokens from a smaller model.
    DraftModel is SpeculativeDecoding,
}
settings! {
    SpeculativeDecodingSettings {
        /// Tokens drafted for each pass of the model.
        tokens,
        /// Shortest match that counts, in tokens; 0 where nothing is looked up.
        lookup_min,
        /// Longest match that is looked for, in tokens; 0 where nothing is looked up.
        lookup_max,
    }
}

unbuilt! {
    /// How the ops of a step reach the device.
    Launch: Eager;
    /// Decode steps are captured once and replayed.
    Graphs is CudaGraph
}
settings! {
    CudaGraphSettings {
        /// Sequences of the largest step that is captured.
        max_batch,
    }
}

unbuilt! {
    /// An encoder in front of the decoder.
    Encoder: Off;
    /// Cross-attention to an encoder's output.
    CrossAttention is EncoderDecoder
}
settings! {
    EncoderDecoderSettings {
        /// Tokens of an encoder's prompt.
        max_encoder_len,
    }
}

unbuilt! {
    /// Logprobs of prompt tokens.
    PromptLogprobs: Off;
    /// The likeliest candidates for each prompt token.
    PromptTop is PromptLogprobs
}
settings! {
    PromptLogprobsSettings {
        /// Candidates that a request may ask for.
        max,
    }
}

unbuilt! {
    /// Decode steps for each schedule.
    Steps: Single;
    /// Several of them.
    Multi is MultiStep
}
settings! {
    MultiStepSettings {
        /// Decode steps for one schedule.
        steps,
    }
}

unbuilt! {
    /// Input other than text.
    Multimodal: Off;
    /// Images among the tokens of a prompt.
    Images is Multimodal
}
settings! {
    MultimodalSettings {
        /// Images in a prompt.
        max_images,
    }
}

unbuilt! {
    /// Several samples of which the best are returned.
    BestOf: Off;
    /// Ranked by cumulative logprob.
    Ranked is BestOf
}
settings! {
    BestOfSettings {
        /// Samples of a prompt.
        max,
    }
}

unbuilt! {
    /// Search for the likeliest sequences.
    BeamSearch: Off;
    /// The likeliest continuations side by side.
    Beams is BeamSearch
}
settings! {
    BeamSearchSettings {
        /// Beams of a request.
        max_width,
    }
}

unbuilt! {
    /// Output held to a grammar.
    Guide: Off;
    /// JSON schema, regular expression, choice or Lark grammar.
    Grammar is GuidedDecoding
}
