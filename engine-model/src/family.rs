//! The model families: which there are, what a config.json calls them, and in what they differ.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::config::Activation;

/// Makes the enum and its table; the rows are the only list of families.
macro_rules! families {
    ($($variant:ident, $name:literal, $model_type:literal, [$($architecture:literal),*], $code:expr, $encoder:literal, $sees:literal, [$($heads:literal),*];)*) => {
        /// A family of models that share their code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ModelFamily { $($variant,)* }

        impl ModelFamily {
            pub const ALL: &[ModelFamily] = &[$(ModelFamily::$variant,)*];
            pub const NAMES: &[&str] = &[$($name,)*];

            const fn facts(self) -> Facts {
                match self {
                    $(ModelFamily::$variant => Facts {
                        name: $name,
                        model_type: $model_type,
                        architectures: &[$($architecture),*],
                        code: $code,
                        has_encoder: $encoder,
                        sees: $sees,
                        usual_heads: &[$($heads),*],
                    },)*
                }
            }
        }
    };
}

/// What is known of one family.
struct Facts {
    name: &'static str,
    model_type: &'static str,
    architectures: &'static [&'static str],
    code: Option<ModelCode>,
    has_encoder: bool,
    sees: bool,
    usual_heads: &'static [u64],
}

// `code` is the runtime's model that runs the family; a family without one is known, and not built yet.
// `heads` are as the config.json files of the usual models have them: gemma-3-27b has 128, the smaller ones 256.
#[rustfmt::skip]
families! {
    //         name in a profile  model_type      architectures                        code                       encoder sees    heads
    Llama,     "llama",           "llama",        ["LlamaForCausalLM"],                Some(ModelCode::Llama),    false,  false,  [64, 128];
    Mistral,   "mistral",         "mistral",      ["MistralForCausalLM"],              Some(ModelCode::Llama),    false,  false,  [128];
    Qwen2,     "qwen2",           "qwen2",        ["Qwen2ForCausalLM"],                Some(ModelCode::Qwen2),    false,  false,  [64, 128];
    Qwen3,     "qwen3",           "qwen3",        ["Qwen3ForCausalLM"],                Some(ModelCode::Qwen3),    false,  false,  [128];
    Qwen3Moe,  "qwen3-moe",       "qwen3_moe",    ["Qwen3MoeForCausalLM"],             Some(ModelCode::Qwen3Moe),  false,  false,  [128];
    Gemma2,    "gemma2",          "gemma2",       ["Gemma2ForCausalLM"],               None,                      false,  false,  [128, 256];
    Gemma3,    "gemma3",          "gemma3_text",  ["Gemma3ForCausalLM"],               Some(ModelCode::Gemma3),    false,  false,  [128, 256];
    Phi3,      "phi3",            "phi3",         ["Phi3ForCausalLM"],                 None,                      false,  false,  [96, 128];
    Mixtral,   "mixtral",         "mixtral",      ["MixtralForCausalLM"],              None,                      false,  false,  [128];
    Gpt2,      "gpt2",            "gpt2",         ["GPT2LMHeadModel"],                 None,                      false,  false,  [64];
    Opt,       "opt",             "opt",          ["OPTForCausalLM"],                  None,                      false,  false,  [64, 80, 128];
    Bart,      "bart",            "bart",         ["BartForConditionalGeneration"],    None,                      true,   false,  [64];
    T5,        "t5",              "t5",           ["T5ForConditionalGeneration"],      None,                      true,   false,  [64, 128];
    Mllama,    "mllama",          "mllama",       ["MllamaForConditionalGeneration"],  None,                      true,   true,   [128];
    Llava,     "llava",           "llava",        ["LlavaForConditionalGeneration"],   None,                      false,  true,   [128];
    Qwen2Vl,   "qwen2-vl",        "qwen2_vl",     ["Qwen2VLForConditionalGeneration"], None,                      false,  true,   [128];
}

/// A model of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelCode {
    Llama,
    Qwen2,
    Qwen3,
    Qwen3Moe,
    Gemma3,
}

impl ModelCode {
    /// The runtime's type, in its module `models`.
    pub const fn name(self) -> &'static str {
        match self {
            ModelCode::Llama => "Llama",
            ModelCode::Qwen2 => "Qwen2",
            ModelCode::Qwen3 => "Qwen3",
            ModelCode::Qwen3Moe => "Qwen3Moe",
            ModelCode::Gemma3 => "Gemma3",
        }
    }

    /// Class names in transformers of the checkpoints that this code loads.
    pub fn architectures(self) -> impl Iterator<Item = &'static str> {
        ModelFamily::ALL
            .iter()
            .filter(move |family| family.code() == Some(self))
            .flat_map(|family| family.architectures())
            .copied()
    }
}

impl ModelFamily {
    /// The name in a profile.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The one with exactly this name.
    pub fn named(name: &str) -> Option<ModelFamily> {
        ModelFamily::ALL
            .iter()
            .copied()
            .find(|family| family.name() == name)
    }

