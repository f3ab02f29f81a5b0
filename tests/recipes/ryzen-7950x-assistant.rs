const _: () = {
    use ::engine_runtime::{KvMemory, Limits, Recipe};
    use ::engine_runtime::backend::cpu::{Avx512Bf16, Cpu};
    use ::engine_runtime::dtype::{BF16, Dense, Plain};
    use ::engine_runtime::models::Qwen3;
    use ::engine_runtime::parts::{
        Chunked, ChunkedPrefillSettings, Eager, Hashed, Inline, LogprobsSettings, Off,
        Single, Top,
    };
    impl Recipe for Build {
        const NAME: &'static str = "ryzen-7950x-assistant";
        const LIMITS: Limits = Limits {
            max_model_len: 32768,
            max_seqs: 4,
            max_batched_tokens: 256,
            block_size: 16,
            kv_memory: KvMemory::Bytes(12 << 30),
        };
        const CHUNKED_PREFILL: ChunkedPrefillSettings = ChunkedPrefillSettings {
            tokens: 256,
        };
        const LOGPROBS: LogprobsSettings = LogprobsSettings { max: 20 };
        type Backend = Cpu<Avx512Bf16>;
        type Model = Qwen3<Self>;
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
