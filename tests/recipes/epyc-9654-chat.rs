const _: () = {
    use ::engine_runtime::{KvMemory, Limits, Recipe};
    use ::engine_runtime::backend::cpu::{Avx512Bf16, Cpu};
    use ::engine_runtime::dtype::{BF16, Dense, Plain};
    use ::engine_runtime::models::{Dims, Llama, Shape};
    use ::engine_runtime::parts::{
        Eager, Inline, LogprobsSettings, Off, Single, Top, Whole,
    };
    pub struct BakedShape;
    impl Shape for BakedShape {
        const KNOWN: Option<Dims> = Some(Dims {
            layers: 32,
            hidden: 4096,
            q_heads: 32,
            kv_heads: 8,
            head_dim: 128,
            ffn: 14336,
            vocab: 128256,
        });
    }
    impl Recipe for Build {
        const NAME: &'static str = "epyc-9654-chat";
        const LIMITS: Limits = Limits {
            max_model_len: 8192,
            max_seqs: 64,
            max_batched_tokens: 8192,
            block_size: 16,
            kv_memory: KvMemory::Bytes(64 << 30),
        };
        const LOGPROBS: LogprobsSettings = LogprobsSettings { max: 5 };
        type Backend = Cpu<Avx512Bf16>;
        type Model = Llama<Self, BakedShape>;
        type Weights = Dense<BF16>;
        type Head = Dense<BF16>;
        type Cache = Plain<BF16>;
        type Logprobs = Top;
        /// Not in this engine.
        type Prefill = Whole;
        type Prefix = Off;
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
