const _: () = {
    use ::engine_runtime::{KvMemory, Limits, Recipe};
    use ::engine_runtime::backend::cpu::{Avx2, Cpu};
    use ::engine_runtime::dtype::{BF16, Dense, Plain};
    use ::engine_runtime::models::Qwen2;
    use ::engine_runtime::parts::{
        Eager, Inline, LogprobsSettings, Off, Single, Top, Whole,
    };
    impl Recipe for Build {
        const NAME: &'static str = "epyc-7763-qwen2";
        const LIMITS: Limits = Limits {
            max_model_len: 4096,
            max_seqs: 32,
            max_batched_tokens: 4096,
            block_size: 16,
            kv_memory: KvMemory::Bytes(16 << 30),
        };
        const LOGPROBS: LogprobsSettings = LogprobsSettings { max: 20 };
        type Backend = Cpu<Avx2>;
        type Model = Qwen2<Self>;
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
