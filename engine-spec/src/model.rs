//! What is known of models: architectures by the name that their config.json gives, number formats, weight formats.

use crate::arch::Arch;
use crate::family::{BackendKind, Family};

/// Makes an enum whose variants have a name in a profile: the table below each is the only list of them.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant,)*];
            pub const NAMES: &[&str] = &[$($text,)*];

            /// The name in a profile.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The one with exactly this name.
            pub fn named(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}
pub(crate) use named;

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

named! {
    /// The number format of activations, keys and values, and of weights that are not quantized.
    Dtype {
        F32 = "f32",
        F16 = "f16",
        Bf16 = "bf16",
    }
}

impl Dtype {
    /// Bytes a number.
    pub const fn bytes(self) -> u64 {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }

    /// Whether the architecture multiplies it. All multiply f16 and f32.
    pub const fn runs_on(self, arch: Arch) -> bool {
        match self {
            Dtype::F32 | Dtype::F16 => true,
            Dtype::Bf16 => arch.has_bf16(),
        }
    }
}

named! {
    /// How the weights of linear layers are stored.
    WeightFormat {
        Dense = "dense",
        Fp8 = "fp8",
        Int8 = "int8",
        Awq = "awq",
        Gptq = "gptq",
    }
}

impl WeightFormat {
    /// Whether there are kernels for it on the architecture; the error says why not. What needs an instruction is
    /// read from the architecture's facts; for the 4-bit formats, which need none, it is vLLM 0.6's table "Supported
    /// Hardware for Quantization Kernels".
    pub fn runs_on(self, arch: Arch) -> Result<(), &'static str> {
        match (self, arch.family()) {
            (WeightFormat::Fp8, _) if !arch.has_fp8() => Err(
                "8-bit floats are multiplied by matrix instructions from sm_89 on and in gfx942",
            ),
            (WeightFormat::Int8, _) if !arch.has_int8() => {
                Err("8-bit integers are multiplied by matrix instructions from sm_72 on")
            }
            (WeightFormat::Awq, Family::Volta) => Err(
                "its kernels are built on the m16n8k8 matrix instruction, which starts with sm_75",
            ),
            (WeightFormat::Awq | WeightFormat::Gptq, Family::Amd) => {
                Err("its kernels existed for NVIDIA and x86 only")
            }
            _ => Ok(()),
        }
    }

    /// Bits a weight of a linear layer takes in this format, where plain weights are of `dtype`; scales come on top.
    pub const fn bits(self, dtype: Dtype) -> u64 {
        match self {
            WeightFormat::Dense => 8 * dtype.bytes(),
            WeightFormat::Fp8 | WeightFormat::Int8 => 8,
            WeightFormat::Awq | WeightFormat::Gptq => 4,
        }
    }

    /// Whether this engine has it.
    pub const fn is_built(self) -> bool {
        matches!(self, WeightFormat::Dense)
    }
}

named! {
    /// The device compiler that a profile may insist on.
    Toolkit {
        Cuda11 = "cuda-11",
        Cuda12 = "cuda-12",
        Cuda13 = "cuda-13",
        Rocm5 = "rocm-5",
        Rocm6 = "rocm-6",
        Clang19 = "clang-19",
    }
}

impl Toolkit {
    /// Why it makes no code for the architecture, if it does not. From the release notes of each: CUDA 11.8 ends
    /// with sm_90, CUDA 13.0 drops everything before sm_75; ROCm 6.0 brings gfx942; clang 19 has them all.
    pub fn builds(self, arch: Arch) -> Result<(), &'static str> {
        let backend = arch.family().backend();
        match self {
            _ if backend == BackendKind::Cpu => Err("a CPU engine is compiled by rustc alone"),
            Toolkit::Cuda11 | Toolkit::Cuda12 | Toolkit::Cuda13 if backend != BackendKind::Cuda => {
                Err("it is a toolkit for NVIDIA")
            }
            Toolkit::Rocm5 | Toolkit::Rocm6 if backend != BackendKind::Hip => {
                Err("it is a toolkit for AMD")
            }
            Toolkit::Clang19 if backend != BackendKind::Hip => {
                Err("clang makes code for AMD here; for NVIDIA the toolkits are cuda-11 to cuda-13")
            }
            Toolkit::Cuda13 if matches!(arch, Arch::Sm70 | Arch::Sm72) => {
                Err("CUDA 13 dropped everything before sm_75")
            }
            Toolkit::Rocm5 if matches!(arch, Arch::Gfx942) => Err("gfx942 came with ROCm 6"),
            Toolkit::Cuda11
            | Toolkit::Cuda12
            | Toolkit::Cuda13
            | Toolkit::Rocm5
            | Toolkit::Rocm6
            | Toolkit::Clang19 => Ok(()),
        }
    }
}
