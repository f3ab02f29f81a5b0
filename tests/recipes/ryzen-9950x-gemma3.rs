const _: () = {
    use ::engine_runtime::{KvMemory, Limits, Recipe};
    use ::engine_runtime::backend::cpu::{Avx512Bf16, Cpu};
    use ::engine_runtime::dtype::{BF16, Dense, Plain};
    use ::engine_runtime::models::{Dims, Gemma3, Shape};
    use ::engine_runtime::parts::{
        Chunked, ChunkedPrefillSettings, Eager, Hashed, Inline, Off, Single,
    };
    pub struct BakedShape;
    impl Shape for BakedShape {
        const KNOWN: Option<Dims> = Some(Dims {
            layers: 26,
            hidden: 1152,
            q_heads: 4,
            kv_heads: 1,
            head_dim: 256,
            ffn: 6912,
            vocab: 262144,
        });
    }
    impl Recipe for Build {
        const NAME: &'static str = "ryzen-9950x-gemma3";
        const LIMITS: Limits = Limits {
            max_model_len: 32768,
            max_seqs: 4,
            max_batched_tokens: 512,
            block_size: 16,
            kv_memory: KvMemory::Bytes(4 << 30),
        };
        const CHUNKED_PREFILL: ChunkedPrefillSettings = ChunkedPrefillSettings {
            tokens: 512,
        };
        type Backend = Cpu<Avx512Bf16>;
        type Model = Gemma3<Self, BakedShape>;
        type Weights = Dense<BF16>;
        type Head = Dense<BF16>;
        type Cache = Plain<BF16>;
        type Prefill = Chunked;
        type Prefix = Hashed;
        /// Not in this engine.
        type Adapters = Off;
        type PromptAdapters = Off;
        type Draft = Off;
        type Launch = Eager;
        type Encoder = Off;
        type Logprobs = Off;
        type PromptLogprobs = Off;
        type Output = Inline;
        type Steps = Single;
        type Multimodal = Off;
        type BestOf = Off;
        type BeamSearch = Off;
        type Guide = Off;
    }
};
