const _: () = {
    use ::engine_runtime::{KvMemory, Limits, Recipe};
    use ::engine_runtime::backend::cpu::{Avx512Bf16, Cpu};
    use ::engine_runtime::dtype::{BF16, Dense, Plain};
    use ::engine_runtime::models::{Dims, Qwen3Moe, Shape};
    use ::engine_runtime::parts::{
        Chunked, ChunkedPrefillSettings, Eager, Hashed, Inline, LogprobsSettings, Off,
        Single, Top,
    };
    pub struct BakedShape;
    impl Shape for BakedShape {
        const KNOWN: Option<Dims> = Some(Dims {
            layers: 48,
            hidden: 2048,
            q_heads: 32,
            kv_heads: 4,
            head_dim: 128,
            ffn: 6144,
            vocab: 151936,
        });
    }
    impl Recipe for Build {
        const NAME: &'static str = "epyc-9755-qwen3-moe";
        const LIMITS: Limits = Limits {
            max_model_len: 32768,
            max_seqs: 64,
            max_batched_tokens: 512,
            block_size: 16,
            kv_memory: KvMemory::Bytes(96 << 30),
        };
        const CHUNKED_PREFILL: ChunkedPrefillSettings = ChunkedPrefillSettings {
            tokens: 512,
        };
        const LOGPROBS: LogprobsSettings = LogprobsSettings { max: 5 };
        type Backend = Cpu<Avx512Bf16>;
        type Model = Qwen3Moe<Self, BakedShape>;
        type Weights = Dense<BF16>;
        type Head = Dense<BF16>;
        type Cache = Plain<BF16>;
        type Prefill = Chunked;
        type Prefix = Hashed;
        type Logprobs = Top;
        /// Not in this engine.
        type Adapters = Off;
        type PromptAdapters = Off;
        type Draft = Off;
        type Launch = Eager;
        type Encoder = Off;
        type PromptLogprobs = Off;
        type Output = Inline;
        type Steps = Single;
        type Multimodal = Off;
        type BestOf = Off;
        type BeamSearch = Off;
        type Guide = Off;
    }
};
