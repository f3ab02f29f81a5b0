//! What is known of models: families, by the name that their config.json gives.

use crate::named::named;
pub use crate::{dtype::Dtype, weight_format::WeightFormat};

named! {
    /// A family of models that share their code: `model_type` in config.json.
    ModelFamily {
        Llama = "llama",
        Mistral = "mistral",
        Qwen2 = "qwen2",
        Qwen3 = "qwen3",
        Gemma2 = "gemma2",
        Phi3 = "phi3",
        Mixtral = "mixtral",
        Gpt2 = "gpt2",
        Opt = "opt",
        Bart = "bart",
        T5 = "t5",
        Mllama = "mllama",
        Llava = "llava",
        Qwen2Vl = "qwen2-vl",
    }
}

/// What a model reads and how it is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// Text in, text out, one stack of layers.
    Decoder,
    /// An encoder reads one prompt, a decoder attends to it.
    EncoderDecoder,
    /// A decoder among whose tokens images may stand.
    Multimodal,
}

impl ModelFamily {
    pub const fn kind(self) -> ModelKind {
        use ModelFamily::*;
        match self {
            Llama | Mistral | Qwen2 | Qwen3 | Gemma2 | Phi3 | Mixtral | Gpt2 | Opt => {
                ModelKind::Decoder
            }
            Bart | T5 => ModelKind::EncoderDecoder,
            Mllama | Llava | Qwen2Vl => ModelKind::Multimodal,
        }
    }

    /// The runtime's model code, or nothing where there is none yet. Mistral is a Llama with another config.json.
    pub const fn code(self) -> Option<ModelCode> {
        use ModelFamily::*;
        match self {
            Llama | Mistral => Some(ModelCode::Llama),
            Qwen2 => Some(ModelCode::Qwen2),
            Qwen3 => Some(ModelCode::Qwen3),
            Gemma2 | Phi3 | Mixtral | Gpt2 | Opt | Bart | T5 | Mllama | Llava | Qwen2Vl => None,
        }
    }

    /// `model_type` as Hugging Face's config.json writes it.
    pub fn model_type(self) -> String {
        self.name().replace('-', "_")
    }
}

named! {
    /// A model of the runtime.
    ModelCode {
        Llama = "Llama",
        Qwen2 = "Qwen2",
        Qwen3 = "Qwen3",
    }
}