    /// `model_type` in config.json.
    pub const fn model_type(self) -> &'static str {
        self.facts().model_type
    }

    /// Class names in transformers, as `architectures` in config.json has them.
    pub const fn architectures(self) -> &'static [&'static str] {
        self.facts().architectures
    }

    /// The family of a class name in transformers.
    pub fn of_architecture(architecture: &str) -> Option<ModelFamily> {
        ModelFamily::ALL
            .iter()
            .copied()
            .find(|family| family.architectures().contains(&architecture))
    }

    /// The runtime's model code, or nothing where there is none yet. Mistral is a Llama with another config.json.
    pub const fn code(self) -> Option<ModelCode> {
        self.facts().code
    }

    /// An encoder reads one prompt, and the decoder attends to it across.
    pub const fn has_encoder(self) -> bool {
        self.facts().has_encoder
    }

    /// Images may stand among the tokens of a prompt.
    pub const fn sees(self) -> bool {
        self.facts().sees
    }

    /// Sizes of the attention heads that its usual models have, ascending.
    pub const fn usual_heads(self) -> &'static [u64] {
        self.facts().usual_heads
    }

    /// Each head of q and k has a norm of its own.
    pub fn head_norms(self) -> bool {
        self.variation().is_some_and(|family| family.head_norms)
    }

    /// What its gated feed-forward blocks compute.
    pub fn activation(self) -> Activation {
        match self.variation() {
            Some(Variation { gemma: true, .. }) => Activation::GeluTanh,
            _ => Activation::Silu,
        }
    }

    /// Layers may have experts in place of one feed-forward block.
    pub const fn has_experts(self) -> bool {
        matches!(self, ModelFamily::Mixtral | ModelFamily::Qwen3Moe)
    }

    /// In what a family of decoders with gated feed-forward blocks differs from a Llama; `None` for a family of
    /// another build, whose config.json has other fields. As transformers 5.23's configuration and modelling code.
    pub(crate) const fn variation(self) -> Option<Variation> {
        const LLAMA: Variation = Variation {
            head_dim: None,
            norm_eps: 1e-6,
            tied: false,
            theta: 10_000.0,
            head_norms: false,
            gemma: false,
        };
        match self {
            ModelFamily::Llama | ModelFamily::Mistral | ModelFamily::Qwen2 => Some(LLAMA),
            ModelFamily::Qwen3 => Some(Variation {
                head_dim: Some(128),
                head_norms: true,
                ..LLAMA
            }),
            ModelFamily::Qwen3Moe => Some(Variation {
                head_norms: true,
                ..LLAMA
            }),
            ModelFamily::Gemma2 => Some(Variation {
                head_dim: Some(256),
                tied: true,
                gemma: true,
                ..LLAMA
            }),
            ModelFamily::Gemma3 => Some(Variation {
                head_dim: Some(256),
                tied: true,
                head_norms: true,
                gemma: true,
                ..LLAMA
            }),
            ModelFamily::Phi3 => Some(Variation {
                norm_eps: 1e-5,
                ..LLAMA
            }),
            ModelFamily::Mixtral => Some(Variation {
                norm_eps: 1e-5,
                theta: 1_000_000.0,
                ..LLAMA
            }),
            ModelFamily::Gpt2
            | ModelFamily::Opt
            | ModelFamily::Bart
            | ModelFamily::T5
            | ModelFamily::Mllama
            | ModelFamily::Llava
            | ModelFamily::Qwen2Vl => None,
        }
    }
}

/// What a config.json leaves to its family.
pub(crate) struct Variation {
    /// Where the file names none; `None` divides the row among the heads.
    pub head_dim: Option<usize>,
    pub norm_eps: f64,
    /// Whether the embedding is the output matrix where the file does not say.
    pub tied: bool,
    /// Base of the rotary wavelengths where the file names none.
    pub theta: f64,
    /// Each head of q and k has a norm of its own.
    pub head_norms: bool,
    /// Norms multiply by one more than their weights and stand behind each block too, embeddings are scaled, and the
    /// activation is a GELU.
    pub gemma: bool,
}

impl fmt::Display for ModelFamily {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl Serialize for ModelFamily {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_one_family() {
        for family in ModelFamily::ALL {
            assert_eq!(ModelFamily::named(family.name()), Some(*family));
            for architecture in family.architectures() {
                assert_eq!(ModelFamily::of_architecture(architecture), Some(*family));
            }
            assert!(!family.architectures().is_empty(), "{family}");
            if family.code().is_some() {
                assert!(
                    family.variation().is_some(),
                    "{family} is built, so it can be read"
                );
            }
        }
        let both: Vec<_> = ModelCode::Llama.architectures().collect();
        assert_eq!(both, ["LlamaForCausalLM", "MistralForCausalLM"]);
    }
}
